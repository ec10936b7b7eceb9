"""The process that looks after the workers: starts them, replaces them, answers for them at /metrics, stops them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace

import structlog

from rochallor.config import Config
from rochallor.serve.listener import Listener
from rochallor.serve.metrics_app import MetricsPage
from rochallor.serve.plan import is_loopback
from rochallor.serve.process import FAILED, OK, first_of, stop_at_signals
from rochallor.serve.security import Security
from rochallor.serve.server import GRACE_S, Addresses
from rochallor.serve.shared_ports import reserve
from rochallor.serve.workers.merge import kept, merged
from rochallor.serve.workers.worker import Worker

log = structlog.get_logger("rochallor.serve")

FIRST_PAUSE_S, LAST_PAUSE_S = 0.1, 5.0
HEALTHY_S = 30.0
"""Who has lived so long is replaced at once; who dies sooner, after ever longer pauses."""
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
            if not await family.start(stop):
                return FAILED
            shown, scheme = f"[{host}]" if ":" in host else host, "https" if security.tls else "http"
            page = f"{scheme}://{shown}:{metrics.port}/metrics"
            if not stop.is_set():
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
    most = max(all_of_them // config.workers, FEWEST_CONNECTIONS)
    if config.db_max_conns and most * config.workers > config.db_max_conns:
        log.warning(
            "DB_MAX_CONNS is too small for this many workers: raise it, or lower WE_WORKERS",
            db_max_conns=config.db_max_conns,
            each=most,
        )
    fewest = config.db_min_conns // config.workers
    return replace(config, workers=1, rest_port=rest_port, grpc_port=grpc_port, db_max_conns=most, db_min_conns=fewest)


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
        self._of_the_dead = ""
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self, stop: asyncio.Event) -> bool:
        """Start all of them, unless told to stop; False, with a log line, when one cannot."""
        for number in self._numbers:
            self._workers[number] = await Worker.start(number, self._config)
        try:
            await first_of(self._all_ready(), stop.wait())
        except ChildProcessError as error:
            log.error("cannot start", reason=str(error))  # noqa: TRY400 - the sentence says it all
            return False
        if not stop.is_set():
            self._keepers = [asyncio.create_task(self._keep(number)) for number in self._numbers]
        return True

    async def _all_ready(self) -> None:
        """Open the doors when everybody has started, or the first would get all the work at once."""
        workers = self._workers.values()
        await asyncio.gather(*(worker.became(worker.started) for worker in workers))
        for worker in workers:
            worker.listen()
        await asyncio.gather(*(worker.became(worker.ready) for worker in workers))

    async def stop(self) -> bool:
        """Let all of them finish what they have in flight; return whether all ended well."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        return all(await asyncio.gather(*map(_ended_well, self._workers.values())))

    async def metrics(self) -> bytes:
        """Return one page for all of them; of who does not answer, what is known counts."""
        asked = list(self._workers.values())
        answered = await asyncio.gather(*(worker.ask() for worker in asked))
        fresh = {worker for worker, has_answered in zip(asked, answered, strict=True) if has_answered}
        silent = [worker.page for worker in self._workers.values() if worker not in fresh]
        return merged([worker.page for worker in fresh], [*silent, self._of_the_dead])

    def reload(self, own: Callable[[], object]) -> None:
        """Read the tokens anew, here and in every worker."""
        own()
        for worker in self._workers.values():
            worker.reload()

    def _bury(self, worker: Worker) -> None:
        """Keep what a dead worker has counted; its page would count it once more."""
        self._of_the_dead = kept([self._of_the_dead, worker.page])
        worker.page = ""

    async def _keep(self, number: int) -> None:
        """Replace the worker of this number whenever it ends."""
        now, pause_s = asyncio.get_running_loop().time, 0.0
        while True:
            began = now()
            worker = self._workers[number]
            code = await worker.ended()
            self._bury(worker)
            pause_s = 0.0 if now() - began >= HEALTHY_S else min(max(2 * pause_s, FIRST_PAUSE_S), LAST_PAUSE_S)
            log.warning("a worker ended and is replaced", number=number, code=code, in_s=pause_s)
            await asyncio.sleep(pause_s)
            self._workers[number] = worker = await Worker.start(number, self._config)
            worker.listen()
            with suppress(ChildProcessError):
                await worker.became(worker.ready)
                log.info("worker ready", number=number, pid=worker.pid)


async def _ended_well(worker: Worker) -> bool:
    """Stop a worker; True unless it was serving and did not finish: who is being replaced has nothing to finish."""
    if worker.has_ended:
        return True
    was_serving = worker.ready.is_set()
    worker.signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await worker.ended() == OK or not was_serving
    except asyncio.TimeoutError:
        log.error("a worker did not stop in time and is killed", number=worker.number)  # noqa: TRY400 - no more to say
        worker.signal(signal.SIGKILL)
        await worker.ended()
        return False
