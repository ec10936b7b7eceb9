"""A driver's process: a group of its own, so that whatever it starts ends with it; its lines and its stderr.

Nothing here knows the protocol. It would break if anything but this module signalled the process.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path

from rochallor_conformance.transports.exchange import Unreachable

LONGEST_LINE = 16 * 1024 * 1024
EXIT_S = 5.0
KEPT_BYTES = 16 * 1024 * 1024
"""What is kept of stderr; a case's whole log is to be in it, because it is looked through for tokens."""


class LineTooLong(Exception):
    """A line is longer than `LONGEST_LINE` bytes."""


class DriverProcess:
    """One process of a driver, started with `start`."""

    def __init__(self, command: list[str], folder: Path, variables: Mapping[str, str]) -> None:
        self._command = command
        self._folder = folder
        self._variables = {**os.environ, "PYTHONUNBUFFERED": "1", **variables}
        self._process: Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._stderr = bytearray()
        self._heard = 0

    @property
    def stderr(self) -> str:
        """What it wrote to stderr so far; of very much, the end."""
        return self._stderr.decode("utf-8", "replace")

    @property
    def heard(self) -> int:
        """How many bytes it ever wrote to stderr, those included that are no longer kept."""
        return self._heard

    def stderr_since(self, heard: int) -> str:
        """What it wrote to stderr after `heard` bytes; of very much, the end."""
        newer = min(self._heard - heard, len(self._stderr))
        return self._stderr[len(self._stderr) - newer :].decode("utf-8", "replace")

    @property
    def returncode(self) -> int | None:
        """How it ended: its exit code, or minus the signal; None while it runs."""
        return self._process.returncode if self._process else None

    async def start(self) -> None:
        """Start it.

        Raises:
            Unreachable: there is no such program.

        """
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                cwd=self._folder,
                env=self._variables,
                start_new_session=True,
                limit=LONGEST_LINE,
            )
        except OSError as error:
            raise Unreachable(f"the driver does not start: {' '.join(self._command)}: {error.strerror}") from error
        self._listening = asyncio.create_task(self._listen(self._process))

    async def write(self, line: bytes) -> None:
        """Write a line to its input; one that does not read any more is no error here."""
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(ConnectionError):
            self._process.stdin.write(line)
            await self._process.stdin.drain()

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield its lines until its output closes.

        Raises:
            LineTooLong: what it writes is none.

        """
        assert self._process is not None
        assert self._process.stdout is not None
        stdout = self._process.stdout
        while True:
            try:
                line = await stdout.readuntil(b"\n")
            except asyncio.IncompleteReadError as end:
                if end.partial:
                    yield end.partial
                return
            except asyncio.LimitOverrunError:
                raise LineTooLong(f"printed a line of more than {LONGEST_LINE} bytes; no message is so long") from None
            yield line

    def close_input(self) -> None:
        """Close its input; a driver ends then."""
        if self._process and self._process.stdin:
            self._process.stdin.close()

    async def ended(self, seconds: float = EXIT_S) -> bool:
        """Wait so long for its end; return whether it came."""
        assert self._process is not None
        try:
            async with asyncio.timeout(seconds):
                await self._process.wait()
        except TimeoutError:
            return False
        return True

    async def kill(self) -> None:
        """End it and all that it started, at once; a second call does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the group outlives its leader while a child of it runs
        await process.wait()
        if process.stdin:
            process.stdin.close()
        if self._listening:
            await self._listening

    async def _listen(self, process: Process) -> None:
        assert process.stderr is not None
        while chunk := await process.stderr.read(65536):
            self._stderr += chunk
            self._heard += len(chunk)
            del self._stderr[:-KEPT_BYTES]
