"""What follows from a configuration: which store, which address, and what is refused. Pure; nothing is opened here.

A setting that this version cannot honour is refused, never ignored: somebody who asked for TLS must not get plain text.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import NamedTuple

from rochallor.config import Config, ConfigError
from rochallor.ports import Store
from rochallor.stores.sqlite import SqliteStore

LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104 - bound only when WE_INSECURE asks for it

NOT_YET: tuple[tuple[str, Callable[[Config], object], str], ...] = (
    (
        "WE_POSTGRES_DSN",
        lambda config: config.postgres_dsn,
        "this version keeps its state in SQLite only, PostgreSQL comes next; unset it and set WE_SQLITE_PATH to a file",
    ),
    (
        "WE_DISPATCH_MODE",
        lambda config: config.dispatch_mode != "polling",
        "this version has no outbox yet; unset it, and workers poll",
    ),
    (
        "WE_WORKERS",
        lambda config: config.workers > 1,
        "several processes need PostgreSQL, which comes next; set it to 1",
    ),
    (
        "WE_AUTH_TOKENS_FILE",
        lambda config: config.auth_tokens_file,
        "this version checks no tokens yet; unset it, and keep the engine on 127.0.0.1 or behind a proxy that does",
    ),
    *(
        (
            variable,
            read,
            "this version has no TLS yet; unset it, and put a proxy that has in front",
        )
        for variable, read in (
            ("WE_TLS_CERT", lambda config: config.tls_cert),
            ("WE_TLS_KEY", lambda config: config.tls_key),
            ("WE_TLS_CLIENT_CA", lambda config: config.tls_client_ca),
        )
    ),
)


class Plan(NamedTuple):
    """What to run: the store, the address to listen on, whose pages may call, and what to warn about."""

    store: Store
    host: str
    cors_origins: tuple[str, ...]
    warnings: tuple[str, ...]


def plan(config: Config) -> Plan:
    """Decide what to run; raises `ConfigError` naming what to set or unset."""
    problems = [f"{variable} is set, but {why}" for variable, is_set, why in NOT_YET if is_set(config)]
    if problems:
        raise ConfigError("\n".join(problems))
    host = _host(config)
    warnings = () if is_loopback(host) else (_exposed(host),)
    return Plan(_store(config), host, _origins(config), warnings)


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _store(config: Config) -> Store:
    if not config.sqlite_path:
        raise ConfigError(
            "there is nowhere to keep state: set WE_SQLITE_PATH to a file (WE_SQLITE_PATH=./rochallor.db), "
            "or try `rochallor dev`, which uses that one"
        )
    return SqliteStore(config.sqlite_path, unique_keys=config.business_key_unique)


def _host(config: Config) -> str:
    host = config.host or (EVERYWHERE if config.insecure else LOOPBACK)
    if not is_loopback(host) and not config.insecure:
        raise ConfigError(
            f"WE_HOST is {host}, where others can reach this engine without a token: use WE_HOST=127.0.0.1, "
            "or accept that with WE_INSECURE=true (`--insecure`)"
        )
    return host


def _origins(config: Config) -> tuple[str, ...]:
    return tuple(origin for origin in (part.strip() for part in config.cors_origins.split(",")) if origin)


def _exposed(host: str) -> str:
    return f"INSECURE: everybody who reaches {host} can read and change every workflow; no token is asked for"
