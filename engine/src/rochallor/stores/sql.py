"""SQL is source code: files beside the store that runs them, read once.

`queries.sql` holds named statements, each after a line `-- name: insert_job`; other comment lines are for the reader
and are not sent. `migrations/NNNN_what.sql` holds the steps of the schema, applied in order, never edited later.
"""

from __future__ import annotations

from importlib.resources import files
from typing import NamedTuple

_NAME = "-- name: "


class Migration(NamedTuple):
    """One step of the schema."""

    version: int
    name: str
    script: str


def load_queries(package: str) -> dict[str, str]:
    """Return the named statements of `package`'s `queries.sql`."""
    queries: dict[str, str] = {}
    for block in files(package).joinpath("queries.sql").read_text(encoding="utf-8").split(_NAME)[1:]:
        name, _, body = block.partition("\n")
        lines = [line for line in body.splitlines() if not line.lstrip().startswith("--")]
        assert name not in queries, f"two statements are named {name}"
        queries[name.strip()] = "\n".join(lines).strip().rstrip(";")
    return queries


def load_migrations(package: str) -> list[Migration]:
    """Return the migrations of `package`, by version; a file's name is `<version>_<name>.sql`."""
    found = []
    for file in files(package).joinpath("migrations").iterdir():
        if file.name.endswith(".sql"):
            version, _, name = file.name.removesuffix(".sql").partition("_")
            found.append(Migration(int(version), name, file.read_text(encoding="utf-8")))
    return sorted(found)
