"""Many things side by side, told in order; and an interrupt that nobody can keep to himself."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from rochallor_conformance.in_order import in_order


async def test_results_are_told_in_the_order_of_their_items() -> None:
    """The one that is done first waits to be told until those before it were."""
    gates = [asyncio.Event() for _ in range(3)]
    told: list[int] = []

    async def one(item: int) -> int:
        if item:
            gates[item - 1].set()
        else:
            await asyncio.gather(*(gate.wait() for gate in gates[:2]))
        return item

    assert await in_order([0, 1, 2], one, at_once=3, tell=told.append) == told == [0, 1, 2]


async def test_no_more_are_done_at_once_than_allowed() -> None:
    """The next begins when one has ended."""
    now, most = 0, 0

    async def one(_item: int) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1

    await in_order(range(9), one, at_once=2)
    assert most == 2


async def test_an_interrupt_is_heard_even_if_the_work_swallows_it() -> None:
    """Work that ends well in spite of a cancellation does not end the cancellation."""
    at_work = asyncio.Event()

    async def stubborn(_item: int) -> None:
        at_work.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    running = asyncio.create_task(in_order([1], stubborn, at_once=1))
    await at_work.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
