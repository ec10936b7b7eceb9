"""From `--engine` and `--token-file` to a client."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from workflow_sdk.cli.failures import CommandFailed
from workflow_sdk.client.base import BaseEngineClient


class TokenFile:
    """A bearer token in a file, read again when the file has changed, so that a token can be replaced while we run.

    Args:
        name: the file; it holds the token and perhaps a line end.

    Raises:
        CommandFailed: the file holds no token.

    """

    def __init__(self, name: str) -> None:
        self._path = Path(name)
        self._state: tuple[int, int] = (0, 0)
        self._token = ""
        try:
            self._read()
        except OSError as error:
            raise CommandFailed(f"{name} cannot be read: {error.strerror}. Correct --token-file.") from None
        except ValueError:
            raise CommandFailed(f"{name} holds no token. It must be one line of ASCII without spaces.") from None

    def __call__(self) -> str:
        """Return the token; the one before while the file is unreadable, as it is in the middle of a replacement."""
        with suppress(OSError, ValueError):
            self._read()
        return self._token

    def _read(self) -> None:
        stat = self._path.stat()
        state = (stat.st_mtime_ns, stat.st_ino)
        if state == self._state:
            return
        token = self._path.read_text(encoding="ascii").strip()
        if not token or not token.isprintable() or " " in token:
            raise ValueError("no token")
        self._token, self._state = token, state


def open_client(engine: str, token_file: str | None = None, timeout: float = 30.0) -> BaseEngineClient:
    """Return a client for the address, over REST or gRPC.

    Args:
        engine: `http://…`, `https://…` or `grpc://HOST:PORT`.
        token_file: where the bearer token is; None for none.
        timeout: seconds for one call.

    Raises:
        CommandFailed: the address or the token file cannot be used.

    """
    token = TokenFile(token_file) if token_file else None
    scheme, host, port = _parts(engine)
    if scheme in {"http", "https"}:
        from workflow_sdk.client.rest import RestEngineClient  # noqa: PLC0415 - a worker loads one transport only

        return RestEngineClient(engine, timeout, token=token)
    if scheme != "grpc":
        raise CommandFailed(f"--engine must begin with http://, https:// or grpc://, not {engine!r}.")
    if port is None:
        raise CommandFailed(f"--engine {engine} names no port. Write grpc://HOST:PORT, for example grpc://{host}:9090.")
    try:
        from workflow_sdk.client.grpc import GrpcEngineClient  # noqa: PLC0415 - grpcio is an extra
    except ImportError:
        raise CommandFailed("grpc:// needs grpcio. Install it: pip install 'workflow-sdk[grpc]'.") from None
    return GrpcEngineClient(f"{host}:{port}", timeout, token=token)


def _parts(engine: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(engine)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        scheme, host, port = "", "", None
    if not host:
        raise CommandFailed(f"--engine {engine!r} is no address. Write http://HOST:PORT or grpc://HOST:PORT.")
    return scheme, f"[{host}]" if ":" in host else host, port
