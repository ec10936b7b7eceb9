"""The newest version of each definition, as last seen: nearly every start asks for it, and it hardly ever changes.

Another engine may have stored a newer one since. So a batch that starts instances by what is remembered is refused if
it did (`SUPERSEDED`), and done again with what is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

MOST = 10_000
"""Definition ids come from clients; beyond so many all are forgotten."""


class Newest:
    """Versions by definition id."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def recall(self, definition_ids: Collection[str]) -> dict[str, int]:
        """Return those of the versions that are remembered."""
        return {name: self._seen[name] for name in definition_ids if name in self._seen}

    def seen(self, rows: Iterable[tuple[str, int | None]]) -> dict[str, int]:
        """Remember and return what was read; None is no version at all."""
        found = {name: version for name, version in rows if version is not None}
        if len(self._seen) + len(found) > MOST:
            self._seen.clear()
        self._seen.update(found)
        return found

    def forget(self, definition_ids: Iterable[str]) -> None:
        """Read these again the next time."""
        for name in definition_ids:
            self._seen.pop(name, None)
