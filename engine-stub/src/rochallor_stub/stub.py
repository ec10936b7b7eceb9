"""One stub: clock, engine, journal, faults and two ports on the running event loop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from rochallor.access import Guard
from rochallor.core.model import InstanceStatus
from rochallor.ports import InstanceFilter
from rochallor.shell.engine import Engine
from rochallor.shell.settings import Settings
from rochallor.shell.views import moment

from rochallor_stub.activity import Activity
from rochallor_stub.clock import START_MS, VirtualClock, milliseconds
from rochallor_stub.control import Control
from rochallor_stub.doors import GrpcDoor, HttpDoor
from rochallor_stub.errors import StubError
from rochallor_stub.faults import Faults
from rochallor_stub.front import Front
from rochallor_stub.grpc_front import GrpcFront
from rochallor_stub.journal import Journal
from rochallor_stub.people import People
from rochallor_stub.rest import RestFront
from rochallor_stub.timekeeper import QUIET_S, Timekeeper
from rochallor_stub.waits import VirtualWaits
from rochallor_stub.world import Mutation, Recipe, World

_MS = 1_000
_ALL = 1 << 31


class AsyncEngineStub:
    """An engine whose time and troubles are scripted; use it with `async with`, or `start` and `stop` it.

    Args:
        seed: where chance comes from; the same seed and the same requests give the same ids.
        start: the first moment, an aware datetime; None is 2026-01-01T00:00:00Z.
        auto: let the clock move by itself when nothing else can happen.
        settings: the engine's limits and defaults.
        mutate: what makes the engine wrong, see `Parts`.
        guard: admits callers by their tokens; None lets everybody in.
        host, rest_port, grpc_port: where to listen; 0 picks a free port.
        quiet_s: real seconds of silence before the clock moves by itself.

    """

    def __init__(
        self,
        *,
        seed: int = 0,
        start: datetime | None = None,
        auto: bool = False,
        settings: Settings | None = None,
        mutate: Sequence[Mutation] = (),
        guard: Guard | None = None,
        host: str = "127.0.0.1",
        rest_port: int = 0,
        grpc_port: int = 0,
        quiet_s: float = QUIET_S,
    ) -> None:
        self.journal = Journal()
        self.url = ""
        self.grpc_target = ""
        self._seed = seed
        self._start_ms = START_MS if start is None else round(start.timestamp() * _MS)
        self._recipe = Recipe(settings or Settings(), tuple(mutate), guard)
        self._place = (host, rest_port, grpc_port)
        self._quiet_s = quiet_s
        self._auto_wanted = auto
        self._auto: asyncio.Task[None] | None = None
        self._doors: list[HttpDoor | GrpcDoor] = []
        self._activity = Activity()
        self._clock = VirtualClock(self._start_ms)
        self._waits = VirtualWaits(self._clock, self._activity)
        self.people = People(self._activity)
        world = World(self._recipe, seed, self._clock, waits=self._waits, people=self.people)
        self._timekeeper = Timekeeper(self._clock, self._waits, self._activity, world.engine)
        self._front = Front(
            world, clock=self._clock, activity=self._activity, timekeeper=self._timekeeper, journal=self.journal
        )
        self.faults: Faults = self._front.faults

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def engine(self) -> Engine:
        """The engine itself, for a look or a command past the transports; a reset replaces it."""
        return self._front.world.engine

    @property
    def now(self) -> datetime:
        """The virtual time."""
        return datetime.fromtimestamp(self._clock.at_ms / _MS, UTC)

    async def start(self) -> None:
        """Start the engine and listen; raises `OSError` when a port is taken."""
        host, rest_port, grpc_port = self._place
        await self.engine.start()
        try:
            http = HttpDoor(RestFront(self._front, Control(self)))
            self._doors.append(http)
            self.url = f"http://{host}:{await http.open(host, rest_port)}"
            grpc = GrpcDoor(_Probed(self._front), GrpcFront(self._front))  # type: ignore[arg-type]  # health asks no more
            self._doors.append(grpc)
            self.grpc_target = f"{host}:{await grpc.open(host, grpc_port)}"
        except BaseException:
            await self.stop()
            raise
        self.set_auto(on=self._auto_wanted)

    async def stop(self) -> None:
        """Answer who waits, close the ports, stop the engine."""
        self.set_auto(on=False)
        self.engine.drain()
        self._timekeeper.wake_all()
        doors, self._doors = self._doors, []
        await asyncio.gather(*(door.close() for door in doors))
        await self.engine.stop()

    async def advance(self, seconds: float) -> None:
        """Let virtual time pass; when this returns, all that fell due has happened, each thing at its own moment."""
        if seconds < 0:
            raise StubError("time does not pass backwards; jump(seconds) sets the clock back")
        await self._timekeeper.advance(milliseconds(seconds))

    async def jump(self, seconds: float) -> None:
        """Set the clock forward or back in one go, as when an administrator corrects it."""
        await self._timekeeper.jump(milliseconds(seconds))

    async def expire_lease(self, job_id: str) -> bool:
        """Let a job's lease run out now: it goes back to the queue. False when nobody holds it."""
        return await self._front.world.expire(job_id)

    async def reset(self, seed: int | None = None) -> None:
        """Begin again: an empty engine at the first moment, no faults, an empty journal. The ports stay.

        Whoever waits is answered. `seed`: another one than before.
        """
        self._seed = self._seed if seed is None else seed
        auto = self._auto is not None
        self.set_auto(on=False)
        self._timekeeper.wake_all()
        await self.engine.stop()
        await self._activity.quiet()
        self.faults.clear()
        self.people.clear()
        self.journal.clear()
        self._activity.expected.clear()
        self._clock.leap_to(self._start_ms)
        world = World(self._recipe, self._seed, self._clock, waits=self._waits, people=self.people)
        await world.engine.start()
        self._front.world, self._timekeeper.engine = world, world.engine
        self.set_auto(on=auto)

    async def finish(self, timeout_s: float) -> bool:
        """Return once no instance is in flight, or nothing more can happen by itself; meant for `auto`.

        False when that took longer than `timeout_s` real seconds.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while await self._in_flight() and not await self._timekeeper.idle_for_good(self._quiet_s):
                    await self._activity.change()
                await self.engine.sweeper.settled()
        except TimeoutError:
            return False
        return True

    async def _in_flight(self) -> bool:
        await self.engine.sweeper.settled()
        wheres = (InstanceFilter(status=status.value) for status in InstanceStatus if not status.terminal)
        totals = [(await self.engine.store.reads.instances(where, 1, 0))[1] for where in wheres]
        return any(totals)

    def set_auto(self, *, on: bool) -> None:
        """Let the clock move by itself when nothing else can happen, or stop that."""
        if self._auto is not None:
            self._auto.cancel()
            self._auto = None
        if on:
            self._auto = asyncio.create_task(self._timekeeper.run(self._quiet_s))

    def expect(self, *job_types: str) -> None:
        """Say that a worker is about to ask for these types: the clock does not move by itself past their jobs."""
        self._activity.expected.update(job_types)

    def hold(self) -> AbstractContextManager[None]:
        """Keep the clock from moving by itself inside a `with` block."""
        return self._timekeeper.hold()

    def impatient(self) -> AbstractContextManager[None]:
        """Answer long polls and awaits at once inside a `with` block, those that wait already too."""
        return self._waits.impatient()

    def told_time(self) -> dict[str, Any]:
        """Return the time as control calls say it."""
        return {"now": moment(self._clock.at_ms), "nowMs": self._clock.at_ms, "auto": self._auto is not None}

    async def state(self) -> dict[str, Any]:
        """Return what there is, in numbers."""
        reads = self.engine.store.reads
        instances, _total = await reads.instances(InstanceFilter(), _ALL, 0)
        return {
            **self.told_time(),
            "nextDueMs": await self._timekeeper.next_due_ms(),
            "instances": dict(Counter(instance.status.value for instance in instances)),
            "readyJobs": {entry.job_type: entry.waiting for entry in await reads.backlog(self._clock.at_ms)},
            "exchanges": len(self.journal),
            "faults": len(self.faults),
            "waiting": self._activity.waiting,
        }


class _Probed:
    """Answers for the engine of the moment when its health is asked."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def __getattr__(self, name: str) -> Any:
        return getattr(self._front.world.engine, name)
