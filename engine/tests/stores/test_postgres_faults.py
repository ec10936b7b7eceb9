"""Connections that die: what was not committed is gone, what was is kept, callers are told, and the store heals."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from rochallor.core.errors import Unavailable
from rochallor.ports import StoreConflict, Wanted
from rochallor.stores.postgres import PostgresStore


class Wire:
    """A TCP port in front of the server that can be cut: now, for good, or right after the next COMMIT."""

    def __init__(self, dsn):
        self.dsn, self.port, self.cut_at_commit = dsn, 0, False
        self.server, self.ends = None, set()

    async def start(self):
        self.server = await asyncio.start_server(self.carry, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self):
        self.server.close()
        self.cut()
        await self.server.wait_closed()

    def cut(self):
        for end in self.ends:
            end.close()

    @property
    def address(self):
        parts = urlsplit(self.dsn)
        login = parts.netloc.rpartition("@")[0]
        return f"postgresql://{login}@127.0.0.1:{self.port}{parts.path}?sslmode=disable"

    async def connect(self):
        parts = urlsplit(self.dsn)
        folder = parse_qs(parts.query).get("host", [""])[0]
        if folder.startswith("/"):
            return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{parts.port or 5432}")
        return await asyncio.open_connection(parts.hostname, parts.port or 5432)

    async def carry(self, reader, writer):
        far_reader, far_writer = await self.connect()
        ends = {writer, far_writer}
        self.ends |= ends
        state = {"committing": False}
        await asyncio.gather(self.forth(reader, far_writer, state), self.back(far_reader, writer, state))
        self.ends -= ends

    async def forth(self, source, target, state):
        with suppress(OSError):
            while data := await source.read(65536):
                state["committing"] = self.cut_at_commit and b"COMMIT\0" in data
                target.write(data)
        target.close()

    async def back(self, source, target, state):
        with suppress(OSError):
            while (data := await source.read(65536)) and not state["committing"]:
                target.write(data)
        target.close()


@pytest.fixture
async def wire(postgres_database):
    wire = Wire(postgres_database)
    await wire.start()
    yield wire
    await wire.stop()


@pytest.fixture
async def world(wire, world_over):
    store = PostgresStore(wire.address, max_conns=4)
    await store.open()
    yield world_over(store)
    await store.close()


async def kill_all(dsn):
    """End every other session of the database, as a restart of the server does."""
    connection = await asyncpg.connect(dsn)
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    await connection.fetch(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    await connection.close()


async def test_session_killed_in_a_transaction_changes_nothing(world, wire):
    """A writer whose session ends before COMMIT says so; nothing of its work remains, and the next one succeeds."""
    change = world.started()
    with pytest.raises(Unavailable):
        await save_and_be_killed(world, wire, change)
    assert await world.store.reads.instance(change.after.id) is None
    await world.save(change)
    assert await world.store.reads.instance(change.after.id) == change.after


async def save_and_be_killed(world, wire, change):
    async with world.store.transaction() as tx:
        await tx.save([change])
        await kill_all(wire.dsn)
        await tx.save([])
        await tx.load(wanted_of(change))


def wanted_of(change):
    return Wanted(instances=frozenset({change.after.id}))


async def test_commit_whose_answer_is_lost_is_unavailable(world, wire):
    """When the connection dies with the answer to COMMIT, the caller is told to repeat; what is committed stays."""
    change = world.started()
    wire.cut_at_commit = True
    with pytest.raises(Unavailable):
        await world.save(change)
    wire.cut_at_commit = False
    assert await world.store.reads.instance(change.after.id) == change.after
    assert await world.claim("a")


async def test_idle_sessions_killed_are_not_noticed(world, wire, monkeypatch):
    """After a quick restart of the server the next write and the next read just work."""
    instance = await world.start()
    monkeypatch.setattr("rochallor.stores.postgres.turn.FRESH_S", 0)  # as if the restart had taken longer than that
    await kill_all(wire.dsn)
    assert (await world.claim("a"))[0].job.instance_id == instance.id
    assert await world.store.reads.instance(instance.id) == instance
    await world.store.ping()


async def test_store_heals_when_the_server_comes_back(world, wire):
    """While the server is away everything is unavailable at once; when it is back everything works again."""
    instance = await world.start()
    await wire.stop()
    for attempt in (world.start, world.store.ping, lambda: world.store.due(0, 1)):
        with pytest.raises(Unavailable):
            await attempt()
    await wire.start()
    world.store._writer.line._not_before_s = 0.0
    assert await world.start()
    assert await world.store.reads.instance(instance.id) == instance


async def test_attempts_to_reconnect_are_spaced(world, wire):
    """Callers of an unreachable server are refused without a new attempt each, and told when to come again."""
    await wire.stop()
    with pytest.raises(Unavailable):
        await world.start()
    with pytest.raises(Unavailable) as refusal:
        await world.start()
    assert refusal.value.retry_after_ms
    await wire.start()


async def test_statement_that_failed_unnoticed_commits_nothing(world):
    """A transaction in which a statement failed is refused at its end, even if somebody hid the failure."""
    change = world.started()
    with pytest.raises(StoreConflict):
        await hide_a_failure(world, change)
    assert await world.store.reads.instance(change.after.id) is None


async def hide_a_failure(world, change):
    async with world.store.transaction() as tx:
        await tx.save([change])
        with suppress(asyncpg.PostgresError):
            await (await tx._turn.within()).execute("SELECT 1/0")
