"""The metrics of several workers on one page."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from rochallor.serve.metrics_app import ScrapedGauges
from rochallor.serve.workers.merge import LEAST, SHARED, kept, merged
from rochallor.shell.histograms import Histogram


def page(starts=0, waiting=0, unpolled=0, depth=0, seconds=()):
    """Return a worker's page."""
    registry = CollectorRegistry()
    Counter("starts", "Starts.", ["kind"], registry=registry).labels("a").inc(starts)
    Gauge("depth", "Depth.", registry=registry).set(depth)
    for name, value in (("rochallor_waiting_jobs", waiting), ("rochallor_job_type_unpolled_seconds", unpolled)):
        Gauge(name, name, ["job_type"], registry=registry).labels("t").set(value)
    histogram = Histogram("took", "Took.", buckets=(1, 5), registry=registry)
    for value in seconds:
        histogram.observe(value)
    return generate_latest(registry).decode()


def values(text):
    rows = (line.rpartition(" ") for line in text.decode().splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in rows if "_created" not in name}


ONE = page(starts=2, waiting=7, unpolled=5, depth=1, seconds=(0.5, 3))
TWO = page(starts=3, waiting=6, unpolled=0, depth=4, seconds=(9,))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ('starts_total{kind="a"}', 5),
        ("depth", 5),
        ('rochallor_waiting_jobs{job_type="t"}', 7),
        ('rochallor_job_type_unpolled_seconds{job_type="t"}', 0),
        ('took_bucket{le="1.0"}', 1),
        ('took_bucket{le="+Inf"}', 3),
        ("took_count", 3),
        ("took_sum", 12.5),
    ],
)
def test_each_kind_of_series_has_its_sum(name, value):
    """Counters, histograms and what a process has add up; what all of them read from one database does not."""
    assert values(merged([ONE, TWO]))[name] == value


def test_what_a_dead_worker_counted_stays_and_what_it_had_does_not():
    """Counters never fall when a worker is replaced; its queue is gone with it."""
    once = kept([ONE])
    found = values(merged([TWO], [kept([once, ONE])]))
    assert (found['starts_total{kind="a"}'], found["took_count"], found["depth"]) == (7, 5, 4)


def test_gauges_that_are_not_summed_exist():
    """The table names series that an engine really has."""
    assert LEAST <= SHARED <= {family.name for family in ScrapedGauges().registry.collect()}
