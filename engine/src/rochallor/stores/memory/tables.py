"""The tables of the memory store: dicts, and layers over them for what is not committed yet."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any, Generic, NamedTuple, TypeVar

from rochallor.core.events import Committed
from rochallor.core.ids import JobRef
from rochallor.core.model import Instance, Lease
from rochallor.ports import StoredDefinition
from rochallor.stores.projections import ChainRow, JobRow, TaskRow

K = TypeVar("K")
V = TypeVar("V")
_GONE: Any = object()


class Layer(MutableMapping[K, V], Generic[K, V]):
    """A dict with uncommitted changes over it."""

    def __init__(self, base: dict[K, V]) -> None:
        self.base = base
        self.changed: dict[K, V] = {}

    def __getitem__(self, key: K) -> V:
        value = self.changed[key] if key in self.changed else self.base[key]
        if value is _GONE:
            raise KeyError(key)
        return value

    def __setitem__(self, key: K, value: V) -> None:
        self.changed[key] = value

    def __delitem__(self, key: K) -> None:
        self.changed[key] = _GONE

    def __iter__(self) -> Iterator[K]:
        yield from (key for key in self.base if key not in self.changed)
        yield from (key for key, value in self.changed.items() if value is not _GONE)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def fold_in(self) -> None:
        """Make the changes part of the dict."""
        for key, value in self.changed.items():
            if value is _GONE:
                self.base.pop(key, None)
            else:
                self.base[key] = value


class Job(NamedTuple):
    """A row of the queue."""

    order: int
    row: JobRow
    delayed: bool
    lease: Lease | None = None

    @property
    def ref(self) -> JobRef:
        """Which delivery it is."""
        return JobRef(self.row.instance_id, self.row.step_seq, self.row.delivery)


class Chain(NamedTuple):
    """A next workflow to be started."""

    row: ChainRow
    due_at_ms: int
    attempts: int = 0


class Tables(NamedTuple):
    """Everything there is; the same fields with layers are a transaction's view of it."""

    instances: MutableMapping[str, Instance]
    events: MutableMapping[tuple[str, int], Committed]
    jobs: MutableMapping[tuple[str, int], Job]
    timers: MutableMapping[tuple[str, int, int], int]
    tasks: MutableMapping[tuple[str, int], TaskRow]
    keys: MutableMapping[tuple[str, str], str]
    chains: MutableMapping[str, Chain]
    definitions: MutableMapping[tuple[str, int], StoredDefinition]
