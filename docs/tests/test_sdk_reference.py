"""The reference of the Python SDK is what the code says, also where it says what is not kept."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from workflow_sdk import HandlerRegistry, Runner

from tools.api_reference import page

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "sdk-python.md").read_text(encoding="utf-8")


def test_the_page_is_what_the_tool_writes():
    """Write the page again: nothing changes (`python tools/api_reference.py` mends it)."""
    assert page() == PAGE


def test_every_name_has_words():
    """Every class, function, method and property is explained: none is without a docstring."""
    entries = re.split(r"^(?=#{2,3} |\*\*`)", PAGE, flags=re.MULTILINE)[1:]
    silent = [
        entry.split("\n")[0]
        for entry in entries
        if not re.sub(r"```.*?```|\nA kind of [^\n]*", "", entry.partition("\n")[2], flags=re.DOTALL).strip()
    ]
    assert silent == []


@pytest.mark.parametrize("limit", ["max_concurrency", "rate_limit", "timeout"])
def test_limits_that_are_not_kept_are_said_on_the_page(caplog, limit):
    """As long as the Runner warns of a limit the page does too, and no longer."""
    registry, stop = HandlerRegistry(), threading.Event()
    registry.register("greet", print, **{limit: 1})
    stop.set()
    Runner(MagicMock(), registry, "w").run(stop)
    (said,) = re.findall(r"^Not kept by.*?(?=\n\n)", PAGE, re.DOTALL | re.MULTILINE) or [""]
    assert (f"`{limit}`" in said) is ("are not kept" in caplog.text)
