"""The token that a client sends: where it comes from, and that it never shows.

It would break if a token found its way into a repr, a log line or the text of an error.
"""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from ipaddress import ip_address
from typing import Any

from workflow_sdk.errors import WorkflowSDKError

Token = str | Callable[[], str]
AsyncToken = str | Callable[[], str | Awaitable[str]]


class InvalidToken(WorkflowSDKError, ValueError):
    """A bearer token that cannot be sent: empty, no text, or with characters a header cannot carry."""


class TokenInClear(UserWarning):
    """A token is sent where anybody on the way can read it: use https (REST) or `tls=` (gRPC)."""


class Bearer:
    """A token, or a function that returns one and is called before every attempt; keep what is costly to get there.

    Args:
        source: the token, a function, for asynchronous clients also an `async def` function, or None.

    """

    def __init__(self, source: AsyncToken | None) -> None:
        self._source = source
        self._fixed = header(source) if isinstance(source, str) else ""

    def __repr__(self) -> str:
        return "Bearer(hidden)" if self else "Bearer(None)"

    def __bool__(self) -> bool:
        return self._source is not None

    def __reduce__(self) -> Any:
        raise TypeError("a client's token is not pickled; make the client where it is used")

    def value(self) -> str:
        """Return the Authorization header's value, empty without a token."""
        if self._fixed or self._source is None:
            return self._fixed
        return header(self._called())

    async def value_async(self) -> str:
        """Return the same, where the function may be `async def`."""
        if self._fixed or self._source is None:
            return self._fixed
        found = self._called()
        return header(await found if isinstance(found, Awaitable) else found)

    def _called(self) -> str | Awaitable[str]:
        assert callable(self._source)
        return self._source()


def header(token: object) -> str:
    """Return the Authorization header's value for a token.

    Raises:
        InvalidToken: it cannot be one.

    """
    if not isinstance(token, str):
        hint = "; only asynchronous clients await" if isawaitable(token) else ""
        raise InvalidToken(f"a bearer token is text, not {type(token).__name__}{hint}")
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidToken("a bearer token is printable ASCII without spaces; is there a line end at the end of yours?")
    return f"Bearer {token}"


def warn_in_clear(bearer: Bearer, host: str, *, secure: bool, cure: str) -> None:
    """Warn who sends a token in clear to another host. `cure` says what to do about it."""
    if not bearer or secure or _is_loopback(host):
        return
    warnings.warn(f"the token for {host} travels unencrypted; {cure}", TokenInClear, stacklevel=4)


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
