"""Killing engines: at each hop of a request, and at random times. The schedule follows from a seed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from e2e.faults.world import World

HOPS = (
    *(("decided", kind) for kind in ("StartInstance", "CompleteJob", "FailJob", "FireTimer", "LinkChild")),
    *(("saved", kind) for kind in ("StartInstance", "CompleteJob", "FailJob", "FireTimer", "LinkChild")),
    *(("committed", kind) for kind in ("StartInstance", "CompleteJob", "FailJob", "FireTimer", "LinkChild", "Claim")),
    *((point, "CompleteUserTask") for point in ("decided", "saved", "committed")),
    *((point, "ExpireLease") for point in ("saved", "committed")),
    *(("answered", kind) for kind in ("StartInstance", "CompleteJob", "FailJob", "Claim", "CompleteUserTask")),
)
"""Where an engine dies: before anything is written, before COMMIT (if there is one), before the answer, after it."""

OFTEN = frozenset({"StartInstance", "CompleteJob", "Claim"})
RANDOM = "at random"
PATIENCE_S = 3.0


class Kill(NamedTuple):
    """One death: `point` and `kind` of the `nth` hop, or after `after_s` at random."""

    point: str
    kind: str = ""
    nth: int = 1
    after_s: float = 0.0

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"engine killed {self.point}" if self.point == RANDOM else f"engine killed, {self.point} {self.kind}"

    @property
    def trap(self) -> str:
        """What the engine is to be told; empty when it is not the one who does it."""
        return f"{self.point}:{self.kind}:{self.nth}" if self.point not in {RANDOM, "answered"} else ""


def schedule(random: Random, count: int) -> list[Kill]:
    """Return `count` kills: all hops in turn, in a random order, and about as many at random times."""
    hops: list[tuple[str, str]] = []
    kills: list[Kill] = []
    while len(kills) < count:
        if random.random() < 0.4:  # noqa: PLR2004 - two of five
            kills.append(Kill(RANDOM, after_s=random.uniform(0.01, 0.6)))
            continue
        if not hops:
            hops = random.sample(HOPS, len(HOPS))
        point, kind = hops.pop()
        kills.append(Kill(point, kind, random.randint(1, 8 if kind in OFTEN else 2)))
    return kills


async def play(world: World, kills: Sequence[Kill]) -> None:
    """Kill the engines in turn, each time as the schedule says, and look at the store after each."""
    engines = len(world.engines)
    for number, kill in enumerate(kills):
        # Every engine is restarted with the trap of its own next death.
        if number < engines and kill.trap:
            await world.engines[number].kill()
            await world.restart(number, kill.trap)
    for number, kill in enumerate(kills):
        victim = number % engines
        died = await _die(world, victim, kill)
        world.tally.faults[kill.name if died else "engine killed at random"] += 1
        world.tally.kills += 1
        following = number + engines
        await world.restart(victim, kills[following].trap if following < len(kills) else "")


async def _die(world: World, victim: int, kill: Kill) -> bool:
    """Let an engine die as planned; False when the moment did not come and it was killed anyhow."""
    engine = world.engines[victim]
    died = True
    if kill.point == RANDOM:
        await asyncio.sleep(kill.after_s)
    elif kill.trap:
        died = await engine.died(PATIENCE_S)
    else:
        died = await _answered(world, kill)
    await engine.kill()
    return died


async def _answered(world: World, kill: Kill) -> bool:
    """Wait until the answer of this kind has been read so many times; the caller kills at that very moment."""
    left, done = kill.nth, asyncio.Event()

    def heard(kind: str) -> None:
        nonlocal left
        left -= kind == kill.kind
        if left <= 0:
            done.set()

    world.load.on_answer = heard
    try:
        await asyncio.wait_for(done.wait(), PATIENCE_S)
    except asyncio.TimeoutError:
        return False
    finally:
        world.load.on_answer = lambda _kind: None
    return True
