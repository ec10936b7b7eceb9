"""Tokens: how one is made, and how a caller's is found again without the engine ever keeping it.

A token is 256 bits of chance, so its SHA-256 can be stored and looked up as it is. Slow password hashes are for secrets
that people choose; here they would only let a stranger spend the engine's processor time with every wrong guess. That
is why the engine makes the tokens and accepts no passwords.

Time tells nothing: a guess is hashed first, whole, and what is looked up and compared are digests, which nobody can
steer towards a stored one byte by byte.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from rochallor.access.roles import Role
from rochallor.core.errors import Unauthorized

PREFIX = "roch_"
"""Marks a token as ours, so that scanners for leaked secrets can find one."""

TOKEN_BITS = 256
HASH_KIND = "sha256:"
MAX_TOKEN_BYTES = 512


class Caller(NamedTuple):
    """Who asks: the token's name (empty without tokens), and the job types it is limited to (None: no limit)."""

    name: str
    role: Role
    job_types: frozenset[str] | None = None


ANYBODY = Caller("", Role.ADMIN)
"""The caller of an engine that asks for no tokens."""


@dataclass(frozen=True)
class Token:
    """One entry of the tokens file. `expires_ms` is the first moment (ms since the epoch) at which it is refused."""

    caller: Caller
    digest: bytes = field(repr=False)
    expires_ms: int | None = None


class TokenBook:
    """All tokens of an engine, by digest."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._by_digest = {token.digest: token for token in tokens}

    def __len__(self) -> int:
        return len(self._by_digest)

    def __repr__(self) -> str:
        return f"<TokenBook of {len(self)}>"

    def caller_of(self, secret: bytes, now_ms: int) -> Caller:
        """Return whose token this is at `now_ms`; raises `Unauthorized`."""
        digest = sha256(secret).digest()
        token = self._by_digest.get(digest)
        if token is None or not hmac.compare_digest(token.digest, digest):
            raise Unauthorized("the engine does not know this token; ask an administrator for one")
        if token.expires_ms is not None and now_ms >= token.expires_ms:
            raise Unauthorized(f"the token of '{token.caller.name}' has expired; ask an administrator for a new one")
        return token.caller


def mint(chance: int) -> str:
    """Return a new token, made of `TOKEN_BITS` random bits."""
    return PREFIX + base64.urlsafe_b64encode(chance.to_bytes(TOKEN_BITS // 8, "big")).rstrip(b"=").decode()


def hash_of(secret: str) -> str:
    """Return what the tokens file keeps of a token."""
    return HASH_KIND + sha256(secret.encode()).hexdigest()
