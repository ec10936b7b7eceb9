"""How long jobs wait: the schedule of an open loop, what counts, and one quick run."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from rich.console import Console

from bench import bars, chart, dispatch, summary
from bench.arrivals import arrivals
from bench.cases import ACROSS_HALF, CASES, CLOSED, LONG_HALF, cases
from bench.dispatching import Traffic, Waits
from bench.stores import SqliteStores
from bench.window import Span, bucket


def test_an_open_loop_keeps_to_its_rate_whatever_chance_does():
    """Moments ascend from the first second to before the last, as many as the rate says, give or take chance."""
    moments = [*arrivals(200.0, 100.0, 150.0, Random(7).expovariate)]
    assert moments[0] == 100.0
    assert all(earlier <= later for earlier, later in pairwise(moments))
    assert moments[-1] < 150.0
    assert len(moments) == pytest.approx(200 * 50, rel=0.05)


def test_the_same_seed_gives_the_same_schedule():
    """A round can be repeated: chance is an argument."""
    first, again = ([*arrivals(50.0, 0.0, 2.0, Random(3).expovariate)] for _ in range(2))
    assert first == again


def test_even_gaps_fall_at_even_moments():
    """The gap is asked for with the rate, after every moment."""
    assert [*arrivals(4.0, 1.0, 2.0, lambda rate: 1 / rate)] == [1.0, 1.25, 1.5, 1.75]


async def test_a_wait_counts_by_when_the_job_was_to_be_made():
    """A job made in the span counts however late it is handled, and one made before it does not."""
    waits = Waits(Span(10.0, 20.0), monotonic_s=lambda: 0.0)
    waits.picked_up(9.9, 10.5)
    waits.picked_up(10.0, 10.5)
    waits.picked_up(19.9, 25.9)
    waits.picked_up(20.0, 20.1)
    assert waits.latencies == {bucket(0.5): 1, bucket(6.0): 1}


async def test_a_job_that_is_there_before_the_answer_did_not_wait_after_it():
    """What a handler waits beyond the answer is told apart, by the same rule about when the job was made."""
    waits = Waits(Span(10.0, 20.0), monotonic_s=lambda: 0.0)
    waits.both_known(11.0, 11.2, 11.7)
    waits.both_known(11.0, 11.2, 11.1)
    waits.both_known(9.0, 11.2, 11.7)
    assert waits.after_answer == {bucket(0.5): 1, bucket(0.0): 1}


async def test_done_jobs_are_counted_by_the_slice_they_end_in():
    """Jobs that end outside the span are in no slice; a slice of a minute is a second."""
    now_s = iter([0.0, 9.99, 10.0, 10.9, 69.9, 70.0])
    waits = Waits(Span(10.0, 70.0), monotonic_s=lambda: next(now_s))
    for _ in range(5):
        waits.finished(1, 0.0)
    assert (waits.count, waits.figures()["slices"]) == (3, [2, *[0] * 58, 1])


async def test_a_job_that_nobody_started_voids_the_run():
    """A job handed out twice, or left from another run, is an error and no figure."""
    traffic = Traffic(Waits(Span(0.0, 1.0), monotonic_s=lambda: 0.0), [], asyncio.TaskGroup())
    with pytest.raises(RuntimeError, match="handed out although"):
        await traffic.handle("x-1-1", 5, 0.0)


def test_a_file_has_one_engine_and_plain_polls_come_once():
    """Across two engines is for PostgreSQL; after the first round only long polls are measured again."""
    assert [*cases("postgres", 1)] == [*CASES]
    assert not any(case.across for case in cases("sqlite", 1))
    assert all(case.wait_ms for kind in ("sqlite", "postgres") for case in cases(kind, 2))
    assert {LONG_HALF, ACROSS_HALF} <= {case.name for case in cases("postgres", 2)}


@pytest.mark.parametrize(("p50_ms", "p99_ms", "verdicts"), [(5.0, 25.0, [True, True]), (5.1, 25.1, [False, False])])
def test_dispatch_is_judged_at_half_load(p50_ms, p99_ms, verdicts):
    """Both times have a most, on either store and across engines."""
    runs = [{"jobs_per_s": 1000, "p50_ms": p50_ms, "p99_ms": p99_ms}] * 3
    for store, name in (("sqlite", LONG_HALF), ("postgres", LONG_HALF), ("postgres", ACROSS_HALF)):
        assert [each.passed for each in bars.judge({store: {name: runs}})] == verdicts


def test_a_quick_run_measures_every_case_and_can_be_drawn(tmp_path: Path):
    """On a real engine each case of SQLite has waits; half load is half of the closed loop; the page shows all."""
    length = dispatch.Length(0.1, 0.8)
    measured = dispatch.measure(Console(quiet=True), SqliteStores(tmp_path), rounds=1, length=length)
    rounds = measured["rounds"]
    assert [*rounds] == [CLOSED, *(case.name for case in cases("sqlite", 1))]
    assert all(runs[0]["waits"] > 0 for runs in rounds.values())
    assert all(0 <= run["after_answer_p50_ms"] <= run["p50_ms"] for [run] in rounds.values())
    [[closed], [half]] = rounds[CLOSED], rounds[LONG_HALF]
    assert half["starts_per_s"] == pytest.approx(closed["jobs_per_s"] / 3 / 2, abs=1)
    assert [line.what for line in summary.OF["dispatch"]("sqlite", measured)] == [LONG_HALF] * 2
    about = {"what": "dispatch", "store": "sqlite", "at": "2026", "command": ["x"], "cores": 2, "figures": measured}
    page = chart.page(about)
    ET.fromstring("<svg" + page.split("<svg")[1].split("</svg>")[0] + "</svg>")
    assert all(name in page for name in rounds)
