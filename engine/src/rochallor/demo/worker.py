"""The worker as a process of its own, built with the SDK; the engine and the demo know only its command line."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec

from rochallor.demo.journeys import WORKER

STOP_S = 5.0
READY_S = 15.0
LOOK_AGAIN_S = 0.02


class WorkerMissing(Exception):
    """The demo's worker cannot run here."""


@asynccontextmanager
async def worker(engine_url: str) -> AsyncIterator[Process]:
    """Run the example's worker against an engine; raises `WorkerMissing` when its SDK is not installed."""
    if find_spec("workflow_sdk") is None:
        raise WorkerMissing("the demo's worker needs the SDK: pip install workflow-sdk")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(WORKER), "--engine", engine_url, stdin=DEVNULL, stdout=DEVNULL
    )
    try:
        yield process
    finally:
        await _stop(process)


async def polling(process: Process, counts: Callable[[], Mapping[str, int]]) -> None:
    """Return when polls of the worker wait (`counts` them per job type); raises `WorkerMissing` if none ever does."""
    try:
        async with asyncio.timeout(READY_S):
            while not counts():
                if process.returncode is not None:
                    raise WorkerMissing(f"the worker stopped with exit code {process.returncode}")
                await asyncio.sleep(LOOK_AGAIN_S)
    except TimeoutError:
        raise WorkerMissing(f"the worker asked for no job within {READY_S:.0f} s") from None


async def _stop(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
