"""The store exam's tools: the stores that sit it, and a world that drives the real machine over one of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from rochallor.core import commands as cmd
from rochallor.core.context import Context
from rochallor.core.definition import Definition, parse_definition
from rochallor.core.events import Committed
from rochallor.core.ids import JobRef, ulid
from rochallor.core.machine import step
from rochallor.core.model import Instance
from rochallor.core.variables import parse_variables
from rochallor.ports import Change, ClaimedJob, ClaimRequest, Store, StoredDefinition, Wanted
from rochallor.stores.memory import MemoryStore
from rochallor.stores.postgres import PostgresStore
from rochallor.stores.sqlite import SqliteStore

MIB = 1024 * 1024
FOREVER_S = 1e9
START_MS = 1_700_000_000_000
END = {"id": "end", "name": "end", "type": "END"}


def _task(step_id: str, next_step: str, **more: Any) -> dict[str, Any]:
    return {"id": step_id, "name": step_id, "type": "SERVICE_TASK", "nextStep": next_step, **more}


_TIMER = {"type": "TIMER", "duration": "PT10S", "interrupting": True, "targetStepId": "end"}
_SHAPES: dict[str, dict[str, Any]] = {
    "straight": {"steps": [_task("a", "b", retryCount=2), _task("b", "end"), END]},
    "timed": {"steps": [_task("a", "end", boundaryEvents=[_TIMER]), END]},
    "approval": {
        "steps": [{"id": "ok", "name": "ok", "type": "USER_TASK", "nextStep": "end", "boundaryEvents": [_TIMER]}, END]
    },
    "wide": {
        "steps": [
            {
                "id": "fork",
                "name": "fork",
                "type": "PARALLEL_GATEWAY",
                "parallelNextSteps": ["a", "b", "ok"],
                "joinStep": "join",
            },
            _task("a", "join", retryCount=1),
            _task("b", "join", retryCount=1),
            {"id": "ok", "name": "ok", "type": "USER_TASK", "nextStep": "join"},
            {"id": "join", "name": "join", "type": "JOIN_GATEWAY", "nextStep": "end"},
            END,
        ]
    },
    "chained": {
        "steps": [_task("a", "end"), END],
        "autoStartNextWorkflow": True,
        "nextWorkflowId": "straight",
    },
}


def _compiled(name: str) -> Definition:
    parsed = parse_definition(json.dumps({"id": name, "name": name, **_SHAPES[name]}).encode())
    assert parsed.definition is not None, parsed.problems
    return replace(parsed.definition, version=1)


class World:
    """A store with a machine in front of it and a clock that only moves when told to."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now_ms = START_MS
        self.definitions = {name: _compiled(name) for name in _SHAPES}
        self._ids = count(1)

    def new_id(self) -> str:
        """Return an instance id; later ones sort behind earlier ones."""
        return ulid(self.now_ms, next(self._ids))

    def change(self, instance: Instance | None, command: cmd.Command, name: str = "", **context: Any) -> Change:
        """Return what a command makes of an instance, without a store."""
        definition = self.definitions[name or (instance.definition_id if instance else "straight")]
        outcome = step(definition, instance, command, Context(self.now_ms, **context))
        after = outcome.instance
        record = Committed(after.id, after.revision, self.now_ms, command.actor, command.kind, outcome.events)
        return Change(record, after)

    def started(self, name: str = "straight", variables: bytes = b"{}", **more: Any) -> Change:
        """Return a new instance's first change."""
        command = cmd.StartInstance(instance_id=self.new_id(), variables=parse_variables(variables), **more)
        return self.change(None, command, name)

    async def save(self, *changes: Change) -> None:
        """Commit changes in one transaction."""
        async with self.store.transaction() as tx:
            await tx.save(changes, last=True)

    async def start(self, name: str = "straight", variables: bytes = b"{}", **more: Any) -> Instance:
        """Start an instance and commit it."""
        change = self.started(name, variables, **more)
        await self.save(change)
        return change.after

    async def do(self, command: cmd.Command) -> Instance:
        """Load, decide, save: one command as the engine does it."""
        jobs = frozenset({command.job} if hasattr(command, "job") else ())
        async with self.store.transaction() as tx:
            loaded = await tx.load(Wanted(instances=frozenset({command.instance_id}), jobs=jobs))
            lease = next(iter(loaded.leases.values()), None)
            before = loaded.instances[command.instance_id]
            change = self.change(before, command, lease=lease)
            if change.committed.events:
                await tx.save([change], last=True)
        return change.after

    async def claim(
        self, *job_types: str, max_jobs: int = 10, lease_ms: int = 30_000, max_bytes: int = MIB, worker: str = "w"
    ) -> list[ClaimedJob]:
        """Claim as one worker."""
        request = ClaimRequest(worker, job_types or ("a", "b"), max_jobs, lease_ms, f"token-of-{worker}", max_bytes)
        [jobs] = await self.store.claim([request], self.now_ms)
        return jobs

    async def give_back(self, *jobs: ClaimedJob) -> Counter[str]:
        """Let others have claimed jobs."""
        async with self.store.transaction() as tx:
            await tx.load(Wanted(instances=frozenset(job.job.instance_id for job in jobs)))
            return await tx.give_back(jobs)

    async def complete(self, job: JobRef, variables: bytes = b"{}", worker: str = "w") -> Instance:
        """Report a claimed job as done."""
        command = cmd.CompleteJob(
            instance_id=job.instance_id, job=job, worker_id=worker, variables=parse_variables(variables)
        )
        return await self.do(command)

    async def fail(self, job: JobRef, retry_after_ms: int | None = None) -> Instance:
        """Report a claimed job as failed, worth another try."""
        command = cmd.FailJob(
            instance_id=job.instance_id,
            job=job,
            worker_id="w",
            retryable=True,
            message="no luck",
            retry_after_ms=retry_after_ms,
        )
        return await self.do(command)

    async def cancel(self, instance: Instance) -> Instance:
        """Stop an instance."""
        return await self.do(cmd.CancelInstance(instance_id=instance.id))

    async def upload(self, definition_id: str, version: int = 1, name: str = "", source: bytes = b"{}") -> None:
        """Store a version of a definition."""
        async with self.store.transaction() as tx:
            await tx.insert_definition(StoredDefinition(definition_id, version, name, "", source, self.now_ms))


