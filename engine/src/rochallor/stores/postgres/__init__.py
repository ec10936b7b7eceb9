"""The shared store: one PostgreSQL database, any number of engines."""

from rochallor.stores.postgres.migrate import migrate_down, migrate_up, migration_status
from rochallor.stores.postgres.store import PostgresStore
from rochallor.stores.postgres.visit import visit

__all__ = ["PostgresStore", "migrate_down", "migrate_up", "migration_status", "visit"]
