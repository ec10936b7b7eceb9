"""The SQLite store's own promises: what a commit is worth, one engine per file, files that are not ours."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
import textwrap
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rochallor.core.errors import Unavailable
from rochallor.ports import InstanceFilter, StoreConflict, StoredDefinition, Wanted
from rochallor.stores.sqlite import SqliteStore
from rochallor.stores.sqlite.writes import SQL

SOURCES = Path(__file__).parents[2] / "src"

HOLD = """
    import asyncio, os, sys
    from rochallor.ports import StoredDefinition
    from rochallor.stores.sqlite import SqliteStore

    async def main():
        store = SqliteStore(sys.argv[1])
        await store.open()
        async with store.transaction() as tx:
            await tx.insert_definition(StoredDefinition("kept", 1, "", "", b"{}", 1))
        async with store.transaction() as tx:
            await tx.insert_definition(StoredDefinition("lost", 1, "", "", b"{}", 1))
            os.write(1, b"committed\\n")
            await asyncio.Event().wait()

    asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of a database that does not exist yet."""
    return tmp_path / "engine.db"


@pytest.fixture
async def killed(path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Give another process that has committed `kept`, and is in the middle of writing `lost`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        textwrap.dedent(HOLD),
        str(path),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"committed\n"
    yield process
    if process.returncode is None:
        process.kill()
        await process.wait()


async def opened(path: Path, **options: bool) -> SqliteStore:
    store = SqliteStore(str(path), **options)
    await store.open()
    return store


async def test_everything_is_there_after_reopening(path, world_over):
    """A store closed and opened again has its instances, history, jobs, timers, keys, chains and definitions."""
    store = await opened(path)
    world = world_over(store)
    timed = await world.start("timed", b'{"a": "\\u0000"}', business_key="k")
    await world.start("chained")
    jobs = await world.claim("a")
    parent = await world.complete(jobs[1].job)
    await world.upload("d")
    planned = await store.due(world.now_ms, 10)
    history = await store.reads.history(parent.id)
    await store.close()
    store = await opened(path)
    async with store.transaction() as tx:
        found = await tx.load(Wanted(frozenset({timed.id}), frozenset({jobs[0].job}), frozenset({("timed", "k")})))
    assert found.instances == {timed.id: timed}
    assert found.keys == {("timed", "k"): timed.id}
    assert found.leases[jobs[0].job].token == jobs[0].lease_token
    assert await store.due(world.now_ms, 10) == planned
    assert await store.reads.history(parent.id) == history
    assert await store.reads.definition("d", 1) is not None
    await store.close()


async def test_a_commit_that_returned_survives_kill_9(path, killed):
    """Killed outright, a process leaves what it had committed, nothing half done, and no lock in the way."""
    killed.send_signal(signal.SIGKILL)
    await killed.wait()
    store = await opened(path)
    assert await store.reads.definition("kept", 1) == StoredDefinition("kept", 1, "", "", b"{}", 1)
    assert await store.reads.definition("lost", 1) is None
    await store.close()


async def test_commits_are_synced(path):
    """The file is in write-ahead mode with full sync: a commit that returned is on the disk."""
    store = await opened(path)
    writer = store._writer
    assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert writer.execute("PRAGMA synchronous").fetchone() == (2,)
    await store.close()


async def test_a_second_process_is_refused(path, killed):
    """While one engine has the file, another is told so and what to do about it."""
    with pytest.raises(Unavailable, match=r"another engine is running on the database file engine\.db.*PostgreSQL"):
        await opened(path)
    assert killed.returncode is None


async def test_a_second_store_of_one_process_is_refused(path, tmp_path):
    """The same file under another name is still the same file."""
    first = await opened(path)
    alias = tmp_path / "alias.db"
    alias.symlink_to(path)
    with pytest.raises(Unavailable, match="another engine"):
        await opened(alias)
    await first.close()
    await (await opened(alias)).close()


async def test_a_refused_store_can_be_opened_later(path):
    """Being refused leaves a store as it was."""
    first, second = await opened(path), SqliteStore(str(path))
    with pytest.raises(Unavailable):
        await second.open()
    await first.close()
    await second.open()
    await second.ping()
    await second.close()


async def test_a_folder_that_does_not_exist_is_named_as_the_trouble(tmp_path):
    """A path that cannot be written says so."""
    with pytest.raises(Unavailable, match=r"missing\.db cannot be opened.*folder exists"):
        await opened(tmp_path / "no" / "missing.db")


async def test_a_file_that_is_no_database_is_refused_and_left_alone(path):
    """Some other file is not overwritten."""
    path.write_bytes(b"These are my holiday photos. " * 100)
    before = path.read_bytes()
    with pytest.raises(Unavailable, match=r"engine\.db is not an SQLite database"):
        await opened(path)
    assert path.read_bytes() == before


async def test_another_programs_database_is_refused(path):
    """A database with somebody else's tables gets none of ours."""
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE photos (id)")
    other.close()
    with pytest.raises(Unavailable, match="another program"):
        await opened(path)


async def test_a_newer_schema_is_refused(path):
    """A file written by a newer engine is not touched by an older one."""
    await (await opened(path)).close()
    newer = sqlite3.connect(path)
    newer.execute("INSERT INTO schema_version VALUES (9999, 'from the future')")
    newer.commit()
    newer.close()
    with pytest.raises(Unavailable, match="schema version 9999"):
        await opened(path)


async def test_an_empty_file_becomes_a_database(path):
    """A file of no bytes is as good as none."""
    path.touch()
    store = await opened(path)
    await store.ping()
    await store.close()


