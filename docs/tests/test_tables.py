"""The tables of the reference pages are what the code says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))
PAGES = sorted((ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_is_drawn_from_its_sources(page):
    """Draw the page again: nothing changes (`python tools/doc_tables.py` mends it)."""
    from doc_tables import drawn  # noqa: PLC0415 - tools is no package; its folder is on the path by now

    assert drawn(page.read_text()) == page.read_text()
