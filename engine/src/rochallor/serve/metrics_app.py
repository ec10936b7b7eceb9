"""GET /metrics: the engine's series, and what only a look into the store can tell (who waits, how long).

Names of job types say something about a business, so beyond this machine the page takes a token where there are any.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from starlette.types import Receive, Scope, Send

from rochallor.access import Guard
from rochallor.core.errors import Unavailable, WorkflowError
from rochallor.shell.engine import Engine
from rochallor.transports.rest.answers import send_answer
from rochallor.transports.rest.errors import refusal


class ScrapedGauges:
    """Series that are looked up when somebody asks."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._waiting = self._gauge("rochallor_waiting_jobs", "Jobs ready for a worker.")
        self._oldest = self._gauge("rochallor_oldest_waiting_job_seconds", "Age of the oldest job without a worker.")
        self._pollers = self._gauge("rochallor_pollers", "Workers' polls waiting for a job.")
        self._unpolled = self._gauge(
            "rochallor_job_type_unpolled_seconds", "How long nobody has asked for a type of which jobs wait."
        )

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, ["job_type"], registry=self.registry)

    async def refresh(self, engine: Engine) -> None:
        """Read them anew; while the store is away they have no values."""
        for gauge in (self._waiting, self._oldest, self._pollers, self._unpolled):
            gauge.clear()
        now_ms = engine.clock.now_ms()
        try:
            backlog = await engine.store.reads.backlog(now_ms)
        except Unavailable:
            backlog = []
        polling = engine.executor.polls.counts()
        for row in backlog:
            self._waiting.labels(row.job_type).set(row.waiting)
            self._oldest.labels(row.job_type).set(max(0, now_ms - row.oldest_created_at_ms) / 1000)
            silent_ms = 0 if row.job_type in polling else engine.executor.polls.times.silent_ms(row.job_type, now_ms)
            self._unpolled.labels(row.job_type).set(silent_ms / 1000)
        for job_type, count in polling.items():
            self._pollers.labels(job_type).set(count)


class EngineMetrics:
    """The page of one engine. While the store is away, it lacks what is read from it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._scraped = ScrapedGauges()

    async def __call__(self) -> bytes:
        """Return the page as it is now."""
        await self._scraped.refresh(self._engine)
        return generate_latest(self._engine.metrics.registry) + generate_latest(self._scraped.registry)


class MetricsPage:
    """An ASGI application with one page, which `page` makes when it is asked for."""

    def __init__(self, page: Callable[[], Awaitable[bytes]], guard: Guard | None = None) -> None:
        self._page = page
        self._guard = guard

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        if scope["path"] != "/metrics":
            await _send(send, 404, "text/plain", b"the metrics are at /metrics\n")
            return
        if self._guard is not None:
            try:
                self._guard.admit("getMetrics", dict(scope["headers"]).get(b"authorization", b""))
            except WorkflowError as error:
                await send_answer(refusal(error), scope, send)
                return
        await _send(send, 200, CONTENT_TYPE_LATEST, await self._page())


async def _send(send: Send, status: int, media: str, body: bytes) -> None:
    headers: list[Any] = [(b"content-type", media.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
