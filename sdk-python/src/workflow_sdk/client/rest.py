"""The synchronous REST client: sends what the operation table describes through httpx."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx

from workflow_sdk.client.address import HEADERS, KEEPALIVE_SECONDS, shown_url
from workflow_sdk.client.auth import Bearer, Token, warn_in_clear
from workflow_sdk.client.base import BaseEngineClient, Json
from workflow_sdk.client.clock import Clock
from workflow_sdk.client.face import Client
from workflow_sdk.client.repeat import repeat
from workflow_sdk.client.rest_answers import error_of, read
from workflow_sdk.client.settings import Settings
from workflow_sdk.client.tls import Tls
from workflow_sdk.client.unaltered import unaltered_client, unaltered_http
from workflow_sdk.client.watching import NOTHING_MORE, READ_SECONDS, event_of
from workflow_sdk.errors import ConnectionFailed
from workflow_sdk.retry.policy import Retries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workflow_sdk.client.async_rest import AsyncRestEngineClient
    from workflow_sdk.operation import Operation, RestRequest

_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=KEEPALIVE_SECONDS)
# What goes wrong before the first byte of the request leaves.
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


class RestEngineClient(Client):
    """A synchronous client over REST; safe to share between threads. Use it as a context manager, or `close()` it.

    Args:
        base_url: where the engine answers, for example `http://localhost:8080`.
        timeout: seconds for one attempt; time the engine is asked to wait comes on top.
        token: bearer token, or a function that returns one before every attempt.
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
        token: Token | None = None,
        tls: Tls | None = None,
        retries: Retries | None = None,
        deadline: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._settings = Settings(timeout, deadline, Bearer(token), tls, retries or Retries(), clock or Clock())
        self._http = httpx.Client(limits=_LIMITS, headers=HEADERS, verify=True if tls is None else tls.context())
        if token is not None:
            url = httpx.URL(base_url)
            warn_in_clear(self._settings.bearer, url.host, secure=url.scheme == "https", cure="use an https:// URL")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({shown_url(self._base_url)!r})"

    def close(self) -> None:
        """Close the connections. A client can be closed more than once."""
        self._http.close()

    def async_twin(self) -> AsyncRestEngineClient | None:
        """Return an asynchronous client with the same settings, for a worker, which repeats calls by its own rules.

        None for a client that was altered, or on an httpx that was: a test that put its own answers there wants them.
        """
        if not (unaltered_client(self, RestEngineClient, BaseEngineClient) and unaltered_http(self._http)):
            return None
        from workflow_sdk.client.async_rest import AsyncRestEngineClient  # noqa: PLC0415 - only workers need it

        return AsyncRestEngineClient.with_settings(self._base_url, self._settings.once())

    def _call(self, operation: Operation, args: Mapping[str, Any]) -> Any:
        request = operation.rest_request(args)
        return repeat(lambda seconds: self._attempt(operation, args, request, seconds), operation, args, self._settings)

    def _attempt(self, operation: Operation, args: Mapping[str, Any], request: RestRequest, seconds: float) -> Any:
        response = self._send(request, seconds)
        return read(operation, args, response.status_code, response.content, response.headers.get("retry-after"))

    def _stream(self, operation: Operation, args: Mapping[str, Any]) -> Iterator[Json]:
        """Read server-sent events; a stream that ends is asked for more until the engine says that there is no more."""
        while True:
            request = operation.rest_request(args)
            try:
                with self._http.stream(
                    request.method,
                    self._base_url + request.target,
                    headers=self._headers(request),
                    timeout=httpx.Timeout(self._settings.timeout, read=READ_SECONDS),
                ) as response:
                    if response.status_code != HTTPStatus.OK:
                        content = response.read()
                        if response.status_code == NOTHING_MORE:
                            return
                        raise error_of(operation, response.status_code, content, response.headers.get("retry-after"))
                    for line in response.iter_lines():
                        text = event_of(line)
                        if text is not None:
                            event: Json = json.loads(text)
                            args = {**args, "after": event["revision"]}
                            yield event
            except (httpx.RequestError, httpx.InvalidURL) as error:
                raise self._no_answer(error) from error

    def _send(self, request: RestRequest, seconds: float) -> httpx.Response:
        try:
            return self._http.request(
                request.method,
                self._base_url + request.target,
                content=request.content,
                headers=self._headers(request),
                timeout=seconds,
            )
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise self._no_answer(error) from error

    def _headers(self, request: RestRequest) -> dict[str, str]:
        headers = dict(request.headers)
        if request.content is not None:
            headers["content-type"] = "application/json"
        if self._settings.bearer:
            headers["authorization"] = self._settings.bearer.value()
        return headers

    def _no_answer(self, error: Exception) -> ConnectionFailed:
        reason = str(error) or type(error).__name__
        return ConnectionFailed(
            f"no answer from {shown_url(self._base_url)}: {reason}", sent=not isinstance(error, _NEVER_SENT)
        )
