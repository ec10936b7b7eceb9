"""Which source files have changed since the last look."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_NOT_SOURCES = frozenset({"__pycache__", "node_modules", "build", "dist"})


class Changes:
    """Watches the .py files below a folder by their times.

    Hidden folders and virtual environments are left out: they are not what somebody edits.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = dict(self._files())

    def look(self) -> list[str]:
        """Return what was changed, added or removed since the last look, relative to the folder, sorted."""
        now = dict(self._files())
        changed = sorted(name for name in now.keys() | self._seen.keys() if now.get(name) != self._seen.get(name))
        self._seen = now
        return changed

    def _files(self) -> Iterator[tuple[str, int]]:
        for folder, folders, files in os.walk(self._folder):
            folders[:] = [
                name
                for name in folders
                if not name.startswith(".")
                and name not in _NOT_SOURCES
                and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))  # noqa: PTH110, PTH118 - once a second, for each folder
            ]
            for name in files:
                if name.endswith(".py"):
                    path = Path(folder, name)
                    try:
                        yield str(path.relative_to(self._folder)), path.stat().st_mtime_ns
                    except OSError:  # it has just gone
                        continue
