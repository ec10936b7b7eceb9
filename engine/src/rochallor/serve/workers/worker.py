"""A worker as its parent sees it: a process, whether it is ready, what it answers, how it ended."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress

from rochallor.config import Config
from rochallor.serve.workers.orders import ASK_METRICS, MOST_BYTES, Orders, Page, line, read_told

ANSWER_S = 5.0


class Worker:
    """One life of one worker; `number` stays when it is replaced."""

    def __init__(self, number: int, process: asyncio.subprocess.Process) -> None:
        self.number = number
        self.ready = asyncio.Event()
        self._process = process
        self._page: asyncio.Future[str] | None = None
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, number: int, config: Config) -> Worker:
        """Start a process of its own group, so that Ctrl-C in a terminal reaches the parent alone."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "rochallor.serve.workers",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=MOST_BYTES,
        )
        worker = cls(number, process)
        worker._send(line(Orders.of(number, config)))
        return worker

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    async def ended(self) -> int:
        """Return its exit code once it has ended; negative: by that signal."""
        code = await self._process.wait()
        await asyncio.shield(self._listening)  # several wait for this, and one of them may be cancelled
        return code

    async def became_ready(self) -> bool:
        """Return True when it serves, False when it ended before it did."""
        ready, ended = asyncio.create_task(self.ready.wait()), asyncio.create_task(self.ended())
        await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
        for task in (ready, ended):
            task.cancel()
        return self.ready.is_set()

    async def metrics(self) -> str | None:
        """Return its metrics as text, None when it does not answer (it is starting, or dying)."""
        if not self.ready.is_set():
            return None
        if self._page is None or self._page.done():
            self._page = asyncio.get_running_loop().create_future()
            self._send(ASK_METRICS)
        with suppress(asyncio.TimeoutError, ConnectionError):
            async with asyncio.timeout(ANSWER_S):
                return await asyncio.shield(self._page)
        return None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it is still there."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def _send(self, text: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        while text := await self._process.stdout.readline():
            told = read_told(text)
            if not isinstance(told, Page):
                self.ready.set()
            elif self._page is not None and not self._page.done():
                self._page.set_result(told.text)
        if self._page is not None and not self._page.done():
            self._page.set_exception(ConnectionError("it has ended"))
            self._page.exception()  # nobody may be waiting any more