async def test_a_foreign_lock_is_unavailable_and_passes(path, world_over):
    """Somebody's open write in a shell makes the store unavailable, without a path in the message, and no longer."""
    store = await opened(path)
    shell = sqlite3.connect(path, isolation_level=None)
    shell.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked") as refused:
        await world_over(store).start()
    shell.execute("ROLLBACK")
    shell.close()
    assert str(path) not in str(refused.value)
    assert await world_over(store).start()
    await store.close()


async def test_a_full_disk_is_unavailable_and_changes_nothing(path, world_over):
    """When the file cannot grow, the write fails as a whole and the store goes on."""
    store = await opened(path)
    world = world_over(store)
    kept = await world.start()
    (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
    store._writer.execute(f"PRAGMA max_page_count = {pages}")
    lost = world.started(variables=b'{"text": "' + b"x" * 100_000 + b'"}')
    with pytest.raises(Unavailable, match="full"):
        await world.save(lost)
    store._writer.execute("PRAGMA max_page_count = 1000000")
    assert await store.reads.instance(lost.after.id) is None
    await world.save(lost)
    assert await store.reads.instance(kept.id) == kept
    await store.close()


@pytest.fixture
async def slow_disk(path: Path) -> AsyncIterator[tuple[SqliteStore, threading.Event]]:
    """Give a store whose commits do not get to the disk before the event is set."""
    store, gate = await opened(path), threading.Event()
    store._committer.submit(gate.wait)
    yield store, gate
    gate.set()
    await store.close()


async def a_few_turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_loop_is_free_while_a_commit_waits_for_the_disk(slow_disk, world_over):
    """While a commit is under way readers are served, and see the state before it."""
    store, gate = slow_disk
    change = world_over(store).started()
    saving = asyncio.create_task(world_over(store).save(change))
    await a_few_turns()
    assert await store.reads.instance(change.after.id) is None
    gate.set()
    await saving
    assert await store.reads.instance(change.after.id) == change.after


async def test_a_commit_whose_caller_went_away_is_seen_through(slow_disk, world_over):
    """Cancelled while its commit is under way, a writer gives the turn on only when the commit has ended."""
    store, gate = slow_disk
    world = world_over(store)
    first, second = world.started(), world.started()
    leaving, next_one = asyncio.create_task(world.save(first)), asyncio.create_task(world.save(second))
    await a_few_turns()
    for _ in range(2):
        leaving.cancel()
        await a_few_turns()
    assert not leaving.done()
    gate.set()
    await asyncio.gather(leaving, next_one, return_exceptions=True)
    assert leaving.cancelled()
    assert await store.reads.instance(first.after.id) == first.after
    assert await store.reads.instance(second.after.id) == second.after


async def test_switching_unique_keys_on_lets_the_oldest_hold_its_key(path, world_over):
    """A file whose keys were labels gets holders when uniqueness is asked for: who started first, if in flight."""
    store = await opened(path, unique_keys=False)
    world = world_over(store)
    gone = await world.start(business_key="k")
    await world.cancel(gone)
    first, _second = [await world.start(business_key="k") for _ in range(2)]
    await store.close()
    store = await opened(path)
    world.store = store
    async with store.transaction() as tx:
        found = await tx.load(Wanted(keys=frozenset({("straight", "k")})))
    assert found.keys == {("straight", "k"): first.id}
    with pytest.raises(StoreConflict):
        await world.start(business_key="k")
    await store.close()
    store = await opened(path, unique_keys=False)
    world.store = store
    assert await world.start(business_key="k")
    await store.close()


def is_there(folder: str) -> bool:
    return Path(folder).exists()


async def test_an_ephemeral_store_leaves_nothing_behind(world_over):
    """`:memory:` is gone after closing, and two of them have nothing in common."""
    one, two = SqliteStore(":memory:"), SqliteStore(":memory:")
    await one.open()
    await two.open()
    instance = await world_over(one).start()
    assert await two.reads.instance(instance.id) is None
    folder = one._scratch.name
    await one.close()
    await two.close()
    assert not is_there(folder)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("ready_jobs", ("a", 10)),
        ("due_leases", (1, 10)),
        ("due_timers", (1, 10)),
        ("due_chains", (1, 10)),
        ("next_lease", (1,)),
        ("next_timer", (1,)),
        ("next_chain", (1,)),
        ("next_ripe", ()),
        ("ripe_types", (1,)),
        ("ripen", (1,)),
        ("delete_job", ("i", 1)),
        ("delete_step_timers", ("i", 1)),
        ("load_lease", ("i", 1, 1)),
    ],
)
async def test_claims_and_due_times_are_answered_from_indexes(path, name, parameters):
    """No statement of a claim or a sweep walks a table, however much waits, is locked or delayed in it."""
    store = await opened(path)
    plan = [detail for *_, detail in store._writer.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", parameters)]
    await store.close()
    assert any("USING" in step for step in plan)
    assert not [step for step in plan if step.startswith("SCAN") and "INDEX" not in step]


async def test_a_page_and_its_total_are_of_one_moment(tmp_path, world_over):
    """A commit between the two questions is in neither, or a page could have fewer instances than its total."""
    store = SqliteStore(str(tmp_path / "pages.db"))
    await store.open()
    world = world_over(store)
    await world.start()
    other = sqlite3.connect(tmp_path / "pages.db", isolation_level=None, check_same_thread=False)
    asked = []

    def between(statement):
        asked.append(statement)
        if "count(*)" in statement:
            other.execute("DELETE FROM instance")

    store.reads._lists.set_trace_callback(between)
    found, total = await store.reads.instances(InstanceFilter(), 10, 0)
    assert any("count(*)" in statement for statement in asked)
    assert (len(found), total) == (1, 1)
    assert await store.reads.instances(InstanceFilter(), 10, 0) == ([], 0)
    other.close()
    await store.close()
