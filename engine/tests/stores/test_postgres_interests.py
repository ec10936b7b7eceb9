"""Who is told of what among engines; time is an argument."""

from __future__ import annotations

from rochallor.stores.postgres.interests import LASTS_S, MOMENT_S, RENEW_S, Interests, Topic

A, B = Topic("job", "a"), Topic("instance", "b")


def test_nobody_is_told_what_nobody_waits_for():
    """News goes out only on topics in which another engine is interested."""
    interests = Interests()
    assert interests.publish([A, B], 100.0) == []
    interests.wanted([A], 100.0)
    assert interests.publish([A, B], 100.1) == [A]


def test_interest_that_comes_a_moment_late_is_served():
    """What was published just before somebody's wish arrived is told after all."""
    interests = Interests()
    interests.publish([A], 100.0)
    assert interests.wanted([A, B], 100.0 + MOMENT_S / 2) == [A]


def test_interest_that_comes_much_later_is_not():
    """After a while nobody can still be waiting for what was published then."""
    interests = Interests()
    interests.publish([A], 100.0)
    assert interests.wanted([A], 100.0 + 2 * MOMENT_S) == []


def test_interest_ends_by_itself():
    """An engine that has gone is not told for ever."""
    interests = Interests()
    interests.wanted([A], 100.0)
    assert interests.publish([A], 100.0 + LASTS_S) == []


def test_own_wish_is_told_once_and_renewed():
    """A thousand polls for one type are one message every few seconds."""
    interests = Interests()
    assert interests.want([A], 100.0) == [A]
    assert interests.want([A], 100.0 + RENEW_S / 2) == []
    assert interests.want([A], 100.0 + RENEW_S) == [A]


def test_newcomer_is_told_all_that_is_waited_for():
    """Wishes that are still good are repeated to an engine that has just started, old ones are not."""
    interests = Interests()
    interests.want([A], 100.0)
    interests.want([B], 120.0)
    assert interests.ours(100.0 + LASTS_S) == [B]