Build = Callable[..., Store]

STORES: dict[str, Build] = {
    "memory": lambda _folder, unique=True: MemoryStore(unique_keys=unique),
    "sqlite": lambda folder, unique=True: SqliteStore(str(folder / "exam.db"), unique_keys=unique),
    "sqlite-ephemeral": lambda _folder, unique=True: SqliteStore(":memory:", unique_keys=unique),
}
"""Who sits the exam: a name, and how to build one in a fresh folder."""


@pytest.fixture(params=[*STORES, "postgres"])
def build(request: pytest.FixtureRequest) -> Build:
    """Give a way to build the store under examination."""
    if request.param == "postgres":
        dsn = request.getfixturevalue("postgres_database")
        return lambda _folder, unique=True: PostgresStore(dsn, unique_keys=unique, max_conns=5)
    return STORES[request.param]


@pytest.fixture
async def store(build: Build, tmp_path: Path) -> AsyncIterator[Store]:
    """Give an open, empty store."""
    store = build(tmp_path)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def world(store: Store) -> World:
    """Give a machine over the store under examination."""
    return World(store)


@pytest.fixture
def world_over() -> Callable[[Store], World]:
    """Give a way to put a machine over any store."""
    return World


@pytest.fixture
async def worlds(postgres_database: str) -> AsyncIterator[list[World]]:
    """Give the same world over each store: memory, SQLite, PostgreSQL."""
    stores: list[Store] = [MemoryStore(), SqliteStore(":memory:"), PostgresStore(postgres_database, max_conns=5)]
    for store in stores:
        await store.open()
    yield [World(store) for store in stores]
    for store in stores:
        await store.close()


@pytest.fixture
async def postgres_worlds(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[[int], Awaitable[World]]]:
    """Builds worlds over stores with so many connections, which never get stale."""
    monkeypatch.setattr("rochallor.stores.postgres.turn.FRESH_S", FOREVER_S)
    async with AsyncExitStack() as stack:

        async def build(max_conns: int) -> World:
            store = PostgresStore(postgres_database, max_conns=max_conns)
            await store.open()
            stack.push_async_callback(store.close)
            return World(store)

        yield build
