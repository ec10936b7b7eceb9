"""Before a batch: what has arrived comes along, what has not is not waited for."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import count

import pytest
from rochallor.shell.gathering import LONGEST_S, QUIET_TURNS, gather

FAR = 1_000


def standing_still():
    """Give the time of a clock that does not go on, so that only turns count."""
    return 0.0


def arriving(queue, *turns):
    """Have one command reach the queue after each of these numbers of turns of the loop, each counted from the last."""

    def turn(left, later):
        if left:
            asyncio.get_running_loop().call_soon(turn, left - 1, later)
            return
        queue.append(len(queue))
        if later:
            turn(later[0], later[1:])

    turn(turns[0], turns[1:])


@pytest.fixture
def queue():
    """One command that waits."""
    return deque(["first"])


async def test_commands_under_way_come_along(queue):
    """Each may take several turns of the loop; every one that arrives starts the count anew."""
    arriving(queue, QUIET_TURNS - 1, QUIET_TURNS - 1, QUIET_TURNS - 1)
    await gather(queue, FAR, standing_still)
    assert len(queue) == 4


async def test_nobody_is_waited_for(queue):
    """Whoever needs more turns than that is for the next batch."""
    arriving(queue, QUIET_TURNS + 1)
    await gather(queue, FAR, standing_still)
    assert len(queue) == 1


async def test_a_full_batch_begins_at_once(queue):
    """What could not be in it is not gathered for it."""
    arriving(queue, *[1] * 10)
    await gather(queue, 3, standing_still)
    assert len(queue) == 3


async def test_a_flood_holds_nobody_up_for_long(queue):
    """Commands that never cease end the gathering by its time."""
    ticks = count()
    arriving(queue, *[1] * 100)
    await gather(queue, FAR, lambda: next(ticks) * LONGEST_S / 5)
    assert 2 <= len(queue) <= 6
