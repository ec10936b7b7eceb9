"""What follows from a configuration: which store, which address, and what is refused. Pure; nothing is opened here.

A setting that this version cannot honour is refused, never ignored: somebody who asked for TLS must not get plain text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import NamedTuple

from rochallor.config import Config, ConfigError
from rochallor.ports import Clock, Store
from rochallor.serve.shared_ports import can_share
from rochallor.shell.clocks import SystemClock
from rochallor.stores.sqlite import SqliteStore

LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104 - bound only with tokens, or when WE_INSECURE asks for it

IMPOSSIBLE: tuple[tuple[str, Callable[[Config], object], str], ...] = (
    (
        "WE_DISPATCH_MODE",
        lambda config: config.dispatch_mode != "polling",
        "this version has no outbox yet; unset it, and workers poll",
    ),
    (
        "WE_WORKERS",
        lambda config: config.workers > 1 and not config.postgres_dsn,
        "several processes need a database that they can share: set WE_POSTGRES_DSN too, or WE_WORKERS to 1",
    ),
    (
        "WE_WORKERS",
        lambda config: config.workers > 1 and not can_share(),
        "only Linux gives the connections to one port to several processes; start several engines instead",
    ),
)


class Plan(NamedTuple):
    """What to run: store and clock, the address to listen on, whose pages may call, and what to warn about."""

    store: Store
    clock: Clock
    host: str
    cors_origins: tuple[str, ...]
    warnings: tuple[str, ...]


def plan(config: Config) -> Plan:
    """Decide what to run; raises `ConfigError` naming what to set or unset."""
    problems = [f"{variable} is set, but {why}" for variable, is_set, why in IMPOSSIBLE if is_set(config)]
    if problems:
        raise ConfigError("\n".join(problems))
    host = _host(config)
    store, clock, odd = _store(config)
    return Plan(store, clock, host, _origins(config), (*odd, *_warnings(config, host)))


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _store(config: Config) -> tuple[Store, Clock, tuple[str, ...]]:
    """Return the store, the clock whose time counts in it, and what is odd about its settings."""
    if config.postgres_dsn:
        return _postgres(config)
    if config.sqlite_path:
        return SqliteStore(config.sqlite_path, unique_keys=config.business_key_unique), SystemClock(), ()
    raise ConfigError(
        "there is nowhere to keep state: set WE_POSTGRES_DSN to a database (postgresql://user:password@host/name) "
        "or WE_SQLITE_PATH to a file (WE_SQLITE_PATH=./rochallor.db), or try `rochallor dev`, which uses that one"
    )


def _postgres(config: Config) -> tuple[Store, Clock, tuple[str, ...]]:
    """Return the PostgreSQL store and the database's time, which every engine on it shares."""
    try:
        from rochallor.stores.postgres import PostgresStore  # noqa: PLC0415 - its driver is an extra
    except ModuleNotFoundError as error:
        raise ConfigError("WE_POSTGRES_DSN needs the PostgreSQL driver: pip install 'rochallor[postgres]'") from error
    try:
        store = PostgresStore(
            config.postgres_dsn or "",
            unique_keys=config.business_key_unique,
            max_conns=config.db_max_conns,
            min_conns=config.db_min_conns,
        )
    except ValueError as error:
        raise ConfigError(f"WE_POSTGRES_DSN: {error}") from None
    return store, store.clock, tuple(store.warnings)


def _host(config: Config) -> str:
    open_to_others = config.insecure or bool(config.auth_tokens_file)
    host = config.host or (EVERYWHERE if open_to_others else LOOPBACK)
    if not is_loopback(host) and not open_to_others:
        raise ConfigError(
            f"WE_HOST is {host}, where others can reach this engine without a token: set "
            "WE_AUTH_TOKENS_FILE, use WE_HOST=127.0.0.1, or accept that with WE_INSECURE=true (`--insecure`)"
        )
    return host


def _origins(config: Config) -> tuple[str, ...]:
    return tuple(origin for origin in (part.strip() for part in config.cors_origins.split(",")) if origin)


def _warnings(config: Config, host: str) -> Iterator[str]:
    if is_loopback(host):
        return
    if not config.auth_tokens_file:
        yield f"INSECURE: everybody who reaches {host} can read and change every workflow; no token is asked for"
    elif not config.tls_cert:
        yield (
            f"tokens and data travel to {host} in plain text: set WE_TLS_CERT and WE_TLS_KEY, "
            "unless a proxy in front speaks TLS"
        )
