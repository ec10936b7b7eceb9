"""The asynchronous REST client, on connections of its own: what a worker sends thousands of calls a second through."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from workflow_sdk.client.async_base import AsyncBaseEngineClient
from workflow_sdk.client.auth import AsyncToken, Bearer, warn_in_clear
from workflow_sdk.client.clock import Clock
from workflow_sdk.client.http.connection import Lost
from workflow_sdk.client.http.origin import Origin
from workflow_sdk.client.http.pool import Pool
from workflow_sdk.client.rest_answers import read
from workflow_sdk.client.settings import Settings
from workflow_sdk.client.tls import Tls
from workflow_sdk.errors import ConnectionFailed
from workflow_sdk.retry.calls import repeat_async
from workflow_sdk.retry.policy import Retries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workflow_sdk.operation import Operation, RestRequest

_ALWAYS = {"accept": "application/json", "user-agent": "workflow-sdk"}
_JSON = {"content-type": "application/json"}


class AsyncRestEngineClient(AsyncBaseEngineClient):
    """An asynchronous client over REST. Use it with `async with`, or `close()` it, on the event loop that used it.

    Args:
        base_url: where the engine answers, for example `http://localhost:8080`.
        timeout: seconds for one attempt; time the engine is asked to wait comes on top.
        token: bearer token, or a function that returns one before every attempt; it may be `async def`.
        tls: certificates; None trusts the usual authorities.
        retries: how often calls are sent again that may be; `Retries(attempts=1)` switches it off.
        deadline: seconds for a call with all of its attempts; None = `timeout`.
        clock: time and chance, for tests.

    """

    def __init__(
        self,
        base_url: str,
        timeout: float = 30.0,
        *,
        token: AsyncToken | None = None,
        tls: Tls | None = None,
        retries: Retries | None = None,
        deadline: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._base_url = base_url
        self._settings = Settings(timeout, deadline, Bearer(token), tls, retries or Retries(), clock or Clock())
        self._pool: Pool | None = None
        self._origin = _origin_of(base_url)
        if self._origin is not None:
            secure, host = self._origin.secure, self._origin.host
            warn_in_clear(self._settings.bearer, host, secure=secure, cure="use an https:// URL")

    @classmethod
    def with_settings(cls, base_url: str, settings: Settings) -> AsyncRestEngineClient:
        """Return a client with the settings of another one."""
        client = cls(base_url)
        client._settings = settings
        return client

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._origin.authority if self._origin else 'no URL'!r})"

    async def close(self) -> None:
        """Close the connections. A client can be closed more than once."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None
            await asyncio.sleep(0)  # lets the transports say goodbye before a loop may end

    async def _call(self, operation: Operation, args: Mapping[str, Any]) -> Any:
        request = operation.rest_request(args)

        async def attempt(seconds: float) -> Any:
            return await self._attempt(operation, args, request, seconds)

        return await repeat_async(attempt, operation, args, self._settings)

    async def _attempt(
        self, operation: Operation, args: Mapping[str, Any], request: RestRequest, seconds: float
    ) -> Any:
        headers = request.headers if request.content is None else {**request.headers, **_JSON}
        bearer = await self._settings.bearer.value_async()
        if bearer:
            headers = {**headers, "authorization": bearer}
        pool = self._connected()
        try:
            answer = await pool.ask(request.method, request.target, headers, request.content, seconds)
        except Lost as error:
            raise self._no_answer(error) from error
        status, got, content = answer
        retry_after = got.get(b"retry-after")
        return read(operation, args, status, content, None if retry_after is None else retry_after.decode("latin-1"))

    def _connected(self) -> Pool:
        loop = asyncio.get_running_loop()
        if self._pool is None or self._pool.loop is not loop:
            if self._origin is None:
                raise ConnectionFailed("a base URL looks like http://host:8080; the one given does not", sent=False)
            origin = replace(self._origin, credentials="") if self._settings.bearer else self._origin
            tls = (self._settings.tls or Tls()).context() if origin.secure else None
            self._pool = Pool(origin, tls, _ALWAYS)
        return self._pool

    def _no_answer(self, error: Lost) -> ConnectionFailed:
        where = self._origin.authority if self._origin else ""
        return ConnectionFailed(f"no answer from {where}: {error}", sent=error.sent)


def _origin_of(base_url: str) -> Origin | None:
    """Return the origin, or None: a client is made where no error is expected, so the first call tells."""
    try:
        return Origin.of(base_url)
    except ValueError:
        return None
