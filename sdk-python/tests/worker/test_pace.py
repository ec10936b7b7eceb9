"""When to poll next."""

from __future__ import annotations

import pytest
from workflow_sdk.worker.pace import Pace


@pytest.fixture
def pace() -> Pace:
    return Pace(0.5, chance=lambda: 0.5)


def _answer(pace: Pace, got: int = 0, took: float = 0.001, wait: float = 0.0) -> float:
    return pace.after_answer(asked=4, got=got, wait_seconds=wait, took_seconds=took).seconds


def test_a_full_batch_is_followed_at_once(pace: Pace) -> None:
    """Where a batch came back full there may be more."""
    assert _answer(pace, got=4) == 0


def test_pauses_grow_to_the_interval(pace: Pace) -> None:
    """Empty answers lead from 5 ms up to the poll interval."""
    assert [_answer(pace) for _ in range(9)] == [0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.5, 0.5]


def test_a_job_brings_the_pause_back(pace: Pace) -> None:
    """After work arrived, the next pause is short again."""
    for _ in range(9):
        _answer(pace)
    assert _answer(pace, got=1) == 0.005


def test_an_engine_that_holds_polls_is_asked_again_at_once(pace: Pace) -> None:
    """An empty answer that took the time it was allowed needs no pause."""
    assert _answer(pace, took=2.0, wait=2.0) == 0
    assert _answer(pace, got=1, took=0.1, wait=2.0) == 0


def test_an_engine_that_stops_holding_polls_is_not_hammered(pace: Pace) -> None:
    """An empty answer that came too early brings the pauses back."""
    _answer(pace, took=2.0, wait=2.0)
    assert [_answer(pace, took=0.001, wait=2.0) for _ in range(2)] == [0.005, 0.01]


def test_errors_lead_to_longer_pauses_that_no_slot_ends(pace: Pace) -> None:
    """A failing engine is asked ever more rarely, up to five seconds."""
    rests = [pace.after_error(None) for _ in range(9)]
    assert [rest.seconds for rest in rests] == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.5, 2.5, 2.5])
    assert not any(rest.ends_with_a_slot for rest in rests)


def test_an_error_waits_as_long_as_the_engine_asks(pace: Pace) -> None:
    """Retry-After comes on top."""
    assert pace.after_error(3.0).seconds == pytest.approx(3.05)
