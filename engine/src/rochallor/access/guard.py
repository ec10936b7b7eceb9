"""The one check in front of every operation: who is it, and may they."""

from __future__ import annotations

from collections.abc import Callable

from rochallor.access.roles import OPEN, allowed_to, may
from rochallor.access.tokens import ANYBODY, MAX_TOKEN_BYTES, Caller, TokenBook
from rochallor.core.errors import Forbidden, Unauthorized

_SCHEME = b"bearer "


class Guard:
    """Admits callers by their bearer tokens. `book(now_ms)` gives the tokens that count now."""

    def __init__(self, book: Callable[[int], TokenBook], now_ms: Callable[[], int]) -> None:
        self._book = book
        self._now_ms = now_ms

    def admit(self, operation: str, authorization: bytes) -> Caller:
        """Return who calls, given the request's Authorization (b"" when it has none).

        Raises `Unauthorized` (no token, a wrong or an expired one) or `Forbidden` (the role may not do this).
        """
        if operation in OPEN:
            return ANYBODY
        now_ms = self._now_ms()
        caller = self._book(now_ms).caller_of(_secret(authorization), now_ms)
        if not may(caller.role, operation):
            allowed = " or ".join(allowed_to(operation)) or "nobody"
            raise Forbidden(
                f"{operation} is not for the role {caller.role.value} of '{caller.name}'; "
                f"it takes a token with the role {allowed}"
            )
        return caller


def _secret(authorization: bytes) -> bytes:
    if not authorization:
        raise Unauthorized("this engine asks for a token: send the header Authorization: Bearer <token>")
    secret = authorization[len(_SCHEME) :].strip()
    if authorization[: len(_SCHEME)].lower() != _SCHEME or not secret or len(secret) > MAX_TOKEN_BYTES:
        raise Unauthorized("the Authorization header must be: Bearer <token>")
    return secret
