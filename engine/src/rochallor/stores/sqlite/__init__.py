"""The embedded store: one SQLite file, one engine process."""

from rochallor.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
