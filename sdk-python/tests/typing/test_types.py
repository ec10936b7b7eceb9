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
HEADER = """\
from typing import Any
from workflow_sdk import HandlerRegistry, RestEngineClient, Runner
from workflow_sdk.client.async_rest import AsyncRestEngineClient
from workflow_sdk.definition import *
from workflow_sdk.errors import NonRetryableError, RetryAfter
from workflow_sdk.handler.context import Control, JobContext
from workflow_sdk.handler.outcome import Completed, Failed, Outcome
from workflow_sdk.handler.registry import CallNext
from workflow_sdk.runner.async_runner import AsyncRunner

registry = HandlerRegistry()
ctx = JobContext({})

def handler(ctx: JobContext) -> None: ...
async def middleware(call_next: CallNext, ctx: JobContext) -> Any: ...
async def token() -> str: return ""
async def runs(client: RestEngineClient, on_loop: AsyncRestEngineClient) -> None:
"""

Mypy = dict[str, set[str]]
"""File name -> the codes of its errors."""
Pyright = dict[str, list[tuple[int, str]]]
"""File name -> line, from 1, and rule of its errors."""

WRONG = [
    # what must not be written, the error mypy has for it
    ("registry.register(5, handler)", "call-overload"),
    ("registry.register('a', 'handler')", "call-overload|type-var"),
    ("registry.register('a', handler, max_concurrency='4')", "call-overload"),
    ("registry.register('a', handler, timeout='30s')", "call-overload"),
    ("registry.register('a', handler, max_concurrency=2.5)", "call-overload"),
    ("registry.register('a', handler, rate_limit='2/s')", "call-overload"),
    ("registry.register('a', timeout=[30])", "call-overload"),
    ("registry.register('a', handler, tiemout=30)", "call-overload"),
    ("registry.register('a', handler, 4)", "call-overload"),
    ("registry.register('a', handler, middleware=[handler])", "list-item"),
    ("registry.register('a')(5)", "type-var|arg-type"),
    ("registry.use(handler)", "type-var"),
    ("registry.include([registry])", "arg-type"),
    ("registry.get('a')({})", "misc"),
    ("registry.job_types().name", "attr-defined"),
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
    ("Runner(on_loop, registry, 'w')", "arg-type"),
    ("AsyncRunner(client, registry, 'w')", "arg-type"),
    ("AsyncRunner(on_loop, registry)", "call-arg"),
    ("AsyncRunner(on_loop, registry, 'w').run()", "unused-coroutine"),
    ("await AsyncRunner(on_loop, registry, 'w').run(stop_event=True)", "arg-type"),
    ("RestEngineClient()", "call-arg"),
    ("RestEngineClient('https://e', token=token)", "arg-type"),
    ("RestEngineClient('https://e', 30, 'secret')", "call-arg|misc"),
    ("AsyncRestEngineClient('https://e', token=5)", "arg-type"),
    ("AsyncRestEngineClient('https://e', token=token())", "arg-type"),
    ("with on_loop: pass", "attr-defined"),
    ("async with client: pass", "attr-defined"),
    ("amount: int = client.instance('i').result()", "assignment"),
    ("client.instance('i').result().amount", "attr-defined"),
    ("client.instance('i').result('5s')", "arg-type"),
    ("client.start('loan').result(5)[0]", "index|call-overload"),
    ("on_loop.instance('i').result()['amount']", "index"),
    ("(await on_loop.instance('i').result()).amount", "attr-defined"),
    ("on_loop.start('loan').result()", "attr-defined"),
    ("client.iter_instances()[0]", "index"),
    ("len(client.iter_instances())", "arg-type"),
    ("for each in on_loop.iter_instances(): pass", "attr-defined"),
    ("await on_loop.watch_instance('i')", "misc"),
    ("for event in on_loop.watch_instance('i'): pass", "attr-defined"),
    ("async for event in client.watch_instance('i'): pass", "attr-defined"),
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
def mypy(tmp_path_factory: pytest.TempPathFactory) -> Mypy:
    """What one run of mypy says of the user's file and of every wrong line, as {file name: set of error codes}."""
    folder = tmp_path_factory.mktemp("typing")
    files = [str(HERE / "user_worker.py")]
    for number, (line, _) in enumerate(WRONG):
        file = folder / f"wrong_{number}.py"
        file.write_text(f"{HEADER}    {line}\n")
        files.append(str(file))
    config = folder / "mypy.ini"
    # As it is installed, or else this tree's own, whatever is installed beside it; mypy refuses the former as a path.
    path = "" if "site-packages" in SOURCE.parts else f"mypy_path = {SOURCE}\n"
    config.write_text(
        f"[mypy]\nstrict = true\n{path}[mypy-grpc.*,google.*,rochallor_proto.*]\nignore_missing_imports = true\n"
    )
    options = ["--config-file", str(config), "--cache-dir", str(folder / "cache"), "--follow-imports", "silent"]
    out, err, _ = api.run([*options, "--no-error-summary", *files])
    assert not err, err
    found: Mypy = {Path(file).name: set() for file in files}
    for name, line, code in re.findall(r"(\w+\.py):(\d+): error: .*?\[([\w-]+)\]$", out, re.MULTILINE):
        wanted = HEADER.count("\n") + 1
        found[name].add(code if int(line) == wanted or name == "user_worker.py" else f"line {line}: {code}")
    return found


def test_a_users_file_is_clean_under_mypy(mypy: Mypy) -> None:
    """Handlers of every kind, middleware, definitions and a client: nothing to cast, nothing to ignore."""
    assert mypy["user_worker.py"] == set()


@pytest.mark.parametrize("number", range(len(WRONG)), ids=[line for line, _ in WRONG])
def test_what_is_wrong_is_refused_where_it_is_written(mypy: Mypy, number: int) -> None:
    """A slip is found by the checker, in its own line and for its own reason."""
    found = mypy[f"wrong_{number}.py"]
    assert len(found) > 0
    assert found <= set(WRONG[number][1].split("|"))


@pytest.fixture(scope="module")
def pyright(tmp_path_factory: pytest.TempPathFactory) -> Pyright:
    """What one run of pyright says, as {file name: [(line from 1, rule)]}; it is strict about the user's file only.

    What is wrong with the SDK's own files is told by `make check`; here it is used as it is installed.
    """
    pytest.importorskip("basedpyright")
    folder = tmp_path_factory.mktemp("pyright")
    wrong = [f"wrong_{number}.py" for number in range(len(WRONG))]
    for name, (line, _) in zip(wrong, WRONG, strict=True):
        (folder / name).write_text(f"{HEADER}    {line}\n")
    config = {
        "include": [str(HERE / "user_worker.py"), *wrong],
        "strict": [str(HERE / "user_worker.py")],
        "typeCheckingMode": "standard",
        "reportUnusedExpression": False,
        "pythonVersion": "3.10",
        "extraPaths": [str(SOURCE)],
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "basedpyright", "--outputjson"]
    done = subprocess.run(
        [*command, "--project", str(folder), "--pythonpath", sys.executable],
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(done.stdout)
    assert answer["summary"]["filesAnalyzed"] == len(wrong) + 1, answer["summary"]
    found: Pyright = {name: [] for name in [*wrong, "user_worker.py"]}
    for each in answer["generalDiagnostics"]:
        found[Path(each["file"]).name].append((each["range"]["start"]["line"] + 1, each.get("rule", "")))
    return found


def test_a_users_file_is_clean_under_pyright(pyright: Pyright) -> None:
    """The other checker agrees, in its strict mode."""
    assert pyright["user_worker.py"] == []


@pytest.mark.parametrize("number", range(len(WRONG)), ids=[line for line, _ in WRONG])
def test_what_is_wrong_is_refused_by_both_checkers(pyright: Pyright, number: int) -> None:
    """Whichever checker a user has, it finds the slip, in its line."""
    assert {line for line, _ in pyright[f"wrong_{number}.py"]} == {HEADER.count("\n") + 1}


def test_the_users_file_runs() -> None:
    """It is no fiction: its handlers register, its workflow keeps the rules, its handlers fit."""
    code = (
        f"import sys; sys.path[:0] = [{str(SOURCE)!r}, {str(HERE)!r}]\n"
        "import user_worker as u\n"
        "print(u.direct.value, [(each.code, each.message.split()[4]) for each in u.problems])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "5 [('HANDLER_UNUSED', \"'plain'.\"), ('HANDLER_UNUSED', \"'partial'.\")]"
