"""The page about migrating: what it says stays is in the code with this signature, and its tests exist."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "sdk-python" / "tests"
PAGE = (ROOT / "docs" / "how-to" / "migrate-from-sdk-1.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+?) \| (.*?) ?\| `([\w/]+\.py)::(\w+)` \|$", PAGE, re.MULTILINE)
CALLABLES = {name: signature for cell, signature, *_ in ROWS if "," not in cell for name in re.findall("`(.+)`", cell)}


def positional(function: object) -> str:
    """Return the arguments that may be given by position, as the page writes them."""
    shown = [
        each.name if each.default is each.empty else f"{each.name}={_shown(each.default)}"
        for each in inspect.signature(function).parameters.values()
        if each.kind is each.POSITIONAL_OR_KEYWORD and each.name != "self"
    ]
    return ", ".join(shown)


def _shown(default: object) -> str:
    return "REGISTRY" if type(default).__name__ == "CollectorRegistry" else repr(default)


@pytest.mark.parametrize(("file", "test"), sorted({(file, test) for *_, file, test in ROWS}))
def test_the_named_test_exists(file, test):
    """Each test that the page names is in the file that it names."""
    assert f"\ndef {test}(" in (TESTS / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name, signature in CALLABLES.items() if not signature.startswith("a ")])
def test_the_signature_is_the_code_s(name):
    """Names, order and defaults in the table are those of the code; what is new comes behind."""
    module, *path = re.split(r"\.(?=[A-Z_]|\w+$)", name)
    found = importlib.import_module(f"workflow_sdk.{module}")
    for part in path:
        found = getattr(found, part)
    said = CALLABLES[name].strip("`")
    assert positional(found).removeprefix(said).lstrip(", ") in {"", "timeout=30.0"}


def test_every_signature_that_is_tested_is_on_the_page(monkeypatch):
    """The SDK's own list of what stays has no name that the page leaves out."""
    monkeypatch.syspath_prepend(TESTS / "surface")
    tested = importlib.import_module("test_drop_in").SIGNATURES
    assert {f"{module}.{name}" for module, name, _ in tested} <= CALLABLES.keys()
