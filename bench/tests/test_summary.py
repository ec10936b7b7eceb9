"""The one table of all reports."""

from __future__ import annotations

import pytest

from bench import summary
from bench.contestants import FLOOR, INSIDE, REST
from bench.running import Run


def test_every_report_is_in_the_table_with_its_verdict():
    """A ratio on the right side of its promise is kept, one on the wrong side is missed, whichever side that is."""
    pair = {
        "filled": {"jobs_per_s": 700.0, "poll_p99_ms": 11.0},
        "empty": {"jobs_per_s": 1000.0, "poll_p99_ms": 10.0},
    }
    lines = [
        *summary.of_throughput("sqlite", [Run({"starts_per_s": 600.0, "jobs_per_s": 1000.0}, {})]),
        *summary.of_growth("sqlite", {"1,000 finished": [pair]}),
        *summary.of_timers("sqlite", {"at once": [{"p99_ms": 100.0}, {"p99_ms": 500.0}]}),
    ]
    assert [(line.ratio, line.kept) for line in lines] == [(0.6, True), (0.7, False), (1.1, True), (2.0, False)]
    table = summary.table_of(lines)
    assert table.title == "All reports: 2 of 4 promises kept"
    assert table.row_count == 4


@pytest.mark.parametrize(("speed", "kept"), [(300, True), (299, False)])
def test_floors_are_in_it_by_their_bars(speed, kept):
    """What has a bar is judged by it; what has none shows its share of the floor."""
    runs = {FLOOR: 1000, REST: speed, INSIDE: 400}
    figures = {name: [{"jobs_per_s": each, "p50_ms": 1.0, "engine_cpu_us": 1.0}] for name, each in runs.items()}
    lines = list(summary.of_floors({"rounds": {"postgres": figures}}))
    [share] = [line for line in lines if line.promise.startswith("floor")]
    assert (share.what, share.kept) == (REST, kept)
    assert [(line.what, line.ratio) for line in lines if line.kept is None] == [(FLOOR, 1.0), (INSIDE, 0.4)]


def test_workers_are_in_it_by_their_bars():
    """What the report about workers has judged is passed on."""
    bar = {"bar": "times plain loop", "limit": "≥ 4", "figure": 3.5, "holds": False, "by_cpu": None}
    [line] = summary.of_sdk({"bars": [bar]})
    assert (line.ratio, line.promise, line.kept) == (3.5, "times plain loop ≥ 4", False)
