"""The limits of single handlers: how many of their jobs at a time, how many per second. Pure but for the clock given.

Types without limits are polled together; each type with one is polled by itself, so that a poll can ask for as many
of its jobs as are allowed. Types that share a poll are a lane.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workflow_sdk.handler.registry import HandlerRegistry, Registration


class Lane:
    """Job types that are asked for in one poll, and how many of their jobs may still come.

    Args:
        job_types: what is asked for.
        max_concurrency: how many may be under way at a time, None for no limit but the worker's.
        rate_limit: how many may start per second, None for no limit.
        monotonic: seconds that only grow.

    """

    def __init__(
        self,
        job_types: Sequence[str],
        max_concurrency: int | None,
        rate_limit: float | None,
        monotonic: Callable[[], float],
    ) -> None:
        self.job_types = list(job_types)
        self._max_concurrency = max_concurrency
        self.under_way = 0
        """How many of its jobs the worker has."""
        self._bucket = None if rate_limit is None else _Bucket(rate_limit, monotonic)

    @property
    def is_limited(self) -> bool:
        """Whether it has limits of its own."""
        return self._max_concurrency is not None or self._bucket is not None

    def allowance(self, free: int) -> int:
        """Return how many jobs may be asked for when the worker has so many slots free."""
        if self._max_concurrency is not None:
            free = min(free, self._max_concurrency - self.under_way)
        if self._bucket is not None:
            free = min(free, self._bucket.whole())
        return max(free, 0)

    def seconds_until_more(self) -> float | None:
        """Return when the rate allows another job, None when it is not the rate that forbids one."""
        return None if self._bucket is None else self._bucket.seconds_until_one()

    def take(self, count: int) -> None:
        """Note jobs that came."""
        self.under_way += count
        if self._bucket is not None:
            self._bucket.take(count)

    def give_back(self) -> None:
        """Note that one of them is done with."""
        self.under_way -= 1


@dataclass
class _Bucket:
    """Starts that the rate has allowed and nobody has used: at most one second's worth, at least one."""

    rate: float
    monotonic: Callable[[], float]

    def __post_init__(self) -> None:
        self._most = max(1.0, self.rate)
        self._left = self._most
        self._as_of = self.monotonic()

    def whole(self) -> int:
        self._fill()
        return int(self._left)

    def take(self, count: int) -> None:
        self._fill()
        self._left -= count

    def seconds_until_one(self) -> float | None:
        self._fill()
        return None if self._left >= 1 else (1 - self._left) / self.rate

    def _fill(self) -> None:
        now = self.monotonic()
        # A hair more, so that who waited for just one start does not find 0.9999999 of it.
        self._left = min(self._most, self._left + (now - self._as_of) * self.rate + 1e-9)
        self._as_of = now


def lanes_of(registry: HandlerRegistry, monotonic: Callable[[], float]) -> list[Lane]:
    """Return the lanes of a registry: one for all types without limits, one for each with."""
    found = {job_type: _registration(registry, job_type) for job_type in registry.job_types()}
    limited = {name: each for name, each in found.items() if each and (each.max_concurrency or each.rate_limit)}
    lanes = [Lane([name], each.max_concurrency, each.rate_limit, monotonic) for name, each in limited.items()]
    together = [job_type for job_type in found if job_type not in limited]
    return [*lanes, Lane(together, None, None, monotonic)] if together else lanes


def lane_of(registry: HandlerRegistry, job_type: str, monotonic: Callable[[], float]) -> Lane:
    """Return a lane for one type alone."""
    found = _registration(registry, job_type)
    if found is None:
        return Lane([job_type], None, None, monotonic)
    return Lane([job_type], found.max_concurrency, found.rate_limit, monotonic)


def _registration(registry: object, job_type: str) -> Registration | None:
    find = getattr(type(registry), "find", None)  # a test's stand-in may have no more than the published methods
    return None if find is None else find(registry, job_type)
