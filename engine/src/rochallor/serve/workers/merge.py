"""The metrics of several processes as those of one engine: pure, from their texts to one text.

Counters and histograms add up. A gauge adds up too, unless it is read from the database that all of them share; then
each says the same, and the largest is the latest. What a worker had counted when it died is kept, or every sum would
fall and a rate would jump.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

SHARED = frozenset(
    {"rochallor_waiting_jobs", "rochallor_oldest_waiting_job_seconds", "rochallor_job_type_unpolled_seconds"}
)
# A type that one worker is polled for is polled for: the least of these counts.
LEAST = frozenset({"rochallor_job_type_unpolled_seconds"})
_CREATED = "_created"

Sample = tuple[str, tuple[tuple[str, str], ...]]


def merged(living: Iterable[str], dead: Iterable[str] = ()) -> bytes:
    """Return one page from the pages of living workers, and what was last heard of dead ones."""
    return generate_latest(_registry(_Sums(living, dead)))


def kept(dead: Iterable[str]) -> str:
    """Return as one page what of dead workers' pages still counts."""
    return generate_latest(_registry(_Sums((), dead))).decode()


def _registry(sums: _Sums) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(sums)
    return registry


class _Sums(Collector):
    """All series, added up."""

    def __init__(self, living: Iterable[str], dead: Iterable[str]) -> None:
        self._families: dict[str, Metric] = {}
        self._values: dict[str, dict[Sample, float]] = {}
        for text in living:
            for family in text_string_to_metric_families(text):
                self._add(family)
        for text in dead:
            for family in text_string_to_metric_families(text):
                if family.type in {"counter", "histogram"}:
                    self._add(family)

    def collect(self) -> Iterable[Metric]:
        for name, family in self._families.items():
            total = Metric(name, family.documentation, family.type)
            for (sample, labels), value in self._values[name].items():
                total.add_sample(sample, dict(labels), value)
            yield total

    def _add(self, family: Metric) -> None:
        self._families.setdefault(family.name, family)
        values = self._values.setdefault(family.name, {})
        for sample in family.samples:
            key = (sample.name, _sorted(sample.labels))
            values[key] = _together(family.name, sample.name, values.get(key), sample.value)


def _together(family: str, sample: str, before: float | None, value: float) -> float:
    if before is None:
        return value
    if family in LEAST or sample.endswith(_CREATED):
        return min(before, value)
    return max(before, value) if family in SHARED else before + value


def _sorted(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))
