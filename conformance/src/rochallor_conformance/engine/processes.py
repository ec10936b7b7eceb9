"""Engines of our own as processes: started on free ports, told to stop, and killed if they do not."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections import deque
from collections.abc import Mapping
from typing import Self

from rochallor_conformance.transports.exchange import Unreachable

READY_S = 30.0
STOP_S = 15.0
KEPT_LINES = 40
LEASH = (sys.executable, "-m", "rochallor_conformance.engine.leash")
EVERY_ENGINE = {
    "WE_HOST": "127.0.0.1",
    "WE_REST_PORT": "0",
    "WE_GRPC_PORT": "0",
    "WE_METRICS_PORT": "0",
    "WE_LOG_FORMAT": "json",
    "WE_LOG_LEVEL": "info",
}


class Process:
    """One process that says in a line of JSON where it answers."""

    def __init__(self, command: list[str], variables: Mapping[str, str]) -> None:
        self._command = command
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("WE_", "OTEL_"))}
        self._variables = {**clean, "GRPC_ENABLE_FORK_SUPPORT": "0", **variables}
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    def engine(cls, variables: Mapping[str, str]) -> Self:
        """Return the engine, not yet started."""
        return cls([*LEASH, "rochallor", "serve"], {**EVERY_ENGINE, **variables})

    @classmethod
    def stub(cls) -> Self:
        """Return the stub, not yet started."""
        return cls([*LEASH, "rochallor_stub"], {})

    @classmethod
    def mutant(cls, strain: str, *, setting: str = "", tokens: str = "") -> Self:
        """Return the stub with a defect, not yet started; `tokens` is a tokens file."""
        options = [f"--{name}={value}" for name, value in (("setting", setting), ("tokens", tokens)) if value]
        return cls([*LEASH, "rochallor_conformance.mutants", strain, *options], {})

    async def start(self) -> dict[str, str]:
        """Start it; return where it answers.

        Raises:
            Unreachable: it ended, or said nothing in time.

        """
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=PIPE, stdout=PIPE, stderr=asyncio.subprocess.STDOUT, env=self._variables,
            start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(READY_S):
                addresses = await self._said_where()
        except TimeoutError:
            addresses = None
        if addresses is None:
            await self.stop()
            raise Unreachable(f"{' '.join(self._command)} did not start:\n" + "\n".join(self._lines))
        assert self._process.stdout is not None
        self._reading = asyncio.create_task(self._read_on(self._process.stdout))
        return addresses

    async def stop(self) -> None:
        """End it; a second call does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._reading:
            await self._reading

    async def _said_where(self) -> dict[str, str] | None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for raw in self._process.stdout:
            line = raw.decode("utf-8", "replace").rstrip()
            self._lines.append(line)
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if isinstance(said, dict) and "rest" in said and "grpc" in said:
                return {name: str(said[name]) for name in ("rest", "grpc")}
        return None

    async def _read_on(self, said: asyncio.StreamReader) -> None:
        """Keep the pipe empty, so that the process never waits for a reader."""
        async for raw in said:
            self._lines.append(raw.decode("utf-8", "replace").rstrip())
