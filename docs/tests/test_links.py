"""Links between the pages lead somewhere, and the index leads to every page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1]
PAGES = sorted(DOCS.rglob("*.md"))


def _links(page: Path) -> list[tuple[Path, str]]:
    """Return file and anchor of each link of a page to a file of ours; examples in blocks are no links."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)", text)
    return [((page.parent / file).resolve() if file else page, anchor) for file, anchor in links]


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_somewhere(page):
    """Every linked file exists, and has the heading that is linked."""
    dead = [
        f"{file.name}#{anchor}"
        for file, anchor in _links(page)
        if not file.exists() or (anchor and anchor not in _anchors(file))
    ]
    assert dead == []


def test_the_index_has_every_page():
    """No page can only be found by whoever knows that it is there; decisions have an index of their own."""
    listed = {file for file, _ in _links(DOCS / "README.md")}
    assert [
        page.name for page in PAGES if page not in listed and page.name != "README.md" and "adr" not in page.parts
    ] == []
