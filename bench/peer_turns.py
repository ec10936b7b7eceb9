"""Who is measured beside us, and how one turn of each goes: other engines of the same contract, and DBOS Transact.

Engines are under the very same load program, which uses what the base contract has and no more. DBOS has no door: its
steps, in a process of its own, are held against our jobs as `floors` measures them.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from bench import dbos_venv
from bench.contestants import BATCHERS, CONNECTIONS, HOST, Turn, engine
from bench.engine import EngineProcess
from bench.shape_turns import of_instances
from bench.window import Counted, count

Figures = dict[str, float]
Address = tuple[str, int]

OURS = "ours"
DBOS = "DBOS Transact"
DBOS_TWICE = f"{DBOS}, two processes"
SINGLE, BATCHED = f"{OURS}, single reports", f"{OURS}, batched reports"
DBOS_THREADS = 8
"""Of each DBOS process: what gave the most steps per second on two cores."""

_PATIENCE_S = 5.0


class Peer(NamedTuple):
    """An engine that somebody else has started, and where it is."""

    name: str
    rest: Address
    grpc: Address | None = None

    @classmethod
    def parse(cls, text: str) -> Peer:
        """Read `NAME=URL` or `NAME=URL,grpc=HOST:PORT`; raises `ValueError` with what is wrong."""
        name, found, where = text.partition("=")
        url, *others = where.split(",")
        if not (found and name.strip() and all(other.startswith("grpc=") for other in others[:1]) and len(others) < 2):
            raise ValueError(f"'{text}' is not NAME=URL or NAME=URL,grpc=HOST:PORT")
        if name == OURS:
            raise ValueError(f"'{OURS}' is what our own engine is called here; give the peer another name")
        if urlsplit(url).scheme != "http" or urlsplit(url).path.strip("/"):
            raise ValueError(f"'{url}' is not http://HOST:PORT; the load program speaks plain HTTP")
        return cls(name.strip(), _address(url), _address(f"//{others[0].removeprefix('grpc=')}") if others else None)

    @property
    def doors(self) -> dict[str, Address]:
        """Return where each transport is served."""
        return {"rest": self.rest} | ({"grpc": self.grpc} if self.grpc else {})

    def turn(self, transport: str, given: Turn) -> Figures:
        """Measure one turn; raises `RuntimeError` when it is not there, or not what it says."""
        self._knock()
        command = _command(transport, self.doors[transport])
        return _figures(count([command], warm_s=given.warm_s, measure_s=given.measure_s, clocks={}))

    def _knock(self) -> None:
        url = f"http://{self.rest[0]}:{self.rest[1]}/healthz"
        try:
            urllib.request.urlopen(url, timeout=_PATIENCE_S).close()
        except urllib.error.HTTPError:
            return  # somebody is there; what it can do will be seen
        except OSError as error:
            raise RuntimeError(f"nobody answers at {url} ({error}); start it first, or leave it out") from None


def name_of(who: str, transport: str) -> str:
    """Return what somebody's row is called."""
    return f"{who}, base {_SPELLED[transport]}"


_SPELLED = {"rest": "REST", "grpc": "gRPC"}
REFERENCE = f"{OURS}, base {_SPELLED['rest']}"
"""What the others are compared with."""


def ours(transport: str) -> Callable[[Turn], Figures]:
    """Return a turn of our own engine under the load that peers get."""

    def turn(given: Turn) -> Figures:
        with EngineProcess(given.store) as process:
            port = process.grpc_port if transport == "grpc" else process.port
            return _figures(given.run([_command(transport, (HOST, port))], {"engine": process.cpu_s}))

    return turn


def single(given: Turn) -> Figures:
    """Measure jobs reported one by one, as `floors` does."""
    return engine("rest", "single", CONNECTIONS)(given).figures()


def batched(given: Turn) -> Figures:
    """Measure jobs reported by fifty, as `floors` does."""
    return engine("rest", "batched", BATCHERS)(given).figures()


def dbos(processes: int) -> Callable[[Turn], Figures]:
    """Return a turn of a DBOS application of so many processes; steps count as jobs."""

    def turn(given: Turn) -> Figures:
        command = ["bench.dbos_load", str(DBOS_THREADS), given.where]
        counted = given.run([command] * processes, {}, python=dbos_venv.interpreter())
        counted.cpu_s["engine"] = counted.cpu_s.pop("load")  # it is the engine, and nobody loads it but itself
        return counted.figures()

    return turn


def _command(transport: str, address: Address) -> list[str]:
    return ["bench.closed", transport, "linear", str(CONNECTIONS), address[0], str(address[1])]


def _figures(counted: Counted) -> Figures:
    return counted.figures() | of_instances(counted) | {"wait_ms": max(each["wait_ms"] for each in counted.told)}


def _address(url: str) -> Address:
    parts = urlsplit(url)
    if not parts.hostname or not parts.port:
        raise ValueError(f"'{url.lstrip('/')}' names no host and port")
    return parts.hostname, parts.port
