"""Processor time and memory of other processes, from /proc: the engine's, the database's, apart from the load's."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

_TICKS = os.sysconf("SC_CLK_TCK")
_PARENT, _USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM = 1, 11, 12, 13, 14


def of_process(pid: int) -> float:
    """Return the processor seconds that a process has used so far, user and system."""
    fields = _stat(pid)
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS


def memory_of_process(pid: int) -> int:
    """Return the bytes of memory that a process holds just now (resident set size)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def of_server(dsn: str) -> float:
    """Return the processor seconds of a PostgreSQL server on this machine and of all its processes, also ended ones."""
    server = postmaster(dsn)
    ticks = 0
    for path in Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        try:
            fields = _stat(int(path.name))
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile; its parent has its time
            continue
        if int(path.name) == server:
            ticks += sum(int(fields[place]) for place in (_USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM))
        elif int(fields[_PARENT]) == server:
            ticks += int(fields[_USER]) + int(fields[_SYSTEM])
    return ticks / _TICKS


def postmaster(dsn: str) -> int:
    """Return the process id of the server that a DSN of `tools.postgres_server` leads to."""
    [home] = parse_qs(urlsplit(dsn).query)["host"]
    return int((Path(home) / "data" / "postmaster.pid").read_text().split("\n", 1)[0])


def _stat(pid: int) -> list[str]:
    """Return the fields after the program's name, which may hold spaces itself."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
