"""One engine per file: an advisory lock that the operating system releases when its holder dies, however it dies.

The lock is on a file of its own, `<database>.lock`. Locking the database file itself would break SQLite: closing any
descriptor of it drops the locks SQLite holds through another. The file is left behind on purpose; deleting it would let
two engines lock two different files of the same name.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rochallor.core.errors import Unavailable

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """Holds `<database>.lock` from `acquire` to `release`."""

    def __init__(self) -> None:
        self._descriptor: int | None = None

    def acquire(self, database: Path) -> None:
        """Take the lock; raises `Unavailable` when somebody has it or the folder cannot be written."""
        try:
            descriptor = os.open(database.with_name(f"{database.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            message = f"the database file {database.name} cannot be opened for writing: {error.strerror}"
            raise Unavailable(f"{message}; check that its folder exists and is writable") from error
        try:
            _lock(descriptor)
        except OSError as error:
            os.close(descriptor)
            message = f"another engine is running on the database file {database.name}"
            raise Unavailable(f"{message}; stop it first, or use PostgreSQL to run several engines") from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock up, if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
