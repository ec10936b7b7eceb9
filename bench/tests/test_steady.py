"""Whether an engine stays as it is: what is compared, that hindrances are there, and one quick run."""

from __future__ import annotations

import asyncio
import sqlite3
import xml.etree.ElementTree as ET
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest
from rich.console import Console

from bench import bars, chart, steady, summary
from bench.cases import ANALYSED, FIRST, LAST, NONE_OPEN, OPEN, PINNED, UNANALYSED, UNPINNED, many_open, pairs
from bench.engine import EngineProcess
from bench.growth import Fill
from bench.hindrances import assert_never_analysed, forgotten_transaction, without_autovacuum
from bench.running import Load
from bench.stores import Environment, PostgresStores, SqliteStores
from tools.postgres_server import execute

QUICK = steady.Effort(drift_s=1.5, warm_s=0.2, rounds=1, load=Load(100, 8, 10), open=300)


def test_drift_compares_the_first_sixth_with_the_last():
    """What is between them does not count; the error of a mean is told by how its slices differ."""
    first, last = steady.parts([100, 120, *[0] * 8, 90, 90], 6.0)
    assert (first.jobs_per_s, last.jobs_per_s) == (220, 180)
    assert (first.error_per_s, last.error_per_s) == (pytest.approx(20), 0)


def judged(name: str, mine: dict[str, float], other: dict[str, float] | None = None) -> list[bool]:
    rounds = {name: [mine]} | ({pairs()[name]: [other]} if other else {})
    return [each.passed for each in bars.judge({"postgres": rounds})]


@pytest.mark.parametrize(
    ("name", "mine", "other", "verdicts"),
    [
        (LAST, {"jobs_per_s": 950}, {"jobs_per_s": 1000}, [True]),
        (LAST, {"jobs_per_s": 940}, {"jobs_per_s": 1000}, [False]),
        (PINNED, {"poll_p50_ms": 4, "poll_p99_ms": 9}, {"poll_p50_ms": 2, "poll_p99_ms": 4}, [True, False]),
        (UNANALYSED, {"jobs_per_s": 80, "poll_p99_ms": 13}, {"jobs_per_s": 100, "poll_p99_ms": 10}, [True, False]),
        (many_open(OPEN), {"engine_rss_mb": 150}, None, [True]),
        (many_open(OPEN), {"engine_rss_mb": 151}, None, [False]),
    ],
)
def test_speeds_have_a_least_and_times_and_sizes_a_most(name, mine, other, verdicts):
    """Ratios of times are held from above, ratios of speeds from below."""
    assert judged(name, mine, other) == verdicts


def test_fewer_open_instances_than_promised_are_not_judged():
    """A quick run must not look as if the promise were kept."""
    assert judged(many_open(2_000), {"engine_rss_mb": 50}) == []


async def test_a_forgotten_transaction_keeps_the_log_of_sqlite_from_being_emptied(tmp_path: Path):
    """While it is open a checkpoint cannot reuse the log; afterwards it can."""
    store = {"WE_SQLITE_PATH": str(tmp_path / "a.db")}
    with closing(sqlite3.connect(store["WE_SQLITE_PATH"], timeout=0, isolation_level=None)) as file:
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("CREATE TABLE event (x)")
        with forgotten_transaction(store):
            file.execute("INSERT INTO event VALUES (1)")
            assert file.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()[0] == 1
        assert file.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()[0] == 0


@pytest.fixture
def named(postgres_database: str) -> Environment:
    """Give a PostgreSQL store that has its schema."""
    store = {"WE_POSTGRES_DSN": postgres_database}
    with EngineProcess(store):
        pass
    return store


def test_a_forgotten_transaction_holds_the_horizon_of_postgresql(named):
    """A row that dies meanwhile is not vacuumed away, and the transaction ends with the block."""
    dsn = named["WE_POSTGRES_DSN"]
    asyncio.run(execute(dsn, "CREATE TABLE dying AS SELECT 1 AS x"))
    with forgotten_transaction(named):
        asyncio.run(execute(dsn, "DELETE FROM dying"))
        asyncio.run(execute(dsn, "VACUUM (TRUNCATE false) dying"))
        assert asyncio.run(pages_all_visible(dsn)) == 0
    asyncio.run(execute(dsn, "VACUUM (TRUNCATE false) dying"))
    assert asyncio.run(pages_all_visible(dsn)) == 1


async def pages_all_visible(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        count: int = await connection.fetchval("SELECT relallvisible FROM pg_class WHERE relname = 'dying'")
    finally:
        await connection.close()
    return count


def test_a_store_that_was_not_put_to_rest_has_no_statistics(named):
    """It is told from one that was, and autovacuum stays away."""
    place = PostgresStores(named["WE_POSTGRES_DSN"])
    without_autovacuum(named)
    fill = Fill("some", waiting=30)
    place.pour(named, fill.batches(1_800_000_000_000), rest=False)
    assert_never_analysed(named)
    asyncio.run(execute(named["WE_POSTGRES_DSN"], "ANALYZE"))
    with pytest.raises(RuntimeError, match=r"somebody analysed .*job"):
        assert_never_analysed(named)


def test_a_quick_run_measures_both_halves_and_can_be_drawn(tmp_path: Path):
    """On a real engine every pair of SQLite has both sides, the engine's memory is told, and the page shows all."""
    measured = steady.measure(Console(quiet=True), SqliteStores(tmp_path), QUICK)
    rounds = measured["rounds"]
    assert {*rounds} == {FIRST, LAST, PINNED, UNPINNED, many_open(300), NONE_OPEN}
    assert rounds[many_open(300)][0]["engine_rss_mb"] > 10
    assert [line.what for line in summary.OF["steady"]("sqlite", measured)] == [LAST]
    about = {"what": "steady", "store": "sqlite", "at": "2026", "command": ["x"], "cores": 2, "figures": measured}
    page = chart.page(about)
    ET.fromstring("<svg" + page.split("<svg")[1].split("</svg>")[0] + "</svg>")
    assert all(name in page for name in (LAST, PINNED, many_open(300)))
    assert ANALYSED not in page
