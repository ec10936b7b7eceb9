"""Copying the write-ahead log into the file beside the writer, so that no commit has to wait for it.

SQLite does it inside a commit, every few thousand pages; the larger the file, the more pages are touched and the longer
that one commit takes. Here a thread with a connection of its own copies what there is, about twice a second while there
are commits. A copy that falls behind (somebody reads an old state, the disk is slow) is caught up inside a commit, as
SQLite does by itself; only that keeps the log from growing for ever.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress

PAUSE_S = 0.5


class Checkpoints:
    """Runs from `start` to `stop`; `connect` makes a connection that may write."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._committed = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch for commits."""
        self._thread = threading.Thread(target=self._run, name="sqlite-checkpoints", daemon=True)
        self._thread.start()

    def committed(self) -> None:
        """Note that there is something to copy."""
        self._committed.set()

    def stop(self) -> None:
        """Let the copy at work end; a second call does nothing."""
        self._stopped.set()
        self._committed.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        connection = self._connect()
        try:
            while self._committed.wait():
                self._committed.clear()  # before the pause: after it, that of a stop might go with it
                if self._stopped.wait(PAUSE_S):
                    return
                with suppress(sqlite3.Error):  # a full disk, a locked file: the log keeps what could not be copied
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        finally:
            connection.close()
