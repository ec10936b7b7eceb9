"""The REST client: sends what the operation table describes and turns refusals into typed errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx

from workflow_sdk.client.base import BaseEngineClient
from workflow_sdk.errors import ConnectionFailed, EngineClientError, engine_error
from workflow_sdk.operations import Operation, RestRequest, wait_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

# Servers close idle connections after five seconds or more. Closing first keeps a request from being written into a
# connection that is just going away, which would leave it unknown whether it was taken.
_KEEPALIVE_SECONDS = 4.0
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=_KEEPALIVE_SECONDS)
# What goes wrong before the first byte of the request leaves.
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
_OK = range(200, 300)
_TEXT_LIMIT = 500


class RestEngineClient(BaseEngineClient):
    """A synchronous client over REST; safe to share between threads. Use it as a context manager, or `close()` it.

    Args:
        base_url: where the engine answers, for example `http://localhost:8080`.
        timeout: seconds for one call; time the engine is asked to wait comes on top.
        token: bearer token, or a function that returns one before every call.

    """

    def __init__(self, base_url: str, timeout: float = 30.0, *, token: str | Callable[[], str] | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._timeout = timeout
        self._http = httpx.Client(limits=_LIMITS, headers={"accept": "application/json"})

    def close(self) -> None:
        """Close the connections. A client can be closed more than once."""
        self._http.close()

    def _call(self, operation: Operation, args: Mapping[str, Any]) -> Any:
        response = self._send(operation.rest_request(args), self._timeout + wait_seconds(args))
        if response.status_code not in _OK:
            raise error_of(response)
        return operation.read(_body_of(response), args)

    def _send(self, request: RestRequest, timeout: float) -> httpx.Response:
        headers = request.headers
        if request.content is not None:
            headers = {**headers, "content-type": "application/json"}
        if self._token is not None:
            token = self._token if isinstance(self._token, str) else self._token()
            headers = {**headers, "authorization": f"Bearer {token}"}
        try:
            return self._http.request(
                request.method,
                self._base_url + request.target,
                content=request.content,
                headers=headers,
                timeout=timeout,
            )
        except (httpx.TransportError, httpx.InvalidURL) as error:
            sent = not isinstance(error, (*_NEVER_SENT, httpx.InvalidURL))
            raise ConnectionFailed(_no_answer(self._base_url, error), sent=sent) from error


def error_of(response: httpx.Response) -> EngineClientError:
    """Return the typed error of an answer, whichever generation of engine, or proxy in front of it, wrote it."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        text = response.text.strip()[:_TEXT_LIMIT] or response.reason_phrase
        return engine_error(response.status_code, text, retry_after=_retry_after(response))
    message = body.get("message") or body.get("reason") or body.get("error") or response.reason_phrase
    details = body.get("details")
    return engine_error(
        response.status_code,
        str(message),
        details=[detail for detail in details if isinstance(detail, dict)] if isinstance(details, list) else (),
        retry_after=_retry_after(response),
    )


def _body_of(response: httpx.Response) -> Any:
    if not response.content:
        return None
    try:
        return json.loads(response.content)
    except ValueError:
        raise EngineClientError(
            response.status_code,
            "the answer is not JSON; is there a workflow engine at this URL?",
            code="not-json",
        ) from None


def _retry_after(response: httpx.Response) -> float | None:
    try:
        return max(0.0, float(response.headers["retry-after"]))
    except (KeyError, ValueError):
        return None


def _no_answer(base_url: str, error: Exception) -> str:
    return f"no answer from {base_url}: {str(error) or type(error).__name__}"
