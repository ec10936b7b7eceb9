"""The table of settings, and how it is filled: environment over YAML over default.

`Config` is the table: one field per setting, with its variable, its kind and its meaning. The reader, the error
sentences and the reference page are all drawn from it, so a setting cannot exist in one of them only. What a setting
*does* is not here.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from rochallor.shell.settings import Settings

DEFAULT_FILE = Path("/etc/workflow/engine.yaml")
OWN_PREFIX = "WE_"
TESTS_PREFIX = "WE_TEST_"
TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
MAX_PORT = 65_535
IN_MEMORY = ":memory:"


class ConfigError(Exception):
    """The engine cannot start with these settings; each line of the text names a variable and what it may be."""


class Kind(NamedTuple):
    """What a value may be: `allowed` says it in words, `read` turns text into it or raises `ValueError`."""

    allowed: str
    read: Callable[[str], Any]


class Setting(NamedTuple):
    """One row of the table. `key` is its name in YAML; a secret can come from the environment only."""

    variable: str
    key: str
    field: str
    kind: Kind
    default: object
    meaning: str
    env_only: bool


def _flag(text: str) -> bool:
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise ValueError(text)


def _number(low: int, high: int) -> Kind:
    def read(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    return Kind(f"a whole number from {low} to {high}", read)


def _one_of(*words: str) -> Kind:
    def read(text: str) -> str:
        for word in words:
            if word.lower() == text.lower():
                return word
        raise ValueError(text)

    return Kind(f"{', '.join(words[:-1])} or {words[-1]}", read)


FLAG = Kind("true or false", _flag)
TEXT = Kind("a text", str)
FILE = Kind("the path of a file", str)
PORT = _number(0, MAX_PORT)


def _setting(
    variable: str, default: Any, kind: Kind, meaning: str, *, secret: bool = False, env_only: bool = False
) -> Any:
    row = {"variable": variable, "kind": kind, "meaning": meaning, "env_only": env_only}
    return dataclasses.field(default=default, repr=not secret, metadata=row)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Every setting of the engine. None means unset."""

    postgres_dsn: str | None = _setting(
        "WE_POSTGRES_DSN", None, TEXT, "The PostgreSQL database to use, as libpq takes it.", secret=True
    )
    sqlite_path: str | None = _setting(
        "WE_SQLITE_PATH",
        None,
        FILE,
        "The embedded database, `:memory:` for none that is kept. `dev` without it uses `./rochallor.db`.",
    )
    rest_port: int = _setting("WE_REST_PORT", 8080, PORT, "Where REST listens; 0 picks a free port and prints it.")
    grpc_port: int = _setting("WE_GRPC_PORT", 9090, PORT, "Where gRPC listens; 0 picks a free port and prints it.")
    metrics_port: int = _setting(
        "WE_METRICS_PORT", 9091, PORT, "Where `/metrics` listens; 0 picks a free port and prints it."
    )
    host: str | None = _setting(
        "WE_HOST",
        None,
        TEXT,
        "The address to listen on: 127.0.0.1, or with WE_AUTH_TOKENS_FILE or WE_INSECURE 0.0.0.0, unless set.",
    )
    insecure: bool = _setting(
        "WE_INSECURE", False, FLAG, "Whether to listen beyond this machine although callers need no token."
    )
    cors_origins: str = _setting(
        "WE_CORS_ORIGINS",
        "",
        TEXT,
        "Origins whose web pages may call, separated by commas, `*` for all. `dev` allows all.",
    )
    log_level: str = _setting(
        "WE_LOG_LEVEL", "info", _one_of("debug", "info", "warning", "error"), "The least important line to write."
    )
    log_format: str | None = _setting(
        "WE_LOG_FORMAT", None, _one_of("console", "json"), "How log lines look: console on a terminal, else json."
    )
    audit_log_enabled: bool = _setting("WE_AUDIT_LOG_ENABLED", True, FLAG, "Whether the audit view shows anything.")
    business_key_unique: bool = _setting(
        "WE_BUSINESS_KEY_UNIQUE", True, FLAG, "Whether a business key is held by one instance in flight at a time."
    )
    expression_coercion_enabled: bool = _setting(
        "WE_EXPRESSION_COERCION_ENABLED", False, FLAG, 'Whether expressions take "5" for 5 and "true" for true.'
    )
    max_deliveries: int = _setting(
        "WE_MAX_DELIVERIES", 10, _number(1, 1_000_000), "How often a job's lease may run out before its step fails."
    )
    dispatch_mode: str = _setting(
        "WE_DISPATCH_MODE", "polling", _one_of("polling", "kafka_outbox"), "How workers get their jobs."
    )
    kafka_seed_brokers: str | None = _setting(
        "WE_KAFKA_SEED_BROKERS", None, TEXT, "`host:port` of brokers, separated by commas."
    )
    kafka_transport: str | None = _setting(
        "WE_KAFKA_TRANSPORT", None, _one_of("plaintext", "sasl_scram_tls"), "How to talk to the brokers."
    )
    kafka_sasl_mechanism: str | None = _setting(
        "WE_KAFKA_SASL_MECHANISM", None, _one_of("SCRAM-SHA-512", "SCRAM-SHA-256"), "How to log in to the brokers."
    )
    kafka_sasl_username: str | None = _setting("WE_KAFKA_SASL_USERNAME", None, TEXT, "Who logs in to the brokers.")
    kafka_sasl_password: str | None = _setting(
        "WE_KAFKA_SASL_PASSWORD", None, TEXT, "Their password; environment only.", secret=True, env_only=True
    )
    kafka_tls_ca_path: str | None = _setting("WE_KAFKA_TLS_CA_PATH", None, FILE, "Whom to trust as a broker.")
    kafka_tls_server_name: str | None = _setting(
        "WE_KAFKA_TLS_SERVER_NAME", None, TEXT, "The name a broker's certificate must have."
    )
    outbox_batch_size: int = _setting(
        "WE_OUTBOX_BATCH_SIZE", 200, _number(1, 10_000), "How many jobs are published in one go."
    )
    db_max_conns: int | None = _setting(
        "DB_MAX_CONNS", None, _number(1, 10_000), "Most connections to PostgreSQL, 4 at least: 4 per core unless set."
    )
    db_min_conns: int = _setting("DB_MIN_CONNS", 0, _number(0, 10_000), "Connections kept open although idle.")
    workers: int = _setting("WE_WORKERS", 1, _number(1, 256), "Engine processes on this host (PostgreSQL only).")
    auth_tokens_file: str | None = _setting(
        "WE_AUTH_TOKENS_FILE",
        None,
        FILE,
        "The bearer tokens that callers need, and their roles.",
    )
    tls_cert: str | None = _setting("WE_TLS_CERT", None, FILE, "The engine's certificate, for TLS.")
    tls_key: str | None = _setting("WE_TLS_KEY", None, FILE, "The certificate's private key.")
    tls_client_ca: str | None = _setting(
        "WE_TLS_CLIENT_CA", None, FILE, "Who may sign the certificates that callers then need (mTLS)."
    )

    @property
    def settings(self) -> Settings:
        """The part the engine itself reads."""
        return Settings(
            max_deliveries=self.max_deliveries,
            expression_coercion=self.expression_coercion_enabled,
            audit_enabled=self.audit_log_enabled,
        )


