"""The store without a disk."""

from rochallor.stores.memory.store import MemoryStore

__all__ = ["MemoryStore"]
