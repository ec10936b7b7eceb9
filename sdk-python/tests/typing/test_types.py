"""What a user's file may and must not write, by the word of the type checkers themselves."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import workflow_sdk

api = pytest.importorskip("mypy.api")

HERE = Path(__file__).parent
SOURCE = Path(workflow_sdk.__file__).parents[1]
STRICT = ("handler", "definition")
HEADER = """\
from typing import Any
from workflow_sdk import HandlerRegistry, RestEngineClient, Runner
from workflow_sdk.definition import *
from workflow_sdk.errors import NonRetryableError, RetryAfter
from workflow_sdk.handler.context import Control, JobContext
from workflow_sdk.handler.outcome import Completed, Failed, Outcome
from workflow_sdk.handler.registry import CallNext

registry = HandlerRegistry()
ctx = JobContext({})

def handler(ctx: JobContext) -> None: ...
async def middleware(call_next: CallNext, ctx: JobContext) -> Any: ...
def runs(client: RestEngineClient) -> None:
"""

WRONG = [
    # what must not be written, the error mypy has for it
    ("registry.register(5, handler)", "call-overload"),
    ("registry.register('a', 'handler')", "call-overload|type-var"),
    ("registry.register('a', handler, max_concurrency='4')", "call-overload"),
    ("registry.register('a', handler, timeout='30s')", "call-overload"),
    ("registry.register('a', handler, tiemout=30)", "call-overload"),
    ("registry.register('a', handler, 4)", "call-overload"),
    ("registry.register('a', handler, middleware=[handler])", "list-item"),
    ("registry.register('a')(5)", "type-var|arg-type"),
    ("registry.use(handler)", "type-var"),
    ("registry.include([registry])", "arg-type"),
    ("registry.get('a')()['x'] = registry.job_types().name", "attr-defined|misc|operator"),
    ("registry.find('a').timeout", "union-attr"),
    ("ctx.attempt = 2", "misc"),
    ("ctx.attempt.upper()", "attr-defined"),
    ("ctx.lease_token", "attr-defined"),
    ("ctx.deadline.isoformat()", "union-attr"),
    ("JobContext()", "call-arg"),
    ("Control('2030-01-01')", "arg-type"),
    ("raise RetryAfter('5s')", "arg-type"),
    ("raise RetryAfter(message='later')", "call-arg"),
    ("raise NonRetryableError('no', 'CODE')", "call-arg|misc"),
    ("Failed('boom')", "call-arg"),
    ("Completed({}).variables = None", "misc"),
    ("outcome: Outcome = {'x': 1}", "assignment"),
    ("Runner(client)", "call-arg"),
    ("Runner(client, {'a': handler}, 'w')", "arg-type"),
    ("Runner(client, registry, 'w', parallelism='8')", "arg-type"),
    ("RestEngineClient()", "call-arg"),
    ("client.start_instance('loan', ['amount'])", "arg-type"),
    ("client.get_instance(5)", "arg-type"),
    ("client.complete_jobs([])", "attr-defined"),
    ("Workflow('w', 'step')", "arg-type"),
    ("Workflow('w', service_task('a', next_step=5))", "arg-type"),
    ("service_task('a', 'b')", "call-arg|misc"),
    ("service_task('a', retry_policy={'initialDelay': 'PT1S'})", "arg-type"),
    ("user_task('a', retry_count=3)", "call-arg"),
    ("wait('a')", "call-arg"),
    ("decision('a', ['x > 1'])", "arg-type"),
    ("Timer('PT1H', 'a')", "call-arg"),
    ("Timer(3600, 'a', interrupting=True)", "arg-type"),
    ("parallel('a', ['b', 'c'])", "call-arg"),
    ("Workflow('w').check({'a': handler})", "arg-type"),
]


@pytest.fixture(scope="module")
def mypy(tmp_path_factory):
    """What one run of mypy says of the user's file and of every wrong line, as {file name: set of error codes}."""
    folder = tmp_path_factory.mktemp("typing")
    files = [str(HERE / "user_worker.py")]
    for number, (line, _) in enumerate(WRONG):
        file = folder / f"wrong_{number}.py"
        file.write_text(f"{HEADER}    {line}\n")
        files.append(str(file))
    config = folder / "mypy.ini"
    config.write_text(
        "[mypy]\nstrict = true\n[mypy-grpc.*,google.*,rochallor_proto.*]\nignore_missing_imports = true\n"
    )
    options = ["--config-file", str(config), "--cache-dir", str(folder / "cache"), "--follow-imports", "silent"]
    out, err, _ = api.run([*options, "--no-error-summary", *files])
    assert not err, err
    found: dict[str, set[str]] = {Path(file).name: set() for file in files}
    for name, line, code in re.findall(r"(\w+\.py):(\d+): error: .*?\[([\w-]+)\]$", out, re.MULTILINE):
        wanted = HEADER.count("\n") + 1
        found[name].add(code if int(line) == wanted or name == "user_worker.py" else f"line {line}: {code}")
    return found


def test_a_users_file_is_clean_under_mypy(mypy):
    """Handlers of every kind, middleware, definitions and a client: nothing to cast, nothing to ignore."""
    assert mypy["user_worker.py"] == set()


@pytest.mark.parametrize("number", range(len(WRONG)), ids=[line for line, _ in WRONG])
def test_what_is_wrong_is_refused_where_it_is_written(mypy, number):
    """A slip is found by the checker, in its own line and for its own reason."""
    found = mypy[f"wrong_{number}.py"]
    assert len(found) > 0
    assert found <= set(WRONG[number][1].split("|"))


def test_a_users_file_is_clean_under_pyright(tmp_path):
    """The other checker agrees, in its strict mode, and has nothing to say of what the file uses either."""
    pytest.importorskip("basedpyright")
    config = {
        "include": [str(HERE / "user_worker.py"), *(str(SOURCE / "workflow_sdk" / each) for each in STRICT)],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.10",
        "extraPaths": [str(SOURCE)],
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "basedpyright", "--project", str(tmp_path), "--pythonpath", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "0 errors" in done.stdout, done.stdout


def test_the_users_file_runs():
    """It is no fiction: its handlers register, its workflow keeps the rules, its handlers fit."""
    code = (
        f"import sys; sys.path[:0] = [{str(SOURCE)!r}, {str(HERE)!r}]\n"
        "import user_worker as u\n"
        "print(u.direct.value, [(each.code, each.message.split()[4]) for each in u.problems])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "5 [('HANDLER_UNUSED', \"'plain'.\"), ('HANDLER_UNUSED', \"'partial'.\")]"
