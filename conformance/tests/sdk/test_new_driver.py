"""`new-driver` gives a driver that speaks at once; filled in, it passes every check."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest
from rochallor_conformance.cli import code_of
from rochallor_conformance.sdk.check import CHECKS, check_driver, details, waits
from rochallor_conformance.sdk.manifest import read_manifest
from rochallor_conformance.sdk.scaffold import TEMPLATES, languages

FILLED = Path(__file__).parent / "filled"
TOOLS = {"node": ("node", []), "go": ("go", ["go", "build", "-o", "driver", "."])}
SDKS = {"node": "sdk.mjs", "go": "sdk.go"}
CLAIMS = 'capabilities = ["definitions", "instances", "error-details", "retry-after", "worker"]'
SHORTER_THAN = 100


def prepared(language: str, folder: Path, lacking) -> Path:
    """Write a driver with `new-driver`; skip where the language is not installed."""
    tool, _ = TOOLS[language]
    assert code_of(["new-driver", language, str(folder)]) == 0
    if shutil.which(tool) is None:
        lacking(tool, f"there is no {tool} on this machine, so the driver for it cannot be started")
    return folder


def build(language: str, folder: Path) -> None:
    _, command = TOOLS[language]
    if command:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize("language", ["node", pytest.param("go", marks=pytest.mark.slow)])
def test_a_new_driver_speaks(tmp_path: Path, lacking, language) -> None:
    """What `new-driver` writes passes the check as it is, and claims nothing."""
    folder = prepared(language, tmp_path / "driver", lacking)
    build(language, folder)
    found = asyncio.run(check_driver(read_manifest(folder)))
    assert [each.problem for each in found if each.problem] == []
    assert [each.problem for each in found].count("") == 4


@pytest.mark.slow
@pytest.mark.parametrize("language", ["node", "go"])
def test_a_filled_driver_passes(tmp_path: Path, lacking, language) -> None:
    """With one file filled in, the same driver runs workers and keeps every promise."""
    folder = prepared(language, tmp_path / "driver", lacking)
    shutil.copy(FILLED / SDKS[language], folder)
    manifest = folder / "driver.toml"
    manifest.write_text(manifest.read_text().replace("capabilities = []", CLAIMS))
    build(language, folder)
    found = asyncio.run(check_driver(read_manifest(folder)))
    assert [(each.promise, each.problem) for each in found if each.problem != ""] == []


def test_a_driver_that_drops_what_errors_know_is_found(tmp_path: Path, lacking) -> None:
    """A driver that claims details and waits and hands on neither is told both."""
    folder = prepared("node", tmp_path / "driver", lacking)
    filled = (FILLED / "sdk.mjs").read_text()
    (folder / "sdk.mjs").write_text(filled.replace("export const factsOf", "const factsOf"))
    manifest = folder / "driver.toml"
    manifest.write_text(manifest.read_text().replace("capabilities = []", CLAIMS))
    rows = [row for row in CHECKS if row[2] in (details, waits)]
    found = asyncio.run(check_driver(read_manifest(folder), rows))
    assert ["without `details`" in (found[0].problem or ""), "without `retryAfterMs`" in (found[1].problem or "")] == [
        True, True]  # fmt: skip


def test_templates_are_short() -> None:
    """No file of a template has a hundred lines of code, and there is one for Node and one for Go."""
    assert languages() == ["go", "node"]
    for path in TEMPLATES.rglob("*"):
        if path.is_file():
            assert sum(bool(line.strip()) for line in path.read_text().splitlines()) < SHORTER_THAN, path


def test_our_driver_is_short(ours) -> None:
    """The Python SDK's driver has fewer than a hundred lines of code."""
    lines = (ours.folder / "driver.py").read_text().splitlines()
    assert sum(bool(line.strip()) and not line.startswith("#") for line in lines) < SHORTER_THAN


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A folder with something in it is left alone, with exit code 4."""
    (tmp_path / "mine.txt").write_text("mine")
    assert code_of(["new-driver", "node", str(tmp_path)]) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
