"""Calling an engine over REST, with nothing but the standard library: a command must start in a blink."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import click

from rochallor.cli.failures import Failure, Unreachable

DEFAULT_URL = "http://127.0.0.1:8080"
TIMEOUT_S = 40.0  # above the longest wait an engine grants
NOTHING_MORE = 204
EVENTS = "text/event-stream"
RECONNECTS = 5
PAUSE_S = 0.2
STRANGE = (HTTPException, json.JSONDecodeError, UnicodeDecodeError)
"""What reading an answer raises that no engine gives."""
NAME_ANOTHER = "name an engine with --engine URL"
NEXT_FOR_STATUS = {401: "--token-file FILE, or ROCHALLOR_TOKEN", 403: ""}
"""What to try where another command would be refused in the same way; for the others the caller says it."""


class RemoteEngine:
    """The engine at a URL. Every call may raise `Failure` or `Unreachable`; a wrong URL is a usage error."""

    def __init__(self, url: str, token: str = "") -> None:
        if not _is_http(url):
            raise click.UsageError(f"the engine's URL cannot be {url!r}; write {DEFAULT_URL}")
        self.url = url.rstrip("/")
        self._headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})

    def get(self, *path: str, query: Mapping[str, object] | None = None, next_command: str = "") -> Any:
        """Return what GET answers; `path` is given in segments, so that an id may hold anything."""
        given = {name: value for name, value in (query or {}).items() if value not in {None, ""}}
        target = _target(path) + (f"?{urlencode(given)}" if given else "")
        return self._call("GET", target, None, next_command)

    def post(self, *path: str, body: object = None, raw: bytes | None = None, next_command: str = "") -> Any:
        """Return what POST answers; `raw` is sent as it is."""
        data = raw if raw is not None else json.dumps(body if body is not None else {}).encode()
        return self._call("POST", _target(path), data, next_command)

    def events(self, instance_id: str, *, after: int, next_command: str) -> Iterator[dict[str, Any]]:
        """Yield an instance's revisions after `after` until it has ended; a connection that breaks is made again."""
        tries = RECONNECTS  # until the first connection: an engine that never answered is not waited for
        while True:
            try:
                with self._open("GET", _target(("instances", instance_id, "events")), None, str(after)) as stream:
                    if stream.status == NOTHING_MORE:
                        return
                    if stream.headers.get_content_type() != EVENTS:
                        raise self._no_engine()
                    tries = 0
                    for event in _events_of(stream):
                        after = event["revision"]
                        yield event
            except urllib.error.HTTPError as error:
                with error:
                    raise _failure(error, next_command) from None
            except (HTTPException, OSError, ValueError) as error:
                tries += 1
                if tries > RECONNECTS:
                    raise self._unreachable(error) from None
                time.sleep(tries * PAUSE_S)

    def _open(self, method: str, target: str, data: bytes | None, after: str = "") -> Any:
        headers = self._headers | ({"last-event-id": after} if after else {})
        request = urllib.request.Request(self.url + target, data, headers, method=method)  # noqa: S310 - the caller's
        return urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310 - as above

    def _unreachable(self, error: Exception) -> Unreachable:
        if isinstance(error, STRANGE) and not isinstance(error, OSError):
            return self._no_engine()
        reason = getattr(error, "reason", None) or error
        reason = getattr(reason, "strerror", None) or reason
        return Unreachable(f"no engine answers at {self.url}: {reason}", f"rochallor dev, or {NAME_ANOTHER}")

    def _no_engine(self) -> Unreachable:
        return Unreachable(f"{self.url} answers, but not as an engine does; is this its REST port?", NAME_ANOTHER)

    def _call(self, method: str, target: str, data: bytes | None, next_command: str) -> Any:
        try:
            with self._open(method, target, data) as response:
                text = response.read()
            answer = json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            with error:
                raise _failure(error, next_command) from None
        except (HTTPException, OSError, ValueError) as error:
            raise self._unreachable(error) from None
        if not isinstance(answer, (dict, type(None))):  # every answer of an engine is an object, or nothing
            raise self._no_engine()
        return answer


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:  # a port that is no number
        return False


def _failure(error: urllib.error.HTTPError, next_command: str) -> Failure:
    return Failure(_refusal(error), NEXT_FOR_STATUS.get(error.code, next_command))


def _target(path: tuple[str, ...]) -> str:
    return "/v1/" + "/".join(quote(part, safe="") for part in path)


def _events_of(stream: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the events of a text/event-stream; every one of ours is one `data:` line."""
    for line in stream:
        if line.startswith(b"data:"):
            event: dict[str, Any] = json.loads(line[5:])
            yield event


def _refusal(error: urllib.error.HTTPError) -> str:
    try:
        body = json.loads(error.read())
        lines = [str(body["message"])]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code} {error.reason}; is this a workflow engine?"
    details = (
        f"  {item.get('pointer')}  {item.get('code')}: {item.get('message')}" for item in body.get("details", [])
    )
    return "\n".join([*lines, *details])
