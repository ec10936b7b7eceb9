"""A driver of nothing, right in what it says but for one way to be wrong: the word in the variable WRONG."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

HOW = os.environ.get("WRONG", "")
PROTOCOL = "wf-driver/0" if HOW == "other-protocol" else "wf-driver/1"


def write(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say(seq, **line):
    write(json.dumps({"re": seq, **line}))


DANCES = {
    "pretends": lambda seq: say(seq, result={}),
    "hangs": lambda _: time.sleep(600),
    "crashes": lambda _: sys.exit("I cannot dance"),
    "prints": lambda _: write("dancing"),
    "half-a-character": lambda seq: write(
        f'{{"re": {seq}, "error": {{"kind": "unsupported", "message": "\\\\ud800"}}}}'
    ),
    "goes-deep": lambda seq: write(f'{{"re": {seq}, "result": {{"a": {"[" * 100_000}{"]" * 100_000}}}}}'),
    "goes-rather-deep": lambda seq: write(f'{{"re": {seq}, "result": {{"a": {"[" * 300}{"]" * 300}}}}}'),
    "never-ends-a-line": lambda _: write("x" * (17 << 20)),
    "lies": lambda seq: say(seq, result="danced"),
    "answers-twice": lambda seq: (refuse(seq), refuse(seq)),
}


def bye(seq):
    say(seq, result={})
    if HOW == "stays":
        subprocess.run([sys.executable, "-c", "import time; time.sleep(600)"], check=False)
    sys.exit(3 if HOW == "exits-with-3" else 0)


def refuse(seq):
    say(seq, error={"kind": "unsupported", "message": "I can do nothing"})


COMMANDS = {
    "hello": lambda seq: say(seq, result={"protocol": PROTOCOL, "sdk": "nothing", "version": "1"}),
    "dance": DANCES.get(HOW, refuse),
    "bye": bye,
}
if HOW == "counts-and-fails":
    with Path(os.environ["COUNTER"]).open("a+") as counter:
        counter.write("x")
        sys.exit(f"I am number {counter.tell()}")
for each in sys.stdin:
    asked = json.loads(each)
    COMMANDS.get(asked["command"], refuse)(asked["seq"])
