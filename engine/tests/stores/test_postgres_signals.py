"""News between two stores on one database: told to those who want it, in pieces if it is much, again after a cut."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from rochallor.news import News
from rochallor.stores.postgres import PostgresStore
from rochallor.stores.postgres.signals import CHANNEL


class Ear:
    """A store and what it has heard."""

    def __init__(self, dsn):
        self.store = PostgresStore(dsn, max_conns=4)
        self.signals = self.store.signals
        self.job_types, self.instances, self.gaps = set(), set(), 0
        self.news = asyncio.Event()
        self.signals.listen(self.hear)

    def hear(self, news: News):
        self.job_types |= news.job_types
        self.instances |= news.instances
        self.gaps += news.gap
        self.news.set()

    async def until(self, reached):
        async with asyncio.timeout(10):
            while not reached():
                self.news.clear()
                await self.news.wait()


@pytest.fixture
async def ears(postgres_database):
    ears = [Ear(postgres_database) for _ in range(2)]
    for ear in ears:
        await ear.store.open()
    yield ears
    for ear in ears:
        await ear.store.close()


async def test_news_reaches_who_wants_it(ears):
    """A store hears of what it asked for; what it did not ask for is not sent."""
    one, two = ears
    two.signals.want(job_types=["pay"], instances=["I1"])
    one.signals.publish(job_types=["pay", "ship"], instances=["I1", "I2"])
    await two.until(lambda: two.job_types and two.instances)
    assert (two.job_types, two.instances) == ({"pay"}, {"I1"})


async def test_wishes_and_news_of_any_size_arrive(ears):
    """Thousands of wishes and as much news are sent in several messages, none of them lost."""
    one, two = ears
    names = {f"instance-{number:04}-{'x' * 40}" for number in range(1_000)}
    two.signals.want(instances=names)
    one.signals.publish(job_types=[], instances=names)
    await two.until(lambda: two.instances == names)


async def test_name_that_fits_in_no_message_breaks_nothing(ears):
    """A job type longer than any message has to do without news; all others go on having it."""
    one, two = ears
    two.signals.want(job_types=["x" * 20_000, "pay"])
    one.signals.publish(job_types=["x" * 20_000, "pay"], instances=[])
    await two.until(lambda: two.job_types == {"pay"})


async def test_foreign_message_is_ignored(ears):
    """Whatever another program sends over the same channel does no harm."""
    one, two = ears
    async with one.store.transaction() as tx:
        await (await tx._turn.within()).fetch("SELECT pg_notify($1, 'not ours')", CHANNEL)
    two.signals.want(job_types=["pay"])
    one.signals.publish(job_types=["pay"], instances=[])
    await two.until(lambda: two.job_types == {"pay"})


async def test_listening_goes_on_after_the_connection_was_lost(ears, postgres_database):
    """A listener that was cut off connects again, is told to look everywhere, and its wishes still stand."""
    one, two = ears
    two.signals.want(job_types=["pay"])
    gaps = two.gaps
    connection = await asyncpg.connect(postgres_database)
    await connection.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rochallor signals'"
        " AND datname = current_database()"
    )
    await connection.close()
    await two.until(lambda: two.gaps > gaps)
    one.signals.publish(job_types=["pay"], instances=[])
    await two.until(lambda: two.job_types == {"pay"})
