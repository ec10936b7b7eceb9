"""Loops that write what an engine would write, and are no engines: what the store can do when nothing else costs.

`floor`: one connection, one transaction for 50 completions and the claim of the next 50, by array statements. `lean`:
one transaction per completion. `chatty`: the same with the look-ups that an engine makes which asks the database about
everything, 16 statements in all. Lean and chatty workers claim 50 at once too, each on a connection of its own.

The statements are the store's own, except that the floor claims by one statement instead of two. Nothing is validated,
decided or encoded: the rows come ready made from `bench.completions`. Run as `python -m bench.bare`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import uvloop
from rochallor.stores.postgres.claims import SQL
from rochallor.stores.postgres.connect import WRITER, connect
from rochallor.stores.postgres.dsn import parse_dsn

from bench.completions import Completion, Herd
from bench.flow import CLAIM, DEFINITION, JOB_TYPE
from bench.window import Tally, await_span

WORKER = "bench"
_LEASE_MS = 30_000

CLAIM_IN_ONE = f"""
UPDATE job SET worker_id = $2, lease_token = $3, locked_at_ms = $4, lease_expires_at_ms = $5, ready = false
FROM instance
WHERE job.ctid = ANY(ARRAY(
    SELECT ctid FROM job WHERE ready AND job_type = $1 AND seq > $6
    ORDER BY seq LIMIT {CLAIM} FOR UPDATE SKIP LOCKED)) AND instance.id = job.instance_id
RETURNING job.seq, job.instance_id, job.step_seq, instance.variables
"""

LOOK_UPS: dict[str, Callable[[Completion], tuple[Any, ...]]] = {
    "agreed_keys": lambda _: (),
    "load_instance": lambda done: ([done.delete_job[0]],),
    "load_lease": lambda done: ([done.delete_job[0]], [done.delete_job[1]], [1]),
    "definition_version": lambda _: (DEFINITION, 1),
    "read_instance": lambda done: (done.delete_job[0],),
    "history": lambda done: (done.delete_job[0], 0),
    "load_key": lambda done: ([DEFINITION], [done.delete_job[0]]),
    "chain_attempts": lambda done: (done.delete_job[0],),
    "dossier_timers": lambda done: ([done.delete_job[0]],),
    "dossier_tasks": lambda done: ([done.delete_job[0]],),
}
"""What a chatty engine asks before it writes, and with which parameters: ten; BEGIN, four writes and COMMIT are six."""


class Bare:
    """A connection with the settings of an engine's writer, and how long was waited for each statement."""

    def __init__(self, connection: Any, ready_made: Mapping[tuple[str, int], Completion], tally: Tally) -> None:
        self.tally = tally
        self.waited_s: Counter[str] = Counter()
        self._connection = connection
        self._ready_made = ready_made
        self._after = 0

    async def run(self, name: str, statement: str, *parameters: Any) -> list[Any]:
        """Run one statement."""
        began_s = time.perf_counter()
        rows: list[Any] = await self._connection.fetch(statement, *parameters)
        self.waited_s[name] += time.perf_counter() - began_s
        return rows

    async def claim(self) -> list[Completion]:
        """Lock the oldest 50; return what completing them writes."""
        now_ms = time.time_ns() // 1_000_000
        lease = (JOB_TYPE, WORKER, "", now_ms, now_ms + _LEASE_MS, self._after)
        rows = await self.run("claim", CLAIM_IN_ONE, *lease)
        if not rows:
            self.tally.starved()
            return []
        self._after = max(row[0] for row in rows)
        return [self._ready_made[row[1], row[2]] for row in rows]

    async def write(self, done: Sequence[Completion]) -> None:
        """Complete, one array statement per table."""
        for name, rows in zip(Completion._fields, zip(*done, strict=True), strict=True):
            some = [row for row in rows if row is not None] if name == "insert_job" else rows
            if some:
                await self.run(name, SQL[name], *zip(*some, strict=True))


async def floor(bare: Bare) -> None:
    """Complete what was claimed and claim what comes next, in one transaction, until the span is over."""
    claimed: list[Completion] = []
    while not bare.tally.done.is_set():
        began_s = time.monotonic()
        await bare.run("begin", "BEGIN")
        if claimed:
            await bare.write(claimed)
        following = await bare.claim()
        await bare.run("commit", "COMMIT")
        bare.tally.finished(len(claimed), began_s)
        claimed = following
    if claimed:
        await bare.write(claimed)


async def lean(bare: Bare) -> None:
    """Claim 50, then complete each in a transaction of its own."""
    await _one_by_one(bare, {})


async def chatty(bare: Bare) -> None:
    """Claim 50, then ask about and complete each, in a transaction of its own."""
    await _one_by_one(bare, LOOK_UPS)


async def _one_by_one(bare: Bare, look_ups: Mapping[str, Callable[[Completion], tuple[Any, ...]]]) -> None:
    while not bare.tally.done.is_set():
        for done in await bare.claim():
            began_s = time.monotonic()
            await bare.run("begin", "BEGIN")
            for name, parameters in look_ups.items():
                await bare.run(name, SQL[name], *parameters(done))
            await bare.write([done])
            await bare.run("commit", "COMMIT")
            bare.tally.finished(1, began_s)


LOOPS: dict[str, Callable[[Bare], Awaitable[None]]] = {"floor": floor, "lean": lean, "chatty": chatty}


async def main(loop: str, dsn: str, connections: int, herd: Herd) -> dict[str, Any]:
    """Run a loop on so many connections; return the figures, and the seconds waited for each kind of statement."""
    ready_made = herd.completions()
    gc.freeze()  # half a million tuples that stay; walking over them is no part of what is measured
    opened = [await connect(parse_dsn(dsn), WRITER, loop) for _ in range(connections)]
    tally = Tally(await_span())
    bares = [Bare(connection, ready_made, tally) for connection in opened]
    await asyncio.gather(*map(LOOPS[loop], bares))
    for connection in opened:
        await connection.close()
    waited_s: Counter[str] = Counter()
    for bare in bares:
        waited_s.update(bare.waited_s)
    return {**tally.figures(), "waited_s": waited_s}


if __name__ == "__main__":
    given_loop, given_dsn, *numbers = sys.argv[1:]
    width, herd_count, herd_first_ms = map(int, numbers)
    print(json.dumps(uvloop.run(main(given_loop, given_dsn, width, Herd(herd_count, herd_first_ms)))))
