"""From `MODULE:NAME` to a registry: every mistake has its sentence."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from workflow_sdk.cli import main
from workflow_sdk.cli.load import load_registry

pytestmark = pytest.mark.usefixtures("here")
WORKERS = """
from workflow_sdk import HandlerRegistry

class Holder:
    inner = HandlerRegistry()

registry = HandlerRegistry()
empty = HandlerRegistry()

@registry.register("greet")
def greet(ctx):
    return {}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with modules that are forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "cli_workers.py").write_text(WORKERS)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("cli_"):
            del sys.modules[name]


def test_the_current_folder_is_importable(here: Path) -> None:
    """A console script finds modules of the folder it is started in, and attributes below attributes."""
    assert load_registry("cli_workers:registry").job_types() == ["greet"]
    assert load_registry("cli_workers:Holder.inner").job_types() == []
    assert str(here) in sys.path


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("cli_workers", "'cli_workers' names no registry. Write MODULE:NAME, for example app.workers:registry."),
        ("cli_workers:", "'cli_workers:' names no registry. Write MODULE:NAME, for example app.workers:registry."),
        ("./app/w.py:registry", "'./app/w.py' is a path, not a module. Write app.w:registry."),
        ("cli_workers:regstry", "cli_workers has no 'regstry'. It has empty, registry."),
        ("cli_workers:Holder.iner", "cli_workers:Holder has no 'iner'. Is 'inner' meant?"),
        ("cli_workers:greet", "cli_workers:greet is of type function, not a HandlerRegistry. It has empty, registry."),
        ("cli_workers:Holder", "cli_workers:Holder is a class, not a HandlerRegistry. It has empty, registry."),
    ],
)
def test_a_wrong_reference_is_explained(reference: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence with the next step, no traceback, exit code 2."""
    assert main(["list", reference], {}) == 2
    assert capsys.readouterr().err == f"workflow-worker: {sentence}\n"


def test_a_missing_module_says_where_it_was_looked_for(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Started in the wrong folder: the sentence names the folder."""
    assert main(["list", "cli_nowhere.workers:registry"], {}) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"workflow-worker: There is no module 'cli_nowhere' under {here} ")
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import cli_absent\n", "ModuleNotFoundError"),
        ("registry = (\n", "SyntaxError"),
        ("raise SystemExit(0)\n", "SystemExit"),
        ("int('x')\n", "ValueError"),
    ],
)
def test_a_broken_module_shows_its_own_traceback(
    here: Path, source: str, cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The application's own mistake is shown where it is, without our frames."""
    (here / "cli_broken.py").write_text(source)
    assert main(["check", "cli_broken:registry"], {}) == 2
    told = capsys.readouterr().err
    assert "cli_broken.py" in told
    assert "load.py" not in told
    assert told.endswith(
        f"workflow-worker: cli_broken cannot be imported: {cause}. Mend what the traceback shows, then try again.\n"
    )


def test_an_empty_registry_is_not_served(capsys: pytest.CaptureFixture[str]) -> None:
    """A worker without handlers would poll for nothing; most often the module with the handlers is not imported."""
    assert main(["run", "cli_workers:empty"], {}) == 2
    assert "cli_workers:empty has no handlers." in capsys.readouterr().err
