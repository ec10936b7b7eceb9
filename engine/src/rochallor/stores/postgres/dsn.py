"""What a connection string says, in both of libpq's forms, as arguments of the driver.

Belongs here: reading text. A key is known (the tables below) or dropped with a warning: strings come from charts and
other programs, with keys of other drivers in them. A password is in `arguments` only, never in a message or a repr.
Source of the forms: PostgreSQL's documentation, "Connection Strings" in the chapter on libpq.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote, urlencode, urlsplit

SCHEMES = ("postgresql", "postgres")

DIRECT = {
    "user": "user",
    "password": "password",
    "dbname": "database",
    "database": "database",
    "passfile": "passfile",
    "target_session_attrs": "target_session_attrs",
    "krbsrvname": "krbsrvname",
    "gsslib": "gsslib",
}
"""Keys that are an argument of the driver, which has its own name for some."""

THROUGH_URI = (
    "service",
    "sslmode",
    "sslcert",
    "sslkey",
    "sslrootcert",
    "sslpassword",
    "sslcrl",
    "sslnegotiation",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
)
"""Keys that the driver takes in a URI only."""

OF_THE_SESSION = ("application_name", "options")
"""Keys that the server is told at the start of a session."""


class Dsn(NamedTuple):
    """Arguments for `asyncpg.connect`, how long to wait for a connection, and what was not understood."""

    arguments: dict[str, Any]
    connect_timeout_s: float | None
    warnings: tuple[str, ...]

    def __repr__(self) -> str:
        """Say where it leads, and nothing secret."""
        where = {key: self.arguments[key] for key in ("host", "port", "database") if key in self.arguments}
        return f"Dsn({where})"


def parse_dsn(text: str) -> Dsn:
    """Return what `text` says; raises `ValueError` with a sentence that does not repeat it."""
    text = text.strip()
    parameters = _of_uri(text) if text.startswith(tuple(f"{scheme}://" for scheme in SCHEMES)) else dict(_pairs(text))
    arguments: dict[str, Any] = {}
    through_uri: dict[str, str] = {}
    session: dict[str, str] = {}
    warnings = []
    timeout_s = _number("connect_timeout", parameters.pop("connect_timeout", ""))
    arguments.update(_addresses(parameters))
    for key, value in parameters.items():
        if key in DIRECT:
            arguments[DIRECT[key]] = value
        elif key in THROUGH_URI:
            through_uri[key] = value
        elif key in OF_THE_SESSION:
            session[key] = value
        else:
            warnings.append(f"the PostgreSQL connection string has an unknown key, `{key}`: it is ignored")
    if through_uri:
        arguments["dsn"] = f"postgresql://?{urlencode(through_uri)}"
    if session:
        arguments["server_settings"] = session
    return Dsn(arguments, float(timeout_s) if timeout_s else None, tuple(warnings))


def _of_uri(text: str) -> dict[str, str]:
    """Return the parameters of a URI; those after the question mark win, as in libpq."""
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise ValueError(f"the PostgreSQL connection string is not a URI: {error}") from None
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    named = {"user": user, "password": password, "dbname": parts.path.removeprefix("/")}
    found = {key: unquote(value) for key, value in named.items() if value}
    specs = [_host_and_port(spec) for spec in hosts.split(",")] if hosts else []
    if any(host for host, _ in specs):
        found["host"] = ",".join(unquote(host) for host, _ in specs)
    if any(port for _, port in specs):
        found["port"] = ",".join(port for _, port in specs)
    # Not `parse_qsl`: that is for web forms, where a plus sign is a space. In a password it is a plus sign.
    query = (pair.partition("=") for pair in parts.query.split("&") if pair)
    return {**found, **{unquote(key): unquote(value) for key, _, value in query}}


def _host_and_port(spec: str) -> tuple[str, str]:
    if spec.startswith("["):
        host, _, rest = spec[1:].partition("]")
        return host, rest.removeprefix(":")
    host, _, port = spec.partition(":")
    return host, port


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Return the pairs of `key = value`; a value may stand in single quotes, a backslash escapes what follows it."""
    rest = text
    while rest := rest.lstrip():
        key, equals, rest = rest.partition("=")
        key = key.strip()
        if not equals or not key or any(mark.isspace() for mark in key):
            message = "the PostgreSQL connection string is neither a URI (postgresql://host/database)"
            raise ValueError(f"{message} nor made of `key=value` pairs (host=… dbname=…)")
        value, rest = _value(rest.lstrip())
        yield key, value


def _value(text: str) -> tuple[str, str]:
    """Return the value that `text` begins with, and what follows it."""
    quoted = text.startswith("'")
    position, value = int(quoted), ""
    while position < len(text):
        mark = text[position]
        if (mark == "'") if quoted else mark.isspace():
            return value, text[position + 1 :]
        if mark == "\\" and position + 1 < len(text):
            position += 1
            mark = text[position]
        value += mark
        position += 1
    if quoted:
        raise ValueError("the PostgreSQL connection string has a quote (') that is never closed")
    return value, ""


def _addresses(parameters: dict[str, str]) -> Iterator[tuple[str, list[Any]]]:
    """Take hosts and ports out of `parameters`; several of them are separated by commas."""
    host, address, port = (parameters.pop(key, "") for key in ("host", "hostaddr", "port"))
    hosts = (address or host).split(",") if address or host else []
    ports = [_number("port", text) or 5432 for text in port.split(",")] if port else []
    if hosts:
        yield "host", hosts
    if ports:
        yield "port", ports * len(hosts) if hosts and len(ports) == 1 else ports


def _number(key: str, text: str) -> int:
    try:
        return int(text or 0)
    except ValueError:
        raise ValueError(f"`{key}` in the PostgreSQL connection string is not a number") from None
