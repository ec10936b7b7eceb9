"""Where an engine's time goes, as a picture: a sampler looks at a real engine process while it takes single reports.

The sampler is py-spy, which reads a running process from outside; the engine knows nothing of it.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bench.engine import EngineProcess
from bench.flamegraph import Call, folded
from bench.flow import CLAIM, STEPS, definition
from bench.load import storm, work
from bench.stores import Environment
from bench.wire import Connection

CONNECTIONS, POLLERS = 64, 2
PER_SECOND = 400
_WARM_UP = 4 * CONNECTIONS
_END_S = 30.0


def sampler() -> str:
    """Return the sampler's path.

    Raises:
        FileNotFoundError: it is not installed.

    """
    beside = Path(sys.executable).parent / "py-spy"
    found = str(beside) if beside.exists() else shutil.which("py-spy")
    if found is None:
        raise FileNotFoundError("py-spy is not installed; `pip install py-spy` brings it")
    return found


def measure(store: Environment, instances: int) -> Call:
    """Start instances, then have all their jobs reported one by one; return the calls of that second part.

    Raises:
        FileNotFoundError: there is no sampler.
        RuntimeError: the engine or the sampler failed.

    """
    sampler()  # before anything is started
    with EngineProcess(store) as engine, tempfile.TemporaryDirectory() as folder:
        samples = Path(folder) / "samples"
        asyncio.run(_drive(engine, instances, samples))
        try:
            return folded(line for line in samples.read_text().splitlines() if not waits(line))
        except ValueError as error:
            raise RuntimeError(str(error)) from error


def waits(stack: str) -> bool:
    """Return whether a sample is of a thread that waits for work, which samplers take for work."""
    calls = stack.rpartition(" ")[0].split(";")
    return "(threading.py" in calls[0] and any(part in calls[-1] for part in ("(threading.py", "/futures/thread.py"))


async def _drive(engine: EngineProcess, instances: int, samples: Path) -> None:
    every = [await Connection.open("127.0.0.1", engine.port) for _ in range(CONNECTIONS + POLLERS)]
    connections, pollers = every[:CONNECTIONS], every[CONNECTIONS:]
    try:
        await connections[0].post("/v1/definitions", definition())
        await storm(connections, _WARM_UP)
        await work(connections, pollers, _WARM_UP * STEPS, CLAIM)
        await storm(connections, instances)
        command = [sampler(), "record", "--pid", str(engine.pid), "--rate", str(PER_SECOND), "--format", "raw"]
        await _sampled([*command, "--duration", "3600", "--output", str(samples)], connections, pollers, instances)
    finally:
        for connection in every:
            connection.close()
        await asyncio.sleep(0)  # the transports close their sockets at the next turn of the loop


async def _sampled(
    command: Sequence[str], connections: Sequence[Connection], pollers: Sequence[Connection], instances: int
) -> None:
    looking = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    assert looking.stdout is not None
    try:
        said = await looking.stdout.readline()  # now it looks, or says why it cannot
        await work(connections, pollers, instances * STEPS, CLAIM)
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself, and its code says how
            looking.send_signal(signal.SIGINT)  # it writes what it has seen
    rest, _ = await asyncio.wait_for(looking.communicate(), _END_S)
    if looking.returncode:
        raise RuntimeError(f"the sampler ended with {looking.returncode}: {(said + rest).decode().strip()[-500:]}")
