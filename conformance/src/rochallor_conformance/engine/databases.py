"""Empty PostgreSQL databases: on the server that WE_TEST_POSTGRES_DSN names, or on one from its wheel."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rochallor_conformance.contract.places import contract_folder
from rochallor_conformance.transports.exchange import Unreachable

VARIABLE = "WE_TEST_POSTGRES_DSN"


class Databases:
    """Makes databases on one server, which is started when the first is asked for."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._server = ""

    async def fresh(self) -> str:
        """Return the URI of a database with nothing in it.

        Raises:
            Unreachable: there is no server.

        """
        import asyncpg  # noqa: PLC0415 - an extra: only who starts engines on PostgreSQL has it

        if not self._server:
            # The wheel's server is waited for with a loop of its own, so it is started on another thread.
            self._server = os.environ.get(VARIABLE, "") or await asyncio.to_thread(self._start)
        name = f"conformance_{secrets.token_hex(6)}"
        connection: Any = await asyncpg.connect(self._server)
        try:
            await connection.execute(f"CREATE DATABASE {name}")
        finally:
            await connection.close()
        return urlsplit(self._server)._replace(path=f"/{name}").geturl()

    def close(self) -> None:
        """Stop the server, if it was started here."""
        self._stack.close()

    def _start(self) -> str:
        spec = importlib.util.spec_from_file_location("conformance_postgres_server", _tool())
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        try:
            dsn: str = self._stack.enter_context(module.postgres_server())
        except module.NoServer as error:
            raise Unreachable(f"{error}, or set {VARIABLE} to a server where databases may be created") from error
        return dsn


def _tool() -> Path:
    """Return what starts a server: it travels in the wheel, and lies among the tools of a checkout."""
    packed = Path(__file__).with_name("postgres_server.py")
    return packed if packed.exists() else contract_folder().parent / "tools" / "postgres_server.py"
