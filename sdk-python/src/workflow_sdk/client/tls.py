"""Who may answer, and who asks: certificates for every face of the client."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

    import grpc

File = str | os.PathLike[str]


@dataclass(frozen=True)
class Tls:
    """Certificates, as files in PEM.

    Args:
        ca: authorities to trust instead of the usual ones.
        cert: this client's certificate with its chain, for an engine that asks for one (mTLS).
        key: the certificate's key; left out when it is in the same file.

    Raises:
        ValueError: a key without a certificate.

    """

    ca: File | None = None
    cert: File | None = None
    key: File | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.key is not None and self.cert is None:
            raise ValueError("Tls(key=...) needs the certificate it belongs to: pass cert= too")

    def context(self) -> ssl.SSLContext:
        """Return what an HTTP client checks an engine with, and shows it."""
        import ssl  # noqa: PLC0415 - costs 10 ms, and most clients in a test suite never need it

        found = ssl.create_default_context(cafile=None if self.ca is None else os.fspath(self.ca))
        if self.ca is None:
            _trust_the_usual(found)
        if self.cert is not None:
            found.load_cert_chain(os.fspath(self.cert), None if self.key is None else os.fspath(self.key))
        return found

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Return the same for a gRPC channel."""
        import grpc  # noqa: PLC0415 - an extra

        cert = _bytes(self.cert)
        key = cert if self.key is None else _bytes(self.key)
        return grpc.ssl_channel_credentials(_bytes(self.ca), key, cert)


def _bytes(file: File | None) -> bytes | None:
    return None if file is None else Path(file).read_bytes()


def _trust_the_usual(context: ssl.SSLContext) -> None:
    """Trust what httpx trusts by default, so that all clients trust the same: its bundle, or the environment's."""
    if not {"SSL_CERT_FILE", "SSL_CERT_DIR"} & os.environ.keys():  # OpenSSL reads these by itself
        import certifi  # noqa: PLC0415 - comes with httpx

        context.load_verify_locations(certifi.where())
