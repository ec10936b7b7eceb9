"""The process that looks after the workers: starts them, replaces them, answers for them at /metrics, stops them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import structlog

from rochallor.config import Config
from rochallor.serve.listener import Listener
from rochallor.serve.metrics_app import MetricsPage
from rochallor.serve.plan import is_loopback
from rochallor.serve.process import FAILED, OK, stop_at_signals
from rochallor.serve.security import Security
from rochallor.serve.server import GRACE_S, Addresses
from rochallor.serve.shared_ports import reserve
from rochallor.serve.workers.merge import kept, merged
from rochallor.serve.workers.worker import Worker

log = structlog.get_logger("rochallor.serve")

FIRST_PAUSE_S, LAST_PAUSE_S = 0.1, 5.0
HEALTHY_S = 30.0
"""Who has lived so long is replaced at once; who dies sooner, after ever longer pauses."""
READY_S = 60.0
PATIENCE_S = GRACE_S + 10.0
CONNECTIONS_PER_CORE, FEWEST_CONNECTIONS = 4, 4


async def serve_many(config: Config, host: str, security: Security, on_ready: Callable[[Addresses], None]) -> int:
    """Serve with `config.workers` processes until SIGTERM or SIGINT; return the exit code."""
    stop = stop_at_signals()
    with ExitStack() as held:
        try:
            rest, grpc = (reserve(host, port) for port in (config.rest_port, config.grpc_port))
            for reserved in (rest, grpc):
                held.enter_context(reserved.holder)
            family = Family(for_workers(config, rest.port, grpc.port), config.workers)
            metrics = await _listen(config, host, security, family)
        except OSError as error:
            log.error("cannot start", reason=str(error))  # noqa: TRY400 - the sentence says it all
            return FAILED
        if security.tokens is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, family.reload, security.tokens.reload)
        try:
            if not await family.start():
                return FAILED
            shown, scheme = f"[{host}]" if ":" in host else host, "https" if security.tls else "http"
            page = f"{scheme}://{shown}:{metrics.port}/metrics"
            on_ready(Addresses(f"{scheme}://{shown}:{rest.port}", f"{shown}:{grpc.port}", page))
            await stop.wait()
            log.info("stopping", workers=config.workers)
        finally:
            clean = await family.stop()
            await metrics.stop()
    log.info("stopped")
    return OK if clean else FAILED


def for_workers(config: Config, rest_port: int, grpc_port: int) -> Config:
    """Return the settings of each worker: the ports fixed, the database's connections shared out."""
    all_of_them = config.db_max_conns or CONNECTIONS_PER_CORE * (os.cpu_count() or 1)
    each = max(all_of_them // config.workers, FEWEST_CONNECTIONS)
    return replace(config, workers=1, rest_port=rest_port, grpc_port=grpc_port, db_max_conns=each)


async def _listen(config: Config, host: str, security: Security, family: Family) -> Listener:
    page = MetricsPage(family.metrics, None if is_loopback(host) else security.guard)
    listener = Listener(page, grace_s=GRACE_S, tls=security.tls.context if security.tls else None)
    await listener.start(host, config.metrics_port)
    return listener


class Family:
    """The workers, each in its place, numbered from 1."""

    def __init__(self, config: Config, count: int) -> None:
        self._config = config
        self._numbers = range(1, count + 1)
        self._workers: dict[int, Worker] = {}
        self._pages: dict[int, str] = {}
        self._of_the_dead = ""
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self) -> bool:
        """Start all of them; False, with a log line, when one cannot."""
        for number in self._numbers:
            self._workers[number] = await Worker.start(number, self._config)
        try:
            async with asyncio.timeout(READY_S):
                ready = await asyncio.gather(*(worker.became_ready() for worker in self._workers.values()))
        except asyncio.TimeoutError:
            ready = [False]
        if not all(ready):
            log.error("cannot start", reason="a worker did not become ready; its lines above say why")
            return False
        self._keepers = [asyncio.create_task(self._keep(number)) for number in self._numbers]
        return True

    async def stop(self) -> bool:
        """Let all of them finish what they have in flight; return whether all ended well."""
        self._stopping = True
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        return all(await asyncio.gather(*map(_ended_well, self._workers.values())))

    async def metrics(self) -> bytes:
        """Return one page for all of them."""
        pages = await asyncio.gather(*(self._page(number) for number in self._numbers))
        return merged([page for page in pages if page is not None], [self._of_the_dead])

    def reload(self, own: Callable[[], object]) -> None:
        """Read the tokens anew, here and in every worker."""
        own()
        for worker in self._workers.values():
            worker.signal(signal.SIGHUP)

    async def _page(self, number: int) -> str | None:
        page = await self._workers[number].metrics()
        if page is not None:
            self._pages[number] = page
        return page

    async def _keep(self, number: int) -> None:
        """Replace the worker of this number whenever it ends."""
        now, pause_s = asyncio.get_running_loop().time, 0.0
        while True:
            began = now()
            code = await self._workers[number].ended()
            self._of_the_dead = kept([self._of_the_dead, self._pages.pop(number, "")])
            pause_s = 0.0 if now() - began >= HEALTHY_S else min(max(2 * pause_s, FIRST_PAUSE_S), LAST_PAUSE_S)
            log.warning("a worker ended and is replaced", number=number, code=code, in_s=pause_s)
            await asyncio.sleep(pause_s)
            worker = await Worker.start(number, self._config)
            self._workers[number] = worker
            if await worker.became_ready():
                log.info("worker ready", number=number, pid=worker.pid)


async def _ended_well(worker: Worker) -> bool:
    worker.signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await worker.ended() == OK
    except asyncio.TimeoutError:
        log.error("a worker did not stop in time and is killed", number=worker.number)  # noqa: TRY400 - no more to say
        worker.signal(signal.SIGKILL)
        await worker.ended()
        return False
