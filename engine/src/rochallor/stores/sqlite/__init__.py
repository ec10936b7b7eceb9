"""The embedded store: one SQLite file, one engine process."""

from rochallor.stores.sqlite.store import SqliteStore
from rochallor.stores.sqlite.visit import visit

__all__ = ["SqliteStore", "visit"]
