"""The asynchronous REST client: sends what the operation table describes through aiohttp."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from workflow_sdk.client.address import HEADERS, KEEPALIVE_SECONDS, proxy_of, shown_url
from workflow_sdk.client.async_base import Json
from workflow_sdk.client.async_face import AsyncClient
from workflow_sdk.client.auth import AsyncToken, Bearer, warn_in_clear
from workflow_sdk.client.clock import Clock
from workflow_sdk.client.repeat import repeat_async
from workflow_sdk.client.rest_answers import error_of, read
from workflow_sdk.client.settings import Settings
from workflow_sdk.client.tls import Tls
from workflow_sdk.client.watching import NOTHING_MORE, READ_SECONDS, event_of
from workflow_sdk.errors import ConnectionFailed
from workflow_sdk.retry.policy import Retries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from workflow_sdk.operation import Operation, RestRequest

_JSON = {"content-type": "application/json"}
# What goes wrong before the first byte of the request leaves.
_NEVER_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)


class AsyncRestEngineClient(AsyncClient):
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
        self._base_url = base_url.rstrip("/")
        self._settings = Settings(timeout, deadline, Bearer(token), tls, retries or Retries(), clock or Clock())
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        if token is not None:
            url = URL(base_url)
            warn_in_clear(
                self._settings.bearer, url.host or "", secure=url.scheme == "https", cure="use an https:// URL"
            )

    @classmethod
    def with_settings(cls, base_url: str, settings: Settings) -> AsyncRestEngineClient:
        """Return a client with the settings of another one."""
        client = cls(base_url)
        client._settings = settings
        return client

    def twin(self) -> AsyncRestEngineClient | None:
        """Return a fresh client with the same settings, for another event loop; it repeats nothing by itself."""
        return AsyncRestEngineClient.with_settings(self._base_url, self._settings.once())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({shown_url(self._base_url)!r})"

    async def close(self) -> None:
        """Close the connections. A client can be closed more than once."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            await asyncio.sleep(0)  # lets the transports say goodbye before a loop may end

    async def _call(self, operation: Operation, args: Mapping[str, Any]) -> Any:
        request = operation.rest_request(args)

        async def attempt(seconds: float) -> Any:
            return await self._attempt(operation, args, request, seconds)

        return await repeat_async(attempt, operation, args, self._settings)

    async def _attempt(
        self, operation: Operation, args: Mapping[str, Any], request: RestRequest, seconds: float
    ) -> Any:
        headers = await self._headers(request)
        try:
            async with self._connected().request(
                request.method,
                URL(self._base_url + request.target, encoded=True),
                data=request.content,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=seconds),
                allow_redirects=False,
            ) as response:
                content = await response.read()
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise self._no_answer(error) from error
        return read(operation, args, response.status, content, response.headers.get("retry-after"))

    async def _stream(self, operation: Operation, args: Mapping[str, Any]) -> AsyncIterator[Json]:
        """Read server-sent events; a stream that ends is asked for more until the engine says that there is no more."""
        timeout = aiohttp.ClientTimeout(sock_connect=self._settings.timeout, sock_read=READ_SECONDS)
        while True:
            request = operation.rest_request(args)
            headers = await self._headers(request)
            url = URL(self._base_url + request.target, encoded=True)
            try:
                async with self._connected().get(url, headers=headers, timeout=timeout) as response:
                    if response.status != HTTPStatus.OK:
                        content = await response.read()
                        if response.status == NOTHING_MORE:
                            return
                        raise error_of(operation, response.status, content, response.headers.get("retry-after"))
                    async for line in response.content:
                        text = event_of(line.decode())
                        if text is not None:
                            event: Json = json.loads(text)
                            args = {**args, "after": event["revision"]}
                            yield event
            except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
                raise self._no_answer(error) from error

    async def _headers(self, request: RestRequest) -> Mapping[str, str]:
        headers = request.headers if request.content is None else {**request.headers, **_JSON}
        bearer = await self._settings.bearer.value_async()
        return {**headers, "authorization": bearer} if bearer else headers

    def _connected(self) -> aiohttp.ClientSession:
        """Return the session; its connections belong to a loop, so it is made where it is first used."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            secure = self._base_url.startswith("https:")
            # No limit: who asks for many things at once has a reason, and a poll that waits must not block a report.
            connector = aiohttp.TCPConnector(
                limit=0,
                keepalive_timeout=KEEPALIVE_SECONDS,
                ssl=(self._settings.tls or Tls()).context() if secure else True,
            )
            self._loop, self._session = (
                loop,
                aiohttp.ClientSession(
                    connector=connector,
                    headers=HEADERS,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    proxy=proxy_of(self._base_url),
                ),
            )
        return self._session

    def _no_answer(self, error: Exception) -> ConnectionFailed:
        reason = str(error) or type(error).__name__
        return ConnectionFailed(
            f"no answer from {shown_url(self._base_url)}: {reason}", sent=not isinstance(error, _NEVER_SENT)
        )
