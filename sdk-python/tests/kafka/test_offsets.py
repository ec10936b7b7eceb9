"""Offsets are committed in order, whatever the order in which records end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from workflow_sdk.kafka.offsets import Offsets


@given(
    st.lists(st.integers(0, 30), unique=True)
    .map(sorted)
    .flatmap(lambda each: st.tuples(st.just(each), st.permutations(each)))
)
def test_the_offset_to_commit_has_nothing_open_before_it(offsets_and_order: tuple[list[int], list[int]]) -> None:
    """After every end, it is one past the last record before the first open one; offsets may have gaps."""
    read, order = offsets_and_order
    offsets = Offsets()
    for offset in read:
        assert offsets.begin(offset)
    ended: set[int] = set()
    for offset in order:
        offsets.done(offset)
        ended.add(offset)
        first_open = next((each for each in read if each not in ended), None)
        before = [each for each in read if first_open is None or each < first_open]
        assert offsets.to_commit == (before[-1] + 1 if before else None)
    assert not offsets.is_busy


def test_what_the_brokers_know_is_not_committed_again() -> None:
    """There is nothing to commit until something moves."""
    offsets = Offsets()
    for offset in (7, 8):
        offsets.begin(offset)
    offsets.done(7)
    offsets.committed(8)
    assert offsets.to_commit is None
    offsets.done(8)
    assert offsets.to_commit == 9


def test_what_is_left_is_never_passed() -> None:
    """A record that somebody else will do holds the offset, but keeps nobody waiting."""
    offsets = Offsets()
    for offset in (1, 2):
        offsets.begin(offset)
    offsets.leave(1)
    offsets.done(2)
    assert (offsets.to_commit, offsets.is_busy) == (None, False)


def test_a_record_in_hand_is_not_begun_twice() -> None:
    """It may be read again after a pause."""
    offsets = Offsets()
    assert [offsets.begin(3), offsets.begin(3)] == [True, False]
