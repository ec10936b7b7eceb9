"""Arrays in PostgreSQL's notation: what goes in comes out, whatever characters it is made of."""

from __future__ import annotations

import base64
import random

import asyncpg
import pytest
from rochallor.stores.postgres.arrays import arrays

HOSTILE = [
    *("", " ", "NULL", "null", "{}", "{a,b}", ",", '"', '""', "\\", "\\\\", '\\"', "a\\nb", "\\u0041"),
    *("ünï", "😀", "\u2028"),
    *map(chr, range(1, 32)),
    "\x7f",
    '{"text": "line\\nbreak", "path": "C:\\\\temp"}',
]  # fmt: skip


async def came_back(connection, column, kind):
    [text] = arrays([(value,) for value in column])
    rows = await connection.fetch(f"SELECT * FROM unnest($1::text::{kind}[])", text)
    return [row[0] for row in rows]


@pytest.fixture
async def connection(postgres_database):
    connection = await asyncpg.connect(postgres_database)
    yield connection
    await connection.close()


async def test_hostile_texts_come_back_as_they_were(connection):
    """Quotes, braces, backslashes, NULL as a word and control characters, alone and side by side with none of them."""
    assert await came_back(connection, HOSTILE, "text") == HOSTILE
    for text in HOSTILE:
        assert await came_back(connection, [text, None, "plain"], "text") == [text, None, "plain"]


@pytest.mark.parametrize("seed", range(20))
async def test_random_texts_come_back_as_they_were(connection, seed):
    """Any mixture of awkward characters, in columns of any length."""
    chance = random.Random(seed)
    alphabet = "\\\"{},' \n\t\x01\x1fnux0aé😀"
    column = ["".join(chance.choices(alphabet, k=chance.randrange(9))) for _ in range(chance.randrange(1, 40))]
    assert await came_back(connection, column, "text") == column


async def test_numbers_truth_and_nothing_come_back_as_they_were(connection):
    """The whole range of a bigint, both truths, and NULL among each."""
    for column, kind in (([0, -1, 2**63 - 1, -(2**63), None], "bigint"), ([True, False, None], "boolean")):
        assert await came_back(connection, column, kind) == column


async def test_bytes_are_base64(connection):
    """Any bytes, and none."""
    column = [bytes(range(256)), b"", b"{}", None]
    told = await came_back(connection, column, "text")
    assert [text if text is None else base64.b64decode(text) for text in told] == column


async def test_what_a_database_cannot_hold_is_refused_there(connection):
    """A number beyond 64 bits and a NUL are the database's to refuse, as data errors; half a surrogate the driver's."""
    for column, kind in (([2**70, 1], "bigint"), (["a\x00b"], "text"), (["\ud800"], "text")):
        with pytest.raises(asyncpg.DataError):
            await came_back(connection, column, kind)
