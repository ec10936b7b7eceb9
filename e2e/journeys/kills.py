"""Kills one thing in the middle of a journey and brings it back. When it happens follows from a seed."""

from __future__ import annotations

import asyncio
from random import Random
from typing import NamedTuple

from e2e.faults.places import PostgresPlace
from e2e.journeys.bank import Bank
from e2e.journeys.journey import Journey
from e2e.journeys.site import Site

ENGINE, WORKER, DATABASE = "engine", "worker", "database"


class Kill(NamedTuple):
    """One death: while the `call`-th handler is at work or, when that is 0, after the answer to act `act`.

    `held`: the handler goes on only when the victim is back; otherwise it reports while the victim is away.
    """

    victim: str
    call: int = 0
    act: int = 0
    held: bool = True

    def __str__(self) -> str:
        """Say it in words."""
        if not self.call:
            when = f"after the answer to act {self.act}" if self.act else "after the answer to the start"
        else:
            when = f"during handler call {self.call}" + ("" if self.held else ", which reports while it is away")
        return f"{self.victim} killed {when}"


def plan(journey: Journey, victim: str, random: Random) -> Kill:
    """Choose a moment: any call of a handler, and for whatever answers requests any answer too."""
    answers = 0 if victim == WORKER else 1 + len(journey.acts)
    pick = random.randrange(journey.calls + answers)
    held = victim == WORKER or random.random() < 0.5  # noqa: PLR2004 - a fair coin
    if pick < journey.calls:
        return Kill(victim, call=pick + 1, held=held)
    return Kill(victim, act=pick - journey.calls)


def victims_of(site: Site) -> tuple[str, ...]:
    """Return what is killed on a site, in turn. Of two engines it is the worker's, and the other has to carry on."""
    if len(site.engines) > 1:
        return (ENGINE,)
    return (ENGINE, WORKER, DATABASE) if isinstance(site.place, PostgresPlace) else (ENGINE, WORKER)


class Killer:
    """Carries out one kill on a site. `after_act` is for the player; `finish` tells what went wrong with the kill."""

    def __init__(self, kill: Kill, site: Site, bank: Bank, key: str) -> None:
        self._kill = kill
        self._site = site
        self._revival: asyncio.Task[None] | None = None
        if kill.call:
            bank.at_call(key, kill.call, self._strike)

    async def after_act(self, number: int) -> None:
        """Be told that an act was answered."""
        if not self._kill.call and number == self._kill.act:
            await self._strike()

    async def finish(self) -> list[str]:
        """Return when everything is up again; the sentence, if any, says that nobody was killed."""
        if self._revival is None:
            return [f"the moment never came for: {self._kill}"]
        await self._revival
        return []

    async def _strike(self) -> None:
        await self._down()
        self._revival = asyncio.create_task(self._up())
        if self._kill.held:
            await asyncio.shield(self._revival)

    async def _down(self) -> None:
        match self._kill.victim:
            case "engine":
                await self._site.engines[0].kill()
            case "worker":
                await self._site.worker.kill()
            case _:
                await self._server().kill_server()

    async def _up(self) -> None:
        match self._kill.victim:
            case "engine":
                await self._site.engines[0].start()
            case "worker":
                await self._site.worker.start()
            case _:
                await self._server().start_server()
                await self._site.ready()

    def _server(self) -> PostgresPlace:
        assert isinstance(self._site.place, PostgresPlace), "only this one has a server to kill"
        return self._site.place
