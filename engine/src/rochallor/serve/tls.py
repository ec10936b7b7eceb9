"""TLS for the listeners: the files of the configuration, read and tried before anything listens.

With WE_TLS_CLIENT_CA every connection needs a certificate that this authority has signed (mTLS). TLS 1.2 is the oldest
version spoken, on REST by the context made here, on gRPC by the library's own default. The files are read once: a new
certificate takes a restart.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from rochallor.config import Config, ConfigError

CERT, KEY, CLIENT_CA = "WE_TLS_CERT", "WE_TLS_KEY", "WE_TLS_CLIENT_CA"


@dataclass(frozen=True)
class Tls:
    """What the listeners need: a context for HTTP, the PEM texts for gRPC."""

    context: ssl.SSLContext
    cert: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None = None

    def grpc_credentials(self) -> Any:
        """Return them as grpc takes them."""
        return grpc.ssl_server_credentials(
            ((self.key, self.cert),),
            root_certificates=self.client_ca,
            require_client_auth=self.client_ca is not None,
        )


def tls_of(config: Config) -> Tls | None:
    """Return the TLS that is configured, None for plain text; raises `ConfigError` naming the variable at fault."""
    if not (config.tls_cert or config.tls_key or config.tls_client_ca):
        return None
    cert, key = _needed(CERT, config.tls_cert), _needed(KEY, config.tls_key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    texts = {CERT: _read(CERT, cert), KEY: _read(KEY, key)}
    _load(context, cert, key, texts)
    client_ca = _demand_certificates(context, config.tls_client_ca) if config.tls_client_ca else None
    return Tls(context, texts[CERT], texts[KEY], client_ca)


def _needed(variable: str, path: str | None) -> str:
    if not path:
        raise ConfigError(f"{variable} is not set: TLS needs both {CERT} and {KEY}")
    return path


def _read(variable: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{variable}: {path} cannot be read: {os.strerror(error.errno or 0)}") from None


def _load(context: ssl.SSLContext, cert: str, key: str, texts: dict[str, bytes]) -> None:
    for variable, path, marker in ((CERT, cert, b"-----BEGIN CERTIFICATE-----"), (KEY, key, b"PRIVATE KEY-----")):
        if marker not in texts[variable]:
            raise ConfigError(f"{variable}: {path} holds no {_WORDS[variable]} in PEM")
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            raise ConfigError(f"{KEY}: {key} is not the key of the certificate in {CERT}") from None
        raise ConfigError(
            f"{CERT} and {KEY}: {cert} and {key} cannot be used; they must hold a certificate chain and its key, "
            "in PEM, the key without a passphrase"
        ) from None


def _demand_certificates(context: ssl.SSLContext, path: str) -> bytes:
    text = _read(CLIENT_CA, path)
    try:
        context.load_verify_locations(cadata=text.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise ConfigError(f"{CLIENT_CA}: {path} holds no {_WORDS[CLIENT_CA]} in PEM") from None
    context.verify_mode = ssl.CERT_REQUIRED
    return text


def _no_password() -> str:
    """Keep OpenSSL from asking at the terminal."""
    raise ValueError


_WORDS = {CERT: "certificate", KEY: "private key", CLIENT_CA: "certificate"}
