"""What a configuration says about who gets in: tokens and TLS, opened and tried before anything listens."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from rochallor.access import Guard, TokensError, TokensFile
from rochallor.config import Config, ConfigError
from rochallor.ports import Clock
from rochallor.serve.tls import Tls, tls_of


class Security(NamedTuple):
    """Who is let in, and over which lines. Without anything: everybody, in plain text."""

    tokens: TokensFile | None = None
    guard: Guard | None = None
    tls: Tls | None = None


OPEN_DOORS = Security()


def security_of(config: Config, clock: Clock) -> Security:
    """Open what the configuration names; raises `ConfigError` naming the variable at fault."""
    tls = tls_of(config)
    if not config.auth_tokens_file:
        return Security(tls=tls)
    try:
        tokens = TokensFile(Path(config.auth_tokens_file), clock.now_ms)
    except TokensError as error:
        raise ConfigError(f"WE_AUTH_TOKENS_FILE: {config.auth_tokens_file} cannot be used: {error}") from None
    return Security(tokens, Guard(tokens.book, clock.now_ms), tls)
