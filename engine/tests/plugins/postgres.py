"""A real PostgreSQL for tests: `postgres_dsn` is a server, `postgres_database` an empty database of one test.

WE_TEST_POSTGRES_DSN (a URI) names a server that is there already. Without it, one from the wheel is started for the
session (`tools/postgres_server.py`). Belongs here: getting a server and a database. What is in the database is the
store's business.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tools.postgres_server import NoServer, execute, postgres_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn

# A test's database survives a killed server, but need not survive a power cut.
SERVER_SETTINGS = {"fsync": "off"}


@pytest.fixture(scope="session")
def postgres_dsn(lacking: Callable[[str, str], NoReturn]) -> Iterator[str]:
    """The URI of a PostgreSQL server whose user may create databases; one server for the whole session."""
    if given := os.environ.get("WE_TEST_POSTGRES_DSN"):
        yield given
        return
    try:
        server = postgres_server(SERVER_SETTINGS)
        dsn = server.__enter__()
    except NoServer as error:
        lacking("postgres", f"{error}; or set WE_TEST_POSTGRES_DSN")
    try:
        yield dsn
    finally:
        server.__exit__(None, None, None)


@pytest.fixture
def postgres_database(postgres_dsn: str) -> Iterator[str]:
    """The URI of an empty database that only this test sees; it is dropped afterwards, connections or not."""
    name = f"test_{secrets.token_hex(6)}"
    asyncio.run(execute(postgres_dsn, f"CREATE DATABASE {name}"))
    try:
        yield urlsplit(postgres_dsn)._replace(path=f"/{name}").geturl()
    finally:
        asyncio.run(execute(postgres_dsn, f"DROP DATABASE {name} WITH (FORCE)"))
