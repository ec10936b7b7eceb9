"""Several questions about the same moment."""

from __future__ import annotations

from typing import Any


async def at_one_moment(connection: Any, *asked: tuple[Any, ...]) -> list[list[Any]]:
    """Return the rows of each (statement, parameter …); a commit that comes between two of them is in none."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return [await connection.fetch(*question) for question in asked]
