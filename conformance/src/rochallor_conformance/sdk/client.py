"""The protocol wf-driver/1 as the harness speaks it: commands, their answers, and the jobs that handlers ask about.

Whatever a driver does wrong ends in `DriverFault` with a sentence: junk, silence, an answer to nothing, its death. A
driver with a fault is done for; the caller kills it and starts another.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

from rochallor_conformance.sdk.messages import PROTOCOL, BadLine, Json, read_line, wrong
from rochallor_conformance.sdk.process import DriverProcess, LineTooLong

COMMANDS = ("hello", "connect", "call", "worker.start", "job.reply", "worker.stop", "reset", "bye")
ANSWER_S = 20.0
"""How long a driver may take for one command; an SDK that retries for longer hangs, as far as a case is concerned."""
LAST_WORDS = 400
END_S = 2.0


class DriverFault(Exception):
    """A driver did what a driver must not do; the sentence says what."""


class Told(NamedTuple):
    """A driver's answer: a result, or an error of schemas/driver.json."""

    result: Json | None
    error: Json | None

    @property
    def kind(self) -> str:
        """The error's kind; "ok" when there is none."""
        return str(self.error["kind"]) if self.error else "ok"


class DriverClient:
    """Speaks with one driver process. `jobs` are the job events, in the order in which they came."""

    def __init__(self, process: DriverProcess, *, answer_s: float | None = None) -> None:
        self.process = process
        self.jobs: list[Json] = []
        self.fault: str = ""
        self._answer_s = answer_s or ANSWER_S
        self._asked: dict[int, tuple[str, asyncio.Future[Told]]] = {}
        self._last = 0
        self._changed = asyncio.Condition()
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> Json:
        """Start the process and say hello; return what the driver says that it is.

        Raises:
            Unreachable: there is no such program.
            DriverFault: it does not speak wf-driver/1.

        """
        await self.process.start()
        self._reading = asyncio.create_task(self._read())
        told = await self.ask("hello", protocol=PROTOCOL)
        if told.result is None:
            raise DriverFault(f"refused hello: {told.error}")
        if problem := wrong(told.result, "hello-result"):
            raise DriverFault(f"answered hello with {json.dumps(told.result)}: {problem}")
        return told.result

    async def ask(self, command: str, *, answer_s: float | None = None, **fields: Any) -> Told:
        """Carry out a command.

        Raises:
            DriverFault: it is not answered as it should be.

        """
        return await self.answer(await self.send(command, **fields), answer_s=answer_s)

    async def send(self, command: str, **fields: Any) -> int:
        """Write a command without waiting for its answer; return its number."""
        if self.fault:
            raise DriverFault(self.fault)
        message = {"seq": self._last + 1, "command": command, **fields}
        if command in COMMANDS and (problem := wrong(message, command)):
            raise ValueError(f"{command} {fields} is not what schemas/driver.json allows: {problem}")
        self._last += 1
        self._asked[self._last] = (command, asyncio.get_running_loop().create_future())
        await self.process.write(json.dumps(message, ensure_ascii=False).encode() + b"\n")
        return self._last

    async def answer(self, number: int, *, answer_s: float | None = None) -> Told:
        """Wait for the answer to a command; a second wait gets the same one."""
        command, future = self._asked[number]
        seconds = answer_s or self._answer_s
        done, _ = await asyncio.wait([future], timeout=seconds)
        if not done:
            await self._fail(f"did not answer {command} within {seconds:g} s")
        return await future

    async def job(self, index: int, seconds: float) -> Json | None:
        """Wait for the job event with this number, from 0; return None when it does not come.

        Raises:
            DriverFault: the driver is broken.

        """
        async with self._changed:
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait_for(lambda: len(self.jobs) > index or self.fault)
            except TimeoutError:
                return None
        if len(self.jobs) > index:
            return self.jobs[index]
        raise DriverFault(self.fault)

    async def end(self) -> None:
        """Close its input, give it a moment, then kill what is left; a second call does nothing."""
        self.fault = self.fault or "was told to end"
        self.process.close_input()
        if self._reading:
            await asyncio.wait([self._reading], timeout=END_S)
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self.process.kill()
        for _, future in self._asked.values():
            future.cancel()

    async def _read(self) -> None:
        try:
            async for raw in self.process.lines():
                await self._take(read_line(raw))
        except (BadLine, LineTooLong) as junk:
            await self._fail(str(junk))
            return
        await self.process.ended()
        words = self.process.stderr.strip()[-LAST_WORDS:]
        how = "closed its output" if self.process.returncode is None else f"ended with {self.process.returncode}"
        await self._fail(f"{how} without being told to" + (f"; its last words: {words}" if words else ""))

    async def _take(self, said: Json) -> None:
        if "event" in said:
            self.jobs.append(said)
        else:
            _, future = self._asked.get(said["re"], ("", None))
            if future is None:
                raise BadLine(f"answered number {said['re']}, which was not asked")
            if future.done():
                raise BadLine(f"answered number {said['re']} twice")
            future.set_result(Told(said.get("result"), said.get("error")))
        async with self._changed:
            self._changed.notify_all()

    async def _fail(self, sentence: str) -> None:
        """Note the first fault, and let everybody who waits know."""
        self.fault = self.fault or f"the driver {sentence}"
        for _, future in self._asked.values():
            if not future.done():
                future.set_exception(DriverFault(self.fault))
                future.exception()  # somebody may not be waiting
        async with self._changed:
            self._changed.notify_all()
