"""Histograms that cost little: a binary search and an addition per observation.

The client library's own walk their buckets one by one, 5 µs an observation where these take 0.4; a job is observed
three times on its way, which was a twelfth of all the engine did for it. What is exported is the same.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString


class Observed:
    """What one combination of label values has seen. `observe` takes a value in the histogram's unit."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value in the first bucket that holds it."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value


class Histogram:
    """A Prometheus histogram in a registry; without label names it has one child, which `observe` feeds."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str] = (),
        *,
        buckets: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        self._name = name
        self._documentation = documentation
        self.label_names = tuple(labels)
        self._bounds = tuple(float(bound) for bound in buckets)
        self._children: dict[tuple[str, ...], Observed] = {}
        if not labels:
            self.observe = self.labels().observe
        registry.register(self)

    def labels(self, *values: str) -> Observed:
        """Return the child of these label values; keep it where observations are many."""
        child = self._children.get(values)
        if child is None:
            child = self._children[values] = Observed(self._bounds)
        return child

    def describe(self) -> Iterable[Metric]:
        """Tell the registry the name, without values."""
        return [HistogramMetricFamily(self._name, self._documentation, labels=self.label_names)]

    def collect(self) -> Iterable[Metric]:
        """Return the series as they stand."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=self.label_names)
        edges = [*map(floatToGoString, self._bounds), "+Inf"]
        for values, child in self._children.items():
            buckets = list(zip(edges, accumulate(child.counts), strict=True))
            family.add_metric(values, buckets, child.total)
        return [family]