def _rows() -> Iterator[Setting]:
    for field in dataclasses.fields(Config):
        row = field.metadata
        key = row["variable"].removeprefix(OWN_PREFIX).lower()
        yield Setting(row["variable"], key, field.name, row["kind"], field.default, row["meaning"], row["env_only"])


SETTINGS = tuple(_rows())


class Loaded(NamedTuple):
    """A configuration, and sentences about what was set and means nothing."""

    config: Config
    warnings: tuple[str, ...]


def load_config(environ: Mapping[str, str], file: Path | None = None, *, default_file: Path = DEFAULT_FILE) -> Loaded:
    """Return the settings of this environment over those of `file`; raises `ConfigError` naming all that is wrong.

    Without `file`, `default_file` is read if there is one. An empty variable counts as unset.
    """
    written = _read_file(file or default_file, must_exist=file is not None)
    values: dict[str, Any] = {}
    problems: list[str] = []
    for setting in SETTINGS:
        try:
            values |= _value(setting, environ, written)
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return Loaded(Config(**values), tuple(_strangers(environ, written)))


def _value(setting: Setting, environ: Mapping[str, str], written: Mapping[str, object]) -> dict[str, Any]:
    """Return the setting's value by field name, nothing when it is unset."""
    text, source = environ.get(setting.variable, ""), setting.variable
    if text == "" and written.get(setting.key) is not None:
        if setting.env_only:
            raise ConfigError(f"{setting.variable} is a secret: set it in the environment, never in the YAML file")
        text, source = _as_text(written[setting.key]), f"{setting.variable} ({setting.key} in the YAML file)"
    if text == "":
        return {}
    try:
        return {setting.field: setting.kind.read(text)}
    except ValueError:
        shown = f"'{text}'" if len(text) <= 40 else "what it is set to"  # noqa: PLR2004 - a sentence, not a dump
        raise ConfigError(f"{source} cannot be {shown}: it must be {setting.kind.allowed}") from None


def _as_text(value: object) -> str:
    """Return a YAML value as it would be written in a variable."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read_file(path: Path, *, must_exist: bool) -> Mapping[str, object]:
    if not must_exist and not path.exists():
        return {}
    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"the configuration file {path} cannot be read: {os.strerror(error.errno or 0)}") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"the configuration file {path} is not YAML: {' '.join(str(error).split())}") from None
    if written is None:
        return {}
    if not isinstance(written, dict):
        raise ConfigError(f"the configuration file {path} must hold lines such as 'rest_port: 8080'")
    return {str(key): value for key, value in written.items()}


def _strangers(environ: Mapping[str, str], written: Mapping[str, object]) -> Iterator[str]:
    variables, keys = {setting.variable for setting in SETTINGS}, {setting.key for setting in SETTINGS}
    for name in sorted(environ):
        if name.startswith(OWN_PREFIX) and not name.startswith(TESTS_PREFIX) and name not in variables:
            yield f"{name} is set, but no setting has this name; it is ignored"
    for name in sorted(written):
        if name not in keys:
            yield f"the configuration file sets {name}, but no setting has this name; it is ignored"
