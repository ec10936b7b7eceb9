"""One engine of a stub and everything it is made of; a reset throws it away and makes the next one.

This is also where an engine can be made wrong on purpose. A mutation is a callable that is given the parts before they
are put together: it may put another store in, change the finished engine (its `executor.step` is the whole machine), or
wrap what answers on either transport.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from rochallor.access import Guard
from rochallor.core import commands as cmd
from rochallor.core.ids import JobRef, parse_job_id
from rochallor.core.model import Lease
from rochallor.ports import Store
from rochallor.shell.desk import Desk
from rochallor.shell.engine import Engine
from rochallor.shell.settings import Settings
from rochallor.shell.sweeper import Sweeper
from rochallor.shell.work import Wishes
from rochallor.stores.memory import MemoryStore
from rochallor.transports.grpc.servicer import handlers
from rochallor.transports.rest import create_app
from starlette.types import ASGIApp

from rochallor_stub.clock import SeededChance, VirtualClock
from rochallor_stub.patient import PatientSweeper
from rochallor_stub.people import People
from rochallor_stub.waits import VirtualWaits

Rpc: TypeAlias = Callable[[bytes], Awaitable[bytes]]
RpcWrapper: TypeAlias = Callable[[str, Rpc], Rpc]
"""Given an rpc's name and what answers it, returns what answers it instead."""


@dataclass
class Parts:
    """What an engine is about to be made of. A mutation replaces `store` and `settings` and appends to the lists."""

    store: Store
    settings: Settings
    on_engine: list[Callable[[Engine], None]] = field(default_factory=list)
    rest: list[Callable[[ASGIApp], ASGIApp]] = field(default_factory=list)
    rpcs: list[RpcWrapper] = field(default_factory=list)


Mutation: TypeAlias = Callable[[Parts], None]


@dataclass(frozen=True)
class Recipe:
    """How a stub's engines are made."""

    settings: Settings
    mutations: Sequence[Mutation] = ()
    guard: Guard | None = None


class World:
    """One engine, not yet started, and what answers for it on each transport; `people` look at what it does."""

    def __init__(self, recipe: Recipe, seed: int, clock: VirtualClock, *, waits: VirtualWaits, people: People) -> None:
        parts = Parts(store=MemoryStore(), settings=recipe.settings)
        for mutate in recipe.mutations:
            mutate(parts)
        sweeper: type[Sweeper] = PatientSweeper
        chance = SeededChance(seed, clock)
        self.engine = Engine(
            parts.store, clock=clock, entropy=chance, settings=parts.settings, waits=waits, sweeper=sweeper
        )
        people.attend(self.engine)
        for change in parts.on_engine:
            change(self.engine)
        self.rest: ASGIApp = create_app(self.engine, guard=recipe.guard)
        for wrap in parts.rest:
            self.rest = wrap(self.rest)
        self._rpcs = handlers(self.engine, None, recipe.guard)
        self._wrappers = parts.rpcs

    def rpc(self, call_details: Any) -> Any:
        """Return grpc's handler of a call, None for a method that is not served."""
        return self._rpcs.service(call_details)

    def wrapped(self, name: str, rpc: Rpc) -> Rpc:
        """Return what answers an rpc, after the mutations."""
        for wrap in self._wrappers:
            rpc = wrap(name, rpc)
        return rpc

    async def expire(self, job_id: str) -> bool:
        """Let the lease of a job run out now; False when nobody holds the job."""
        job = parse_job_id(job_id)
        return job is not None and await self.engine.executor.submit(_Expire(job))

    async def job_type(self, job_id: str) -> str | None:
        """Return the type of a job whose step is open."""
        job = parse_job_id(job_id)
        instance = await self.engine.store.reads.instance(job.instance_id) if job else None
        step = instance.open.get(job.seq) if instance and job else None
        return step.job.job_type if step and step.job else None


class _Expire:
    """A lease that ends before its time."""

    def __init__(self, job: JobRef) -> None:
        self._job = job

    def wish(self, wishes: Wishes) -> None:
        wishes.instances.add(self._job.instance_id)
        wishes.jobs.add(self._job)

    async def perform(self, desk: Desk) -> bool:
        lease = desk.loaded.leases.get(self._job)
        if lease is None:
            return False
        desk.loaded.leases[self._job] = Lease(lease.worker_id, lease.token, desk.now_ms)
        command = cmd.ExpireLease(instance_id=self._job.instance_id, job=self._job, actor=cmd.SYSTEM)
        return bool((await desk.do(command)).events)
