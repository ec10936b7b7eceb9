"""`workflow-worker check` and `list`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from workflow_sdk.cli import main

if TYPE_CHECKING:
    from ..conftest import FakeEngine

pytestmark = pytest.mark.usefixtures("here")
WORKERS = """
from functools import partial
from workflow_sdk import HandlerRegistry

registry = HandlerRegistry()

@registry.register("greet", timeout=30, max_concurrency=4, rate_limit=0.5)
def greet(ctx):
    return {}

@registry.register("pay")
async def pay(ctx):
    return {}

class Send:
    def __call__(self, ctx):
        return {}

registry.register("send", Send())
registry.register("again", partial(greet))
"""


def definition(*job_types: str) -> dict[str, Any]:
    steps = [
        {"id": f"s{number}", "name": "S", "type": "SERVICE_TASK", "jobType": job_type, "nextStep": f"s{number + 1}"}
        for number, job_type in enumerate(job_types)
    ]
    return {"id": "d", "name": "D", "steps": [*steps, {"id": f"s{len(steps)}", "name": "E", "type": "END"}]}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "cli_shop.py").write_text(WORKERS)
    yield tmp_path
    sys.modules.pop("cli_shop", None)


def test_list_shows_type_handler_async_and_limits(capsys: pytest.CaptureFixture[str]) -> None:
    """One aligned line for each job type; objects and partials are named by what they call."""
    assert main(["list", "cli_shop:registry"], {}) == 0
    assert capsys.readouterr().out.splitlines() == [
        "TYPE   HANDLER         ASYNC  LIMITS",
        "greet  cli_shop:greet  no     max_concurrency=4 rate_limit=0.5 timeout=30",
        "pay    cli_shop:pay    yes    -",
        "send   cli_shop:Send   no     -",
        "again  cli_shop:greet  no     -",
    ]


def test_a_definition_whose_types_are_all_served_is_fine(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0; a handler that nobody asks for is a warning only."""
    (here / "d.json").write_text(json.dumps(definition("greet", "pay")))
    assert main(["check", "cli_shop:registry", "--definition", "d.json"], {}) == 0
    told = capsys.readouterr().out
    assert "No step asks for 'send'." in told
    assert told.endswith("1 definition: no errors\n")


def test_a_type_that_nobody_serves_is_found(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, and the sentence names the step and the nearest handler."""
    (here / "a.json").write_text(json.dumps(definition("greet")))
    (here / "b.json").write_text(json.dumps(definition("payy", "ship")))
    assert main(["check", "cli_shop:registry", "--definition", "a.json", "b.json", "--elsewhere", "ship"], {}) == 1
    told = capsys.readouterr().out
    assert "error d/steps/0 JOB_TYPE_UNSERVED: No handler serves 'payy'" in told
    assert "'ship'" not in told
    assert told.endswith("2 definitions: 1 error\n")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "d.json cannot be read: No such file or directory. Correct --definition."),
        ("[]", "d.json holds no definition: a definition is a JSON object. Correct the file."),
        ("{", "d.json is not JSON"),
    ],
)
def test_a_file_that_is_no_definition_is_explained(
    here: Path, content: str | None, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, exit code 2."""
    if content is not None:
        (here / "d.json").write_text(content)
    assert main(["check", "cli_shop:registry", "--definition", "d.json"], {}) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (200, 0, "answers"),
        (403, 0, "answers"),
        (401, 1, "refused: 401: who are you?. See --token-file."),
        (500, 1, "refused: 500: who are you?"),
    ],
)
def test_the_engine_is_asked_whether_it_answers(
    engine: FakeEngine, status: int, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An engine that knows us answers, even if this token may not read definitions; a refusal is told."""
    body: dict[str, Any] = {"items": [], "total": 0} if status == 200 else {"error": "x", "message": "who are you?"}
    engine.answer("/v1/definitions?page=0&pageSize=1", status, body)
    assert main(["check", "cli_shop:registry", "--engine", engine.url], {}) == code
    shown = capsys.readouterr()
    assert told in shown.out + shown.err


def test_no_engine_there_has_an_exit_code_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3: the registry may be fine, but nobody answers at the address."""
    assert main(["check", "cli_shop:registry", "--engine", "http://127.0.0.1:1"], {}) == 3
    assert "Start the engine, or correct --engine." in capsys.readouterr().err
