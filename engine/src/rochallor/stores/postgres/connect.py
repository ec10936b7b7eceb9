"""Connections: how they are made, how they heal, and what PostgreSQL's errors mean to a caller.

The engine's own sessions have sequential scans and just-in-time compilation switched off. A plan that is made while the
tables are small, and kept, is otherwise a scan of the whole table when they are not: up to two hundred times slower.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import asyncpg

from rochallor.core.errors import BadRequest, Unavailable
from rochallor.ports import StoreConflict
from rochallor.stores.postgres.dsn import Dsn

CONNECT_S = 5.0
FIRST_RETRY_S, LAST_RETRY_S = 0.05, 2.0

_EVERY_SESSION = {
    "jit": "off",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}

WRITER = {
    **_EVERY_SESSION,
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "random_page_cost": "1.1",
    # With the length of an array in its hand the planner thinks well of a plan made anew, and would make one for every
    # claim: three quarters of what a small one costs. What it must not choose, the lines above rule out.
    "plan_cache_mode": "force_generic_plan",
    # A neighbour that hangs must not hang us, nor we a neighbour.
    "lock_timeout": "10s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "30s",
}
READER = {**_EVERY_SESSION, "statement_timeout": "15s", "default_transaction_read_only": "on"}
KEEPER = {**_EVERY_SESSION, "statement_timeout": "60s", "synchronous_commit": "off"}

_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.InvalidTransactionStateError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.PostgresSystemError,
    OSError,
    asyncio.TimeoutError,
)

_CONFLICTS = {
    "business_key": "the business key is held by another instance",
    "definition": "this version of the definition exists",
}
_UNFIT = "a value is beyond what the database can keep: a number of more than 64 bits, or a NUL in a text"
OUTDATED = "the instance is not at the revision this change was made from"
SUPERSEDED = "the newest version of the definition is not the one this start was made from"


@contextmanager
def translated() -> Iterator[None]:
    """Raise the driver's errors as the port's: a lost race is a `StoreConflict`, a lost server `Unavailable`."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise StoreConflict(_CONFLICTS.get(error.table_name, OUTDATED)) from error
    except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError) as error:
        raise StoreConflict("another engine changed the same things at this moment") from error
    except asyncpg.DataError as error:
        raise BadRequest(_UNFIT) from error
    except _LOST as error:
        if isinstance(error, ValueError):  # how the driver says that it cannot encode a value
            raise BadRequest(_UNFIT) from error
        raise Unavailable(
            f"the database cannot be used now ({_reason(error)}); try again", retry_after_ms=500
        ) from error


def _reason(error: BaseException) -> str:
    """Return why, in words without secrets: the server's own sentence, or the kind of error."""
    if isinstance(error, asyncio.TimeoutError):
        return "no answer in time"
    return str(error).partition("\n")[0] or type(error).__name__


async def connect(dsn: Dsn, session: dict[str, str], purpose: str, **pool: Any) -> Any:
    """Connect for a purpose (shown in pg_stat_activity); `pool` is what a pool asks for. Raises `Unavailable`."""
    arguments = dict(dsn.arguments)
    settings = dict(arguments.pop("server_settings", {}))
    settings.setdefault("application_name", f"rochallor {purpose}")
    with translated():
        connection = await asyncpg.connect(
            **arguments,
            **pool,
            server_settings=settings,
            timeout=dsn.connect_timeout_s or CONNECT_S,
            command_timeout=90,
            statement_cache_size=500,
            max_cached_statement_lifetime=0,
        )
        await prepare(connection, session)
    return connection


async def prepare(connection: Any, session: dict[str, str]) -> None:
    """Set what a session needs; not at its start, because poolers in between refuse what they do not know."""
    names, values = list(session), list(session.values())
    statement = "SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS wish (name, value)"
    await connection.execute(statement, names, values)


class Line:
    """One connection that is made when needed and made again when lost, with growing pauses between attempts."""

    def __init__(self, make: Callable[[], Awaitable[Any]]) -> None:
        self._make = make
        self._connection: Any = None
        self._pause_s = 0.0
        self._not_before_s = 0.0

    async def get(self) -> Any:
        """Return the connection; raises `Unavailable`, at once while the last attempt is too fresh."""
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        now_s = asyncio.get_running_loop().time()
        if now_s < self._not_before_s:
            wait_ms = int((self._not_before_s - now_s) * 1000) + 1
            raise Unavailable("the database is away; try again shortly", retry_after_ms=wait_ms)
        try:
            self._connection = await self._make()
        except Unavailable:
            self._pause_s = min(max(self._pause_s * 2, FIRST_RETRY_S), LAST_RETRY_S)
            self._not_before_s = asyncio.get_running_loop().time() + self._pause_s
            raise
        self._pause_s = 0.0
        return self._connection

    def drop(self) -> None:
        """Let go of the connection as it is: the next `get` makes another."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        """Say goodbye and disconnect."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*_LOST, asyncpg.PostgresError):
                await connection.close(timeout=5)
