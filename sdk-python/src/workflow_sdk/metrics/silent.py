"""Stands in for `Metrics` when a runner has none, so that nothing asks whether there are metrics."""

from __future__ import annotations

from typing import Any


class SilentSeries:
    """Counts nothing, under any label."""

    def labels(self, *values: Any, **named: Any) -> SilentSeries:
        """Return itself."""
        del values, named
        return self

    def inc(self, amount: float = 1) -> None:
        """Do nothing."""

    def observe(self, amount: float) -> None:
        """Do nothing."""


class SilentMetrics:
    """The five series of a runner, unheard."""

    poll_latency = lock_conflicts = handler_latency = retries_total = jobs_completed = SilentSeries()
