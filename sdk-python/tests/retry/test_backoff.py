"""How long to wait before trying again."""

from __future__ import annotations

import pytest
from workflow_sdk.retry.backoff import BASE_DELAY, FACTOR, JITTER_FRAC, MAX_DELAY, delay, full_jitter
from workflow_sdk.runner.deduplication_cache import DeduplicationCache


def test_published_figures() -> None:
    """The constants are those that callers were given."""
    assert (BASE_DELAY, FACTOR, JITTER_FRAC, MAX_DELAY) == (0.1, 2.0, 0.2, 30.0)


@pytest.mark.parametrize(
    ("attempt", "chance", "seconds"),
    [
        (0, 0.5, 0.1),
        (0, 0.0, 0.08),
        (0, 1.0, 0.12),
        (3, 0.5, 0.8),
        (-1, 0.5, 0.1),
        (10_000, 0.5, 30.0),
        (10_000, 1.0, 30.0),
    ],
)
def test_delay(attempt: int, chance: float, seconds: float) -> None:
    """A delay doubles per attempt, strays by a fifth at most, and never passes the limit."""
    assert delay(attempt, chance=lambda: chance) == pytest.approx(seconds)


def test_full_jitter_reaches_down_to_nothing() -> None:
    """Full jitter draws from the whole range, under its limit."""
    assert full_jitter(9, chance=lambda: 0.0) == 0.0
    assert full_jitter(9, chance=lambda: 0.5, limit=4.0) == 2.0


def test_a_key_is_seen_until_its_window_ends() -> None:
    """A key is new once, known while the window lasts, and new again after it."""
    now = [0.0]
    cache = DeduplicationCache(10, clock=lambda: now[0])
    assert (cache.seen("a"), cache.seen("a"), "a" in cache) == (False, True, True)
    now[0] = 10.0
    assert (len(cache), cache.seen("a")) == (0, False)


def test_a_discarded_key_may_come_again() -> None:
    """What is discarded counts as never seen."""
    cache = DeduplicationCache(10)
    cache.seen("a")
    cache.discard("a")
    assert not cache.seen("a")
