"""`rochallor dev --demo`: the loan application, from nothing to its end, on a real engine with a worker process."""

from __future__ import annotations

import asyncio
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Sequence
from contextlib import suppress

from rich.console import Console

from rochallor.core.errors import WorkflowError
from rochallor.demo.board import Board
from rochallor.demo.callers import Caller, CallFailed, GrpcCaller, RestCaller
from rochallor.demo.journeys import APPLICATION, DISBURSEMENT, JOURNEYS, Journey, definition, hurried
from rochallor.demo.play import Result, play
from rochallor.demo.report import table, verdict
from rochallor.demo.worker import WorkerMissing, polling, worker
from rochallor.serve import Addresses, Server, stop_at_signals

OK, FAILED, INTERRUPTED = 0, 1, 130


class DemoFailed(Exception):
    """The demo could not be shown."""


async def demo(server: Server, console: Console, journeys: Sequence[Journey] = JOURNEYS) -> int:
    """Start the server and a worker, play the journeys, stop both; return 0 if all ended where they should."""
    stop = stop_at_signals()
    try:
        addresses = await server.start()
    except (OSError, WorkflowError) as error:
        console.print(f"the engine cannot start: {error}")
        return FAILED
    console.print(f"engine at {addresses.rest} and {addresses.grpc} (gRPC), its worker is a process of its own\n")
    try:
        results = await _unless_stopped(_journeys(server, addresses, console, journeys), stop)
    except (WorkerMissing, CallFailed, DemoFailed) as error:
        console.print(f"the demo cannot go on: {error}")
        return FAILED
    finally:
        await server.stop()
    if results is None:
        console.print("\nstopped")
        return INTERRUPTED
    console.print(table(results))
    for sentence in verdict(results):
        console.print(sentence, highlight=False)
    return FAILED if any(result.trouble for result in results) else OK


async def _journeys(
    server: Server, addresses: Addresses, console: Console, journeys: Sequence[Journey]
) -> list[Result]:
    rest, grpc = RestCaller(addresses.rest), GrpcCaller(addresses.grpc)
    try:
        await rest.upload(definition(DISBURSEMENT))
        application = definition(APPLICATION)
        versions = {False: await rest.upload(application), True: await rest.upload(hurried(application))}
        async with worker(addresses.rest) as process:
            await polling(process, server.engine.executor.polls.counts)
            results = []
            for number, journey in enumerate(journeys, 1):
                caller: Caller = rest if journey.door == "REST" else grpc
                key = f"demo-{number}-{time.time_ns()}"
                with Board(journey, key, console) as board:
                    server.engine.executor.after_commit.append(board.see)
                    playing = play(journey, caller, versions[journey.hurried], key, time.perf_counter)
                    results.append(await _beside(process, playing))
                    server.engine.executor.after_commit.remove(board.see)
            return results
    finally:
        await grpc.close()


async def _beside(process: Process, playing: Awaitable[Result]) -> Result:
    """Return what `playing` returns; raises `DemoFailed` when the worker ends first."""
    task, ended = asyncio.ensure_future(playing), asyncio.ensure_future(process.wait())
    try:
        await asyncio.wait((task, ended), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise DemoFailed(f"the worker stopped with exit code {process.returncode}")
        return await task
    finally:
        task.cancel()
        ended.cancel()
        await asyncio.gather(task, ended, return_exceptions=True)


async def _unless_stopped(work: Awaitable[list[Result]], stop: asyncio.Event) -> list[Result] | None:
    """Return what `work` returns, or None when a signal asked for the end first."""
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not task.done():
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return None
    return await task
