"""Where every request is answered: run a handler, turn what it raises into an answer, send it, tell the observer.

Nothing escapes from here but cancellation: a bug becomes 500 with a sentence that says nothing of the inside, and a log
line that says everything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from starlette.types import Receive, Scope, Send

from rochallor.access import Guard
from rochallor.core.errors import InternalError, Unavailable, WorkflowError
from rochallor.shell import traces
from rochallor.shell.acting import acting_for
from rochallor.shell.engine import Engine
from rochallor.transports.rest.answers import Answer, send_answer
from rochallor.transports.rest.call import Call
from rochallor.transports.rest.errors import ClientGone, refusal
from rochallor.transports.rest.overdue import Overdue
from rochallor.transports.rest.query import path_id
from rochallor.transports.rest.request import AsgiRequest, Request
from rochallor.transports.rest.routes import Route
from rochallor.transports.rest.streaming import Pause, Stream, send_stream

Observe = Callable[[str, str, int, float], None]
Timer = Callable[[], float]
Reply = Callable[[Answer | Stream], Awaitable[None]]
Attend = Callable[[Request, Reply], Coroutine[Any, Any, None]]
"""Answers a request that has found its route."""

CLIENT_GONE = 499  # nginx's word for it; only the observer ever sees it
REQUEST_S = 120.0
"""More than the slowest body still accepted and the longest wait take together; only what hangs takes longer."""

log = logging.getLogger("rochallor.rest")


class Reception:
    """Answers requests that have found their route, or have not."""

    def __init__(
        self,
        engine: Engine,
        observe: Observe | None,
        timer: Timer,
        *,
        pause: Pause = asyncio.sleep,
        guard: Guard | None = None,
        request_s: float = REQUEST_S,
    ) -> None:
        self._engine = engine
        self._guard = guard
        self._request_s = request_s
        self._overdue = Overdue(request_s)
        self._observe = observe
        self._timer = timer
        self._pause = pause
        self._limit = engine.settings.max_body_bytes

    async def serve(self, route: Route, ids: tuple[bytes, ...], scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of `route` that an ASGI server passes on; `ids` are its parameters as they were sent."""

        async def sent(answer: Answer | Stream) -> None:
            if isinstance(answer, Stream):
                await send_stream(answer, scope, receive, send, self._pause)
            else:
                await send_answer(answer, scope, send)

        await self.attend(route, ids, AsgiRequest(scope, receive), sent)

    async def attend(self, route: Route, ids: tuple[bytes, ...], request: Request, send: Reply) -> None:
        """Answer a request of `route`, whoever took it in: `send` gets the answer, unless its client has gone."""
        began = self._timer()
        status = CLIENT_GONE
        try:
            answer = await self._answer(route, ids, request)
        except ClientGone:
            pass
        else:
            status = answer.status
            await send(answer)
        self._tell(request.method, route.template, status, began)

    async def refuse(self, error: WorkflowError, template: str, scope: Scope, send: Send) -> None:
        """Answer a request that has no route or the wrong method."""
        began = self._timer()
        answer = refusal(error)
        await send_answer(answer, scope, send)
        self._tell(scope["method"], template, answer.status, began)

    async def _answer(self, route: Route, ids: tuple[bytes, ...], request: Request) -> Answer | Stream:
        task = self._overdue.begin()
        try:
            call = Call(request, tuple(map(path_id, ids)), self._limit)
            traces.enter(call.header(b"traceparent").decode("latin-1"))
            engine = self._engine if self._guard is None else self._admitted(self._guard, route, call)
            return await route.handler(engine, call)
        except WorkflowError as error:
            return refusal(error)
        except asyncio.CancelledError:
            if not self._overdue.end(task):
                raise
            task.uncancel()
            return refusal(_took_too_long(self._request_s))
        except ClientGone:
            raise
        except Exception:
            log.exception("request failed by a bug", extra={"method": route.method, "route": route.template})
            return refusal(InternalError("the engine has a bug; its log has the rest, please report it"))
        finally:
            self._overdue.end(task)

    def _admitted(self, guard: Guard, route: Route, call: Call) -> Engine:
        """Return the engine as the request's caller may use it; raises `Unauthorized`, `Forbidden`."""
        return acting_for(self._engine, guard.admit(route.operation, call.header(b"authorization")))

    def _tell(self, method: str, template: str, status: int, began: float) -> None:
        if self._observe is not None:
            self._observe(method, template, status, self._timer() - began)


def _took_too_long(limit_s: float) -> Unavailable:
    message = f"this took longer than {limit_s:g} s and was given up; read the state back before you ask again"
    return Unavailable(message, retry_after_ms=1_000)
