"""Where an engine answers over HTTP, taken from its base URL. Pure."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Origin:
    """A host to connect to, and what every request line and head to it begins with.

    Args:
        host, port: where to connect.
        secure: over TLS.
        prefix: the base URL's path, which comes before every target.
        authority: host and port as the Host header says them.
        credentials: of the URL, as a Basic header's value; empty when it has none.

    """

    host: str
    port: int
    secure: bool
    prefix: str
    authority: str
    credentials: str = ""

    @classmethod
    def of(cls, url: str) -> Origin:
        """Read a base URL.

        Raises:
            ValueError: it is not one; the message does not show its password.

        """
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("a base URL looks like http://host:8080 or https://host; this one does not")
        host = parts.hostname.encode("idna").decode() if not parts.hostname.isascii() else parts.hostname
        shown = f"[{host}]" if ":" in host else host
        return cls(
            host=host,
            port=parts.port or _PORTS[parts.scheme],
            secure=parts.scheme == "https",
            prefix=parts.path.rstrip("/"),
            authority=shown if parts.port is None else f"{shown}:{parts.port}",
            credentials=_basic(parts.username, parts.password),
        )


def _basic(user: str | None, password: str | None) -> str:
    if user is None and password is None:
        return ""
    return "Basic " + b64encode(f"{unquote(user or '')}:{unquote(password or '')}".encode()).decode()
