"""The reference of the Python SDK is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

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
