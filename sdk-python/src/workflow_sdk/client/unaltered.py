"""Whether a client is as we made it, so that a worker may talk to the engine in a faster way than through it.

Tests replace methods of a client, give its httpx another transport, or patch httpx (respx, pytest-httpx and tracers
do). All of these want to see every call, so the answer is no unless everything on the way is the original.
"""

from __future__ import annotations

from pathlib import Path
from types import FunctionType
from typing import Any

import httpcore
import httpx

_ON_THE_WAY: tuple[tuple[type, tuple[str, ...]], ...] = (
    # What a call passes through, from the outside in.
    (httpx.Client, ("request", "send", "_transport_for_url")),
    (httpx.HTTPTransport, ("handle_request",)),
    (httpcore.ConnectionPool, ("handle_request",)),
    (httpcore.HTTPConnection, ("handle_request",)),
)


def unaltered_client(client: object, kind: type, base: type) -> bool:
    """Return whether every public method of `client` is that of `kind` or `base`."""
    names = [name for name in vars(base) | vars(kind) if not name.startswith("_")]
    return not vars(client).keys() & set(names) and all(
        getattr(type(client), name, None) is getattr(kind, name) for name in names
    )


def unaltered_http(http: Any) -> bool:
    """Return whether this httpx client sends over the network by httpx's own code."""
    if type(http) is not httpx.Client or any(http.event_hooks.values()):
        return False
    # httpx does not tell what it sends with.
    transports = [http._transport, *http._mounts.values()]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    ours = all(
        each is None or (type(each) is httpx.HTTPTransport and "handle_request" not in vars(each))
        for each in transports
    )
    return (
        ours
        and not vars(http).keys() & {"request", "send"}
        and all(_is_its_own(kind, name) for kind, names in _ON_THE_WAY for name in names)
    )


def _is_its_own(kind: type, name: str) -> bool:
    """Return whether a method is a plain function from the library that its class is from."""
    method = vars(kind).get(name)
    if type(method) is not FunctionType:
        return False
    library = Path(__import__(kind.__module__.partition(".")[0]).__file__ or "").parent
    return Path(method.__code__.co_filename).is_relative_to(library)
