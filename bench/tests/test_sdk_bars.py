"""The promises of the SDK's speed, as the report judges them."""

from __future__ import annotations

from bench.sdk.measure import BARS
from bench.sdk.modes import AT_ITS_DEFAULTS, NO_SLEEP, PLAIN, UNBATCHED

FOUND = {
    PLAIN: {"jobs_per_s": 100.0, "worker_cpu_us_per_job": 800.0},
    NO_SLEEP: {"jobs_per_s": 1_000.0, "worker_cpu_us_per_job": 800.0},
    UNBATCHED: {"jobs_per_s": 4_000.0, "worker_cpu_us_per_job": 160.0},
    AT_ITS_DEFAULTS: {"jobs_per_s": 12_000.0, "worker_cpu_us_per_job": 50.0, "rss_mb": 61.0},
    "idle": {"cpu_percent": 0.5},
    "pickup": {"p99_ms": 10.5},
}


def test_a_promise_is_kept_at_its_limit_and_broken_beyond():
    """Ratios must reach their bar, costs must not pass theirs."""
    judged = {bar.label: (bar.figure(FOUND), bar.holds(bar.figure(FOUND))) for bar in BARS}
    assert list(judged.values()) == [
        (120.0, True),
        (4.0, True),
        (12.0, False),
        (0.5, True),
        (10.5, False),
        (61.0, False),
    ]


def test_by_cpu_tells_how_many_times_less_a_job_costs():
    """A machine that others use changes rates, not what a job costs."""
    assert [bar.by_cpu(FOUND) for bar in BARS if bar.by_cpu] == [5.0, 16.0]
