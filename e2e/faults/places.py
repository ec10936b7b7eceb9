"""Where engines keep their state while they are being killed: a file, or a PostgreSQL that can be killed as well."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from rochallor.config import Config


class Place(Protocol):
    """A kind of store. `engines` is how many work on it at once."""

    name: str
    engines: int

    async def fresh(self) -> Config:
        """Make an empty store; return the configuration that names it."""
        ...

    async def close(self) -> None:
        """Throw everything away."""
        ...


def variables_of(config: Config) -> dict[str, str]:
    """Return the environment of an engine on this store."""
    named = {"WE_SQLITE_PATH": config.sqlite_path, "WE_POSTGRES_DSN": config.postgres_dsn}
    return {name: value for name, value in named.items() if value}


class SqlitePlace:
    """A file per round."""

    name = "sqlite"
    engines = 1

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rounds = 0

    async def fresh(self) -> Config:
        """Name a file that is not there yet."""
        self._rounds += 1
        return Config(sqlite_path=str(self._folder / f"round-{self._rounds}.db"))

    async def close(self) -> None:
        """Leave the file to the folder's owner."""


class PostgresPlace:
    """A server of our own, from the wheel, and a database per round. Two engines share it."""

    name = "postgres"
    engines = 2

    def __init__(self) -> None:
        from tools import postgres_server as wheel  # noqa: PLC0415 - SQLite's suite needs no server

        self._wheel: Any = wheel
        self._stack = ExitStack()
        self._cluster: Any = None
        self._server: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Make the cluster and start its server; without the wheel it says what to install."""
        self._cluster = await asyncio.to_thread(self._stack.enter_context, self._wheel.cluster())
        await self.start_server()

    async def start_server(self) -> None:
        """Start the server and wait until it answers; what the last one left in memory has to go first."""
        command, home = self._cluster.command({**self._wheel.ALWAYS, "fsync": "off"}), self._cluster.home
        while True:
            with (home / "log").open("ab") as log:
                self._server = subprocess.Popen(  # noqa: S603, ASYNC220 - our own command; it returns at once
                    command, cwd=home, stdout=log, stderr=log, start_new_session=True
                )
            await self._wheel.until_ready(self._cluster.dsn, self._server)
            if self._server.poll() is None:
                return
            await asyncio.sleep(0.1)

    async def kill_server(self) -> None:
        """End every process of the server at once."""
        assert self._server is not None
        with suppress(ProcessLookupError):
            os.killpg(self._server.pid, signal.SIGKILL)
        await asyncio.to_thread(self._server.wait)

    async def kill_backend(self, pick: int) -> None:
        """Kill one of the engines' sessions; the server then ends all others and recovers."""
        rows = await self._fetch("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'rochallor%' ORDER BY 1")
        if rows:
            with suppress(ProcessLookupError):
                os.kill(rows[pick % len(rows)][0], signal.SIGKILL)

    async def cut_connections(self) -> int:
        """End all sessions of engines, whatever they are doing; return how many there were."""
        rows = await self._fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'rochallor%'"
        )
        return len(rows)

    async def fresh(self) -> Config:
        """Make a database."""
        name = f"round_{secrets.token_hex(4)}"
        await self._fetch(f"CREATE DATABASE {name}")
        return Config(postgres_dsn=urlsplit(self._cluster.dsn)._replace(path=f"/{name}").geturl())

    async def close(self) -> None:
        """Stop the server and remove its files."""
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGINT)
            await asyncio.to_thread(self._server.wait)
        self._stack.close()

    async def _fetch(self, statement: str) -> list[Any]:
        import asyncpg  # noqa: PLC0415 - SQLite's suite needs no driver

        connection = await asyncpg.connect(self._cluster.dsn, server_settings={"application_name": "faults"})
        try:
            rows: list[Any] = await connection.fetch(statement)
        finally:
            await connection.close()
        return rows
