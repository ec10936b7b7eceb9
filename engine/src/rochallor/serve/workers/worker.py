"""A worker as its parent sees it: a process, how far it has come, what it answers, how it ended."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress

from rochallor.config import Config
from rochallor.serve.process import first_of
from rochallor.serve.workers.orders import (
    ASK_METRICS,
    LISTEN,
    MOST_BYTES,
    RELOAD,
    Orders,
    Ready,
    Started,
    Told,
    line,
    read_told,
)

ANSWER_S = 5.0
# -P: the folder that the engine was started in is no place to import from.
COMMAND = (sys.executable, "-P", "-m", "rochallor.serve.workers")


class Worker:
    """One life of one worker; `number` stays when it is replaced, `page` is what it last said of its metrics."""

    def __init__(self, number: int, process: asyncio.subprocess.Process) -> None:
        self.number = number
        self.page = ""
        self.started, self.ready = asyncio.Event(), asyncio.Event()
        self._process = process
        self._answer: asyncio.Future[None] | None = None
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, number: int, config: Config) -> Worker:
        """Start a process of its own group, so that Ctrl-C in a terminal reaches the parent alone."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *COMMAND, stdin=pipe, stdout=pipe, start_new_session=True, limit=MOST_BYTES
        )
        worker = cls(number, process)
        worker._send(line(Orders.of(number, config)))
        return worker

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.returncode is not None

    async def ended(self) -> int:
        """Return its exit code once it has ended and all it said is heard; negative: by that signal."""
        code = await self._process.wait()
        await asyncio.shield(self._listening)  # several wait for this, and one of them may be cancelled
        return code

    async def became(self, state: asyncio.Event) -> None:
        """Return when it is `started` or `ready`; raises `ChildProcessError` when it has ended before."""
        await first_of(state.wait(), self.ended())
        if not state.is_set():
            raise ChildProcessError(f"worker {self.number} ended before it could serve; its lines above say why")

    def listen(self) -> None:
        """Let it open its doors, as soon as it can."""
        self._send(LISTEN)

    def reload(self) -> None:
        """Let it read the tokens anew, as soon as it can."""
        self._send(RELOAD)

    async def ask(self) -> bool:
        """Ask for its metrics; return whether `page` has them now (a worker may be starting, stuck, or gone)."""
        if not self.ready.is_set() or self._listening.done():
            return False
        if self._answer is None:
            self._answer = asyncio.get_running_loop().create_future()
            self._send(ASK_METRICS)
        answer = self._answer
        with suppress(asyncio.TimeoutError, ConnectionError):
            async with asyncio.timeout(ANSWER_S):
                await asyncio.shield(answer)
                return True
        if self._answer is answer:
            self._answer = None  # ask again next time
        return False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it is still there."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def _send(self, text: bytes) -> None:
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(text)

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        while text := await self._process.stdout.readline():
            self._hear(read_told(text))
        self._answered(ConnectionError("it has ended"))

    def _hear(self, told: Told) -> None:
        if isinstance(told, Started):
            self.started.set()
        elif isinstance(told, Ready):
            self.ready.set()
        else:
            self.page = told.text
            self._answered()

    def _answered(self, error: Exception | None = None) -> None:
        answer, self._answer = self._answer, None
        if answer is None:
            return
        if error is None:
            answer.set_result(None)
        else:
            answer.set_exception(error)
            answer.exception()  # nobody may be waiting any more
