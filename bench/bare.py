"""Loops that write what an engine would write, and are no engines: what the store can do when nothing else costs.

`floor`: one connection, one transaction for 50 completions and the claim of the next 50, by array statements. `lean`:
one transaction per completion. `chatty`: the same with the look-ups of an engine that asks the database about
everything, 16 statements in all. Lean and chatty workers claim 50 at once too, each on a connection of its own.

Nothing is validated, decided or encoded: the rows come ready made from `bench.completions`. Run as
`python -m bench.bare`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import uvloop

from bench.bare_stores import BareStore, Key, connected
from bench.completions import Completion, Herd
from bench.flow import DEFINITION
from bench.window import Tally, await_span
from bench.workers import Goal

LookUps = Mapping[str, Callable[[Key], tuple[Any, ...]]]
ReadyMade = Mapping[Key, Completion]

LOOK_UPS: LookUps = {
    "agreed_keys": lambda _: (),
    "load_instance": lambda key: ([key[0]],),
    "load_lease": lambda key: ([key[0]], [key[1]], [1]),
    "definition_version": lambda _: (DEFINITION, 1),
    "read_instance": lambda key: (key[0],),
    "history": lambda key: (key[0], 0),
    "load_key": lambda key: ([DEFINITION], [key[0]]),
    "chain_attempts": lambda key: (key[0],),
    "dossier_timers": lambda key: ([key[0]],),
    "dossier_tasks": lambda key: ([key[0]],),
}
"""What a chatty engine asks before it writes, and with which parameters: ten. BEGIN, four writes and COMMIT are six."""


async def floor(store: BareStore, ready_made: ReadyMade, goal: Goal) -> None:
    """Complete what was claimed and claim what comes next, in one transaction, until the goal is reached."""
    claimed: list[Completion] = []
    while not goal.done.is_set():
        began_s = time.monotonic()
        await store.begin()
        if claimed:
            await store.write(claimed)
        following = [ready_made[key] for key in await store.claim()]
        await store.commit()
        goal.finished(len(claimed), began_s)
        if not following:
            goal.starved()
        claimed = following
        await asyncio.sleep(0)  # SQLite waits without yielding, and somebody has to see that time is up
    if claimed:
        await store.begin()
        await store.write(claimed)
        await store.commit()


async def lean(store: BareStore, ready_made: ReadyMade, goal: Goal) -> None:
    """Claim 50, then complete each in a transaction of its own."""
    await _one_by_one(store, ready_made, goal, {})


async def chatty(store: BareStore, ready_made: ReadyMade, goal: Goal) -> None:
    """Claim 50, then ask about and complete each, in a transaction of its own."""
    await _one_by_one(store, ready_made, goal, LOOK_UPS)


async def _one_by_one(store: BareStore, ready_made: ReadyMade, goal: Goal, look_ups: LookUps) -> None:
    while not goal.done.is_set():
        keys = await store.claim()
        if not keys:
            goal.starved()
        for key in keys:
            began_s = time.monotonic()
            await store.begin()
            for name, parameters in look_ups.items():
                await store.ask(name, *parameters(key))
            await store.write([ready_made[key]])
            await store.commit()
            goal.finished(1, began_s)


LOOPS: dict[str, Callable[[BareStore, ReadyMade, Goal], Awaitable[None]]] = {
    "floor": floor,
    "lean": lean,
    "chatty": chatty,
}


async def main(loop: str, where: str, connections: int, herd: Herd) -> dict[str, Any]:
    """Run a loop on so many connections; return the figures, and the seconds waited for each kind of statement."""
    ready_made = herd.completions()
    gc.freeze()  # half a million tuples that stay; walking over them is no part of what is measured
    stores = [await connected(where, loop) for _ in range(connections)]
    tally = Tally(await_span(), [store.watch for store in stores])
    await asyncio.gather(*(LOOPS[loop](store, ready_made, tally) for store in stores))
    waited_s: defaultdict[str, float] = defaultdict(float)
    for store in stores:
        for what, seconds in store.watch.waited_s.items():
            waited_s[what] += seconds
        await store.close()
    return {**tally.figures(), "waited_s": waited_s}


if __name__ == "__main__":
    given_loop, given_where, *numbers = sys.argv[1:]
    width, herd_count, herd_first_ms = map(int, numbers)
    print(json.dumps(uvloop.run(main(given_loop, given_where, width, Herd(herd_count, herd_first_ms)))))
