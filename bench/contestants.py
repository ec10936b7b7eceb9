"""Who is measured side by side, and how one turn of each goes: a table.

Every turn has a fresh copy of the same store, on which the same instances wait, and ends with whatever it started.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench import cpu
from bench.completions import Herd
from bench.door import door_process
from bench.engine import EngineProcess
from bench.stores import Environment
from bench.window import Counted, count

HOST = "127.0.0.1"
CONNECTIONS = 64
BARE_CONNECTIONS = 8
BATCHERS = 8
PROCESSES = 2
"""Load processes where one alone would be the limit."""


class Turn(NamedTuple):
    """What a contestant gets: a store, who waits on it, and for how long to warm up and to measure."""

    store: Environment
    herd: Herd
    warm_s: float
    measure_s: float

    def run(
        self, commands: Sequence[Sequence[str]], clocks: dict[str, Callable[[], float]], python: str = sys.executable
    ) -> Counted:
        """Count, with the database's processor time told apart if there is a database."""
        dsn = self.store.get("WE_POSTGRES_DSN")
        if dsn is not None:
            clocks["database"] = lambda: cpu.of_server(dsn)
        return count(commands, warm_s=self.warm_s, measure_s=self.measure_s, clocks=clocks, python=python)

    @property
    def where(self) -> str:
        """What names the store: a DSN or a file."""
        [where] = self.store.values()
        return where


def bare(loop: str, connections: int, processes: int) -> Callable[[Turn], Counted]:
    """Return a turn of a bare loop."""

    def turn(given: Turn) -> Counted:
        command = ["bench.bare", loop, given.where, str(connections // processes), *map(str, given.herd)]
        return given.run([command] * processes, {})

    return turn


def engine(transport: str, shape: str, callers: int, processes: int = 1) -> Callable[[Turn], Counted]:
    """Return a turn of an engine process with load processes of its own."""

    def turn(given: Turn) -> Counted:
        with EngineProcess(given.store) as process:
            port = process.grpc_port if transport == "grpc" else process.port
            command = ["bench.client", transport, shape, str(callers // processes), HOST, str(port)]
            return given.run([command] * processes, {"engine": process.cpu_s})

    return turn


def inside(shape: str, callers: int) -> Callable[[Turn], Counted]:
    """Return a turn of an engine inside its load process: what the load costs is the engine's."""

    def turn(given: Turn) -> Counted:
        counted = given.run([["bench.client", "inside", shape, str(callers), given.where]], {})
        counted.cpu_s["engine"] = counted.cpu_s.pop("load")
        return counted

    return turn


def door(turn: Turn) -> Counted:
    """Call an empty handler; there is no store behind it."""
    with door_process() as process:
        command = ["bench.client", "door", "single", str(CONNECTIONS // PROCESSES), HOST, str(process.port)]
        clocks = {"engine": lambda: cpu.of_process(process.pid)}
        return count([command] * PROCESSES, warm_s=turn.warm_s, measure_s=turn.measure_s, clocks=clocks)


FLOOR, LEAN, CHATTY, DOOR = "floor", "lean", "chatty", "bare gRPC door"
REST, REST_BATCHED = "REST, single", "REST, batched"
GRPC, GRPC_BATCHED = "gRPC, unary", "gRPC, ReportJobs"
INSIDE, INSIDE_BATCHED = "in process, single", "in process, batched"

ANY_STORE: dict[str, Callable[[Turn], Counted]] = {
    FLOOR: bare("floor", 1, 1),
    REST: engine("rest", "single", CONNECTIONS),
    REST_BATCHED: engine("rest", "batched", BATCHERS),
    GRPC: engine("grpc", "single", CONNECTIONS, PROCESSES),
    GRPC_BATCHED: engine("grpc", "batched", BATCHERS),
    INSIDE: inside("single", CONNECTIONS),
    INSIDE_BATCHED: inside("batched", BATCHERS),
}

POSTGRES_ONLY: dict[str, Callable[[Turn], Counted]] = {
    LEAN: bare("lean", BARE_CONNECTIONS, PROCESSES),
    CHATTY: bare("chatty", BARE_CONNECTIONS, PROCESSES),
    DOOR: door,
}
"""Eight connections that write at once make no sense on SQLite, which has one writer; a door is measured once."""

WIDTHS: dict[str, Callable[[Turn], Counted]] = {
    f"{REST}, from {callers}": engine("rest", "single", callers) for callers in (1, 16, 256)
}
"""The same engine with fewer and more callers than in the promises."""


def contestants(kind: str, *, wide: bool = False) -> dict[str, Callable[[Turn], Counted]]:
    """Return who is measured on a kind of store, in the order of their turns; `wide` adds other numbers of callers."""
    return ANY_STORE | (WIDTHS if wide else {}) | (POSTGRES_ONLY if kind == "postgres" else {})
