"""Doing many things side by side and telling of them in order: what a person watches should not jump about."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def in_order(
    items: Sequence[T], one: Callable[[T], Awaitable[R]], *, at_once: int, tell: Callable[[R], None] = lambda _: None
) -> list[R]:
    """Do `one` with every item, `at_once` of them at a time; return all results, each told when those before it were.

    Whoever cancels this is heard, whatever `one` makes of it; nothing goes on afterwards.
    """
    gate = asyncio.Semaphore(at_once)

    async def gated(item: T) -> R:
        async with gate:
            return await one(item)

    tasks = [asyncio.create_task(gated(item)) for item in items]
    results: list[R] = []
    try:
        for task in tasks:
            # Not `await task`: an interrupt would be the task's to answer, and one that is just ending would lose it.
            await asyncio.wait([task])
            results.append(task.result())
            tell(results[-1])
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return results
