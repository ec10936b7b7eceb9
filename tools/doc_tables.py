"""Draws the tables of the reference pages from the code and data they describe.

A page holds a table between `<!-- table: NAME -->` and `<!-- end -->`. `python tools/doc_tables.py` writes them anew; a
test fails when a page and its source disagree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from rochallor.config import SETTINGS
from rochallor_proto import contract

PAGES = Path(__file__).parents[1] / "docs" / "reference"
_TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def operations() -> Iterable[tuple[str, ...]]:
    """Every operation, with its route and its rpc."""
    rpcs = {operation: entry["rpc"] for entry in contract("mapping")["rpcs"] for operation in entry["operations"]}
    yield "request", "rpc", "what it does"
    for path, methods in contract("openapi")["paths"].items():
        for method, operation in methods.items():
            if method in {"get", "post"}:
                rpc = rpcs.get(operation["operationId"])
                yield f"`{method.upper()} {path}`", f"`{rpc}`" if rpc else "", operation["summary"]


def errors() -> Iterable[tuple[str, ...]]:
    """Every error, with its status on both transports."""
    yield "`error`", "HTTP", "gRPC", "when"
    for row in contract("errors")["errors"]:
        yield f"`{row['error']}`", str(row["http"]), row["grpc"] or "", row["when"]


def settings() -> Iterable[tuple[str, ...]]:
    """Every setting, with its default."""
    yield "variable", "default", "meaning"
    for row in SETTINGS:
        yield f"`{row.variable}`", "" if row.default is None else f"`{_plain(row.default)}`", row.meaning


def _plain(default: object) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


TABLES: dict[str, Callable[[], Iterable[tuple[str, ...]]]] = {
    "operations": operations,
    "errors": errors,
    "settings": settings,
}


def drawn(text: str) -> str:
    """Return a page with its tables drawn from their sources."""
    return _TABLE.sub(lambda found: found[1] + _render(TABLES[found[2]]()) + found[3], text)


def _render(rows: Iterable[tuple[str, ...]]) -> str:
    head, *body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *body))


if __name__ == "__main__":
    for page in PAGES.glob("*.md"):
        page.write_text(drawn(page.read_text()))
