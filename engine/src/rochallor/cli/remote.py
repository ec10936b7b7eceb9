"""Calling an engine over REST, with nothing but the standard library: a command must start in a blink."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from rochallor.cli.failures import Failure, Unreachable

DEFAULT_URL = "http://127.0.0.1:8080"
TIMEOUT_S = 40.0  # above the longest wait an engine grants


class RemoteEngine:
    """The engine at a URL. Every call may raise `Failure` or `Unreachable`."""

    def __init__(self, url: str, token: str = "") -> None:
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

    def _call(self, method: str, target: str, data: bytes | None, next_command: str) -> Any:
        try:
            request = urllib.request.Request(  # noqa: S310 - the URL is the caller's own choice
                self.url + target, data, self._headers, method=method
            )
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310 - as above
                text = response.read()
        except urllib.error.HTTPError as error:
            with error:
                raise Failure(_refusal(error), next_command) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            reason = getattr(reason, "strerror", None) or reason
            raise Unreachable(
                f"no engine answers at {self.url}: {reason}", "rochallor dev, or name an engine with --engine URL"
            ) from None
        return json.loads(text) if text else None


def _target(path: tuple[str, ...]) -> str:
    return "/v1/" + "/".join(quote(part, safe="") for part in path)


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
