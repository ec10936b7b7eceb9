"""A client for engines that die: one keep-alive connection, JSON both ways, and one exception for every loss."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

PATIENCE_S = 15.0


class Lost(Exception):
    """No answer: nobody knows whether the request was done."""


class Answer(NamedTuple):
    """What the engine said."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return self.status < 300  # noqa: PLR2004 - HTTP's own line


class Client:
    """One connection, made when needed, to one port. One request at a time."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(self, method: str, path: str, body: object = None) -> Answer:
        """Send and return the answer; raises `Lost`."""
        try:
            # Not wait_for: in Python 3.11 it can lose a cancellation that comes together with the answer.
            async with asyncio.timeout(PATIENCE_S):
                return await self._call(method, path, body)
        except (OSError, EOFError, asyncio.TimeoutError, ValueError) as error:
            self.close()
            raise Lost(f"{method} {path}: {error!r}") from error
        except asyncio.CancelledError:
            self.close()
            raise

    async def _call(self, method: str, path: str, body: object) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self._streams
        payload = b"" if body is None else json.dumps(body).encode()
        target = path if path.startswith("/") else f"/v1/{path}"
        head = f"{method} {target} HTTP/1.1\r\nhost: engine\r\ncontent-length: {len(payload)}\r\n"
        writer.write(f"{head}content-type: application/json\r\n\r\n".encode() + payload)
        head_lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        lengths = [line.partition(":")[2] for line in head_lines if line.startswith("content-length:")]
        text = await reader.readexactly(int(lengths[0]) if lengths else 0)
        if "connection: close" in head_lines:
            self.close()
        return Answer(int(head_lines[0].split()[1]), json.loads(text) if text else None)

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
