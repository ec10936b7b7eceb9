"""The thread that copies SQLite's log beside the writer."""

from __future__ import annotations

import sqlite3
import threading

import pytest
from rochallor.stores.sqlite import checkpoints
from rochallor.stores.sqlite.checkpoints import Checkpoints

SOON_S = 10
"""Never waited for unless something is broken."""


class Watched:
    """Connections to a file with a log; `copied` is set whenever one is asked to copy it."""

    def __init__(self, path):
        self.path = path
        self.copied = threading.Event()
        with sqlite3.connect(path) as writer:
            writer.execute("PRAGMA journal_mode = WAL")
            writer.execute("CREATE TABLE kept (n)")

    def __call__(self):
        connection = sqlite3.connect(self.path)
        connection.set_trace_callback(lambda statement: "wal_checkpoint" in statement and self.copied.set())
        return connection


@pytest.fixture
def watched(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "PAUSE_S", 0)
    return Watched(tmp_path / "a.db")


def test_a_commit_is_followed_by_a_copy(watched):
    """After each commit the log is copied, without anybody waiting for it."""
    work = Checkpoints(watched)
    work.start()
    for _ in range(3):
        watched.copied.clear()
        work.committed()
        assert watched.copied.wait(SOON_S)
    work.stop()
    work.stop()


def test_a_stop_that_comes_just_as_the_pause_ends_is_heard(watched):
    """The pause has ended without a stop, and before the thread goes on there is one: it must not wait for a commit."""
    work = Checkpoints(watched)

    class Late(threading.Event):
        def wait(self, timeout=None):  # noqa: ARG002 - the pause is over at once
            before = self.is_set()
            self.set()
            work.committed()
            return before

    work._stopped = Late()
    work.start()
    work.committed()
    assert work._thread is not None
    work._thread.join(SOON_S)
    assert not work._thread.is_alive()
