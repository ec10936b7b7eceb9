"""Operations over REST, and requests written by hand for what only REST can say wrongly."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import quote

import httpx

from rochallor_conformance.contract.errors import codes_of_http
from rochallor_conformance.contract.operations import Operation
from rochallor_conformance.transports.exchange import (
    REST,
    Answer,
    Exchange,
    Inexpressible,
    Journal,
    Json,
    Unreachable,
)

TIMEOUT_S = 40.0  # a long poll holds for 30
OK_BELOW = 400
METHOD_UNKNOWN = (404, 405)


@cache
def tls() -> ssl.SSLContext:
    """Return what all clients check certificates with; to load it takes longer than many a case."""
    return httpx.create_ssl_context(trust_env=False)


class RestTransport:
    """One engine's REST door. `url` is its root; `headers` go with every request."""

    name = REST

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.url = url.rstrip("/")
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=20)
        self._http = httpx.AsyncClient(
            base_url=self.url,
            timeout=TIMEOUT_S,
            limits=limits,
            verify=tls(),
            trust_env=False,
            headers=dict(headers or {}),
        )

    async def call(self, operation: Operation, args: Json, journal: Journal, *, token: str = "") -> Answer:
        """Carry out one operation."""
        path, query, headers, body = split(operation, args)
        content = None
        if body is not None:
            content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
            headers["content-type"] = "application/json"
        if token:
            headers["authorization"] = f"Bearer {token}"
        target = f"{path}?{httpx.QueryParams(query)}" if query else path
        entry = journal.begin(REST, operation.id, f"{operation.method} {target}", body, dict(headers))
        entry.wire = content.decode() if content else ""
        return await self._send(operation.method, target, headers, content, (journal, entry))

    async def raw(
        self, method: str, target: str, headers: Mapping[str, str], content: bytes | None, journal: Journal
    ) -> Answer:
        """Send a request as it stands."""
        shown = content.decode("utf-8", "replace") if content is not None else None
        entry = journal.begin(REST, "", f"{method} {target}", shown, dict(headers))
        entry.raw, entry.wire = True, shown or ""
        return await self._send(method, target, dict(headers), content, (journal, entry))

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.aclose()

    async def _send(
        self, method: str, target: str, headers: Mapping[str, str], content: bytes | None, log: tuple[Journal, Exchange]
    ) -> Answer:
        journal, entry = log
        try:
            response = await self._http.request(method, self.url + target, headers=dict(headers), content=content)
        except httpx.TransportError as error:
            raise Unreachable(f"{method} {self.url}{target}: {str(error) or type(error).__name__}") from error
        body = _decoded(response)
        journal.end(
            entry,
            status=response.status_code,
            is_ok=response.status_code < OK_BELOW,
            response=body,
            headers=dict(response.headers),
        )
        return _answer(entry, body)


def split(operation: Operation, args: Json) -> tuple[str, dict[str, list[str]], dict[str, str], Any]:
    """Return the path, the query, the headers and the body that say these arguments."""
    path, query, headers, body = operation.path, dict[str, list[str]](), dict[str, str](), dict[str, Any]()
    for name, value in args.items():
        place = operation.places.get(name)
        if value is None and place in ("query", "header"):
            continue
        if place == "path":
            path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
        elif place == "query":
            query[name] = [_text(each) for each in (value if isinstance(value, list) else [value])]
        elif place == "header":
            headers[name.lower()] = f'"{value}"' if name == "If-Match" and isinstance(value, int) else _text(value)
        elif operation.has_body:
            body[name] = value
        else:
            raise Inexpressible(f"{operation.id} has no argument {name!r}")
    if "{" in path:
        raise Inexpressible(f"{operation.id} needs {operation.path}; {path} is not filled in")
    if operation.whole_body:
        return path, query, headers, body.get(operation.whole_body)
    return path, query, headers, body if body or operation.body_required else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _decoded(response: httpx.Response) -> Any:
    kind = response.headers.get("content-type", "")
    if not response.content:
        return None
    if kind.startswith("text/event-stream"):
        return {"items": [json.loads(line[5:]) for line in response.text.splitlines() if line.startswith("data:")]}
    if "json" not in kind:
        return response.text
    try:
        return json.loads(response.content)
    except ValueError:
        return response.text


def _answer(entry: Exchange, body: Any) -> Answer:
    if entry.is_ok:
        return Answer(exchange=entry, is_ok=True, body=body)
    assert isinstance(entry.status, int)
    said = body if isinstance(body, dict) else {}
    word = said.get("error")
    return Answer(
        exchange=entry,
        is_ok=False,
        body=body,
        codes=codes_of_http(entry.status, word if isinstance(word, str) else None),
        message=str(said.get("message") or said.get("reason") or body or ""),
        details=said.get("details") or [],
        implemented=not (entry.status in METHOD_UNKNOWN and "error" not in said),
    )
