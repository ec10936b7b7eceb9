"""A flame graph says what the samples say, and says so when they say nothing."""

from __future__ import annotations

import shutil
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import flame
from bench.flamegraph import ROOMS, Call, begun, drawn, folded, shares

LOOP = "<module> (main.py:3);run (asyncio/runners.py:190)"
STACKS = [
    f"{LOOP};step (rochallor/core/machine.py:40) 30",
    f"{LOOP};save (rochallor/stores/postgres/store.py:9);execute (asyncpg/connection.py:1) 50",
    f"{LOOP};save (rochallor/stores/postgres/store.py:11) 19",
    f"{LOOP} 1",
]
SVG = "{http://www.w3.org/2000/svg}"


def test_lines_of_one_function_are_one_call() -> None:
    """Samples differ in the line they were at; the picture is of functions."""
    begin = begun(folded(STACKS))
    assert (begin.name, begin.samples) == ("run", 100)
    assert {call.name: call.samples for call in begin.calls.values()} == {"step": 30, "save": 69}


def test_time_belongs_to_whose_code_was_running() -> None:
    """The innermost function has it, not who called it; nothing is counted twice."""
    found = shares(folded(STACKS))
    assert found == {"core": 0.3, "shell": 0, "stores": 0.19, "doors": 0, "driver": 0.5, "loop": 0.01}
    assert list(found) == [name for _, name, _, _ in ROOMS]


def test_the_picture_has_a_box_for_every_call_as_wide_as_its_time() -> None:
    """Its tip tells function, file and share; names are escaped."""
    drawing = ET.fromstring(drawn(folded([*STACKS, "<lambda> (a&b.py:1) 100"]), "An engine"))
    widths = {}
    for box in drawing.iter(f"{SVG}rect"):
        if (tip := box.find(f"{SVG}title")) is not None:
            widths[tip.text] = float(box.get("width", 0))
    assert widths["<lambda> (a&b.py): 50.0%"] == pytest.approx(430, abs=1)
    assert widths["save (rochallor/stores/postgres/store.py): 34.5%"] == pytest.approx(297, abs=1)
    assert drawing.get("aria-label") == "An engine"


def test_calls_too_narrow_to_be_seen_are_left_out() -> None:
    """Ten thousand of them would make a file that nobody can open."""
    many = [f"{LOOP};f{number} (x.py:1) 1" for number in range(10_000)]
    assert drawn(folded(many), "x").count("<rect") < 20


@pytest.mark.parametrize("line", ["no count", "a;b 1.5", "12", "a;b -3"])
def test_what_is_no_folded_stack_is_refused(line: str) -> None:
    """With the line that is meant."""
    with pytest.raises(ValueError, match="not a folded stack"):
        folded([*STACKS, line])


def test_no_samples_are_no_picture() -> None:
    """An idle process is said to be idle."""
    with pytest.raises(ValueError, match="no samples"):
        folded(["", " "])


def test_threads_that_wait_are_left_out() -> None:
    """Samplers take a thread that waits in its queue for one at work."""
    thread = "Thread._bootstrap (threading.py:1002)"
    assert flame.waits(f"{thread};_worker (concurrent/futures/thread.py:81) 9")
    assert not flame.waits(f"{thread};_worker (concurrent/futures/thread.py:83);commit (rochallor/stores/x.py:1) 9")
    assert not flame.waits(STACKS[0])


STAND_IN = """#!{python}
import pathlib, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print("now looking", flush=True)
{ends}
signal.sigwait([signal.SIGINT])
pathlib.Path(sys.argv[sys.argv.index("--output") + 1]).write_text({told!r})
"""


@pytest.fixture
def sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Call]:
    """Measure a real engine on SQLite with a sampler that tells what it is told to, or ends with an error."""

    def measure(told: str = "", ends: str = "") -> Call:
        stand_in = tmp_path / "sampler"
        stand_in.write_text(STAND_IN.format(python=sys.executable, told=told, ends=ends))
        stand_in.chmod(0o755)
        monkeypatch.setattr(flame, "sampler", lambda: str(stand_in))
        return flame.measure({"WE_SQLITE_PATH": str(tmp_path / "flame.db")}, 20)

    return measure


def test_an_engine_at_work_is_looked_at_until_its_work_is_done(sampled: Callable[..., Call]) -> None:
    """What the sampler wrote at the end is what is drawn."""
    assert begun(sampled("\n".join(STACKS))).name == "run"


@pytest.mark.parametrize(
    ("how", "words"),
    [({"ends": "print('not permitted'); sys.exit(3)"}, "ended with 3: .*not permitted"), ({"told": ""}, "no samples")],
    ids=["an error", "nothing seen"],
)
def test_a_sampler_that_fails_is_said_to_have_failed(
    sampled: Callable[..., Call], how: dict[str, str], words: str
) -> None:
    """With its own words where it has some."""
    with pytest.raises(RuntimeError, match="(?s)" + words):
        sampled(**how)


def test_a_sampler_that_is_not_there_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to get it."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(FileNotFoundError, match="pip install py-spy"):
        flame.sampler()
