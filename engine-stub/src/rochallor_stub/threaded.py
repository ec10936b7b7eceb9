"""The stub for code that is not async: the same one on a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

from rochallor_stub.errors import StubError
from rochallor_stub.faults import Faults
from rochallor_stub.journal import Journal
from rochallor_stub.people import People
from rochallor_stub.stub import AsyncEngineStub

T = TypeVar("T")


class EngineStub:
    """An engine whose time and troubles are scripted; use it with `with`, or `start` and `stop` it.

    Takes the arguments of `AsyncEngineStub`, and means the same by every name.
    """

    def __init__(self, **options: Any) -> None:
        self._stub = AsyncEngineStub(**options)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where REST answers, for example http://127.0.0.1:40123."""
        return self._stub.url

    @property
    def grpc_target(self) -> str:
        """Where gRPC answers, for example 127.0.0.1:40124."""
        return self._stub.grpc_target

    @property
    def journal(self) -> Journal:
        """Every exchange so far."""
        return self._stub.journal

    @property
    def faults(self) -> Faults:
        """The scripted faults."""
        return self._stub.faults

    @property
    def people(self) -> People:
        """Who completes user tasks and sends signals."""
        return self._stub.people

    @property
    def now(self) -> datetime:
        """The virtual time."""
        return self._stub.now

    def start(self) -> None:
        """Start the thread and the stub on it; raises `OSError` when a port is taken."""
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), name="rochallor-stub", daemon=True)
        self._thread.start()
        started.wait()
        try:
            self._do(self._stub.start())
        except BaseException:
            self._end()
            raise

    def stop(self) -> None:
        """Stop the stub and its thread; a second call does nothing."""
        if self._thread is not None:
            try:
                self._do(self._stub.stop())
            finally:
                self._end()

    def advance(self, seconds: float) -> None:
        """Let virtual time pass; when this returns, all that fell due has happened, each thing at its own moment."""
        self._do(self._stub.advance(seconds))

    def jump(self, seconds: float) -> None:
        """Set the clock forward or back in one go, as when an administrator corrects it."""
        self._do(self._stub.jump(seconds))

    def expire_lease(self, job_id: str) -> bool:
        """Let a job's lease run out now: it goes back to the queue. False when nobody holds it."""
        return self._do(self._stub.expire_lease(job_id))

    def reset(self, seed: int | None = None) -> None:
        """Begin again: an empty engine at the first moment, no faults, an empty journal. The ports stay."""
        self._do(self._stub.reset(seed))

    def state(self) -> dict[str, Any]:
        """Return what there is, in numbers."""
        return self._do(self._stub.state())

    def finish(self, timeout_s: float) -> bool:
        """Return once no instance is in flight, or nothing more can happen by itself; meant for `auto`.

        False when that took longer than `timeout_s` real seconds.
        """
        return self._do(self._stub.finish(timeout_s))

    def set_auto(self, *, on: bool) -> None:
        """Let the clock move by itself when nothing else can happen, or stop that."""
        self._do(_call(lambda: self._stub.set_auto(on=on)))

    def expect(self, *job_types: str) -> None:
        """Say that a worker is about to ask for these types: the clock does not move by itself past their jobs."""
        self._do(_call(lambda: self._stub.expect(*job_types)))

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep the clock from moving by itself inside a `with` block."""
        held = self._stub.hold()
        self._do(_call(held.__enter__))
        try:
            yield
        finally:
            self._do(_call(lambda: held.__exit__(None, None, None)))

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Answer long polls and awaits at once inside a `with` block, those that wait already too."""
        hurried = self._stub.impatient()
        self._do(_call(hurried.__enter__))
        try:
            yield
        finally:
            self._do(_call(lambda: hurried.__exit__(None, None, None)))

    def _run(self, started: threading.Event) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._loop.call_soon(started.set)
            self._loop.run_forever()

    def _end(self) -> None:
        assert self._loop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._thread = self._loop = None

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise StubError("the stub is not running; use it inside `with EngineStub() as engine:`")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def _call(action: Any) -> None:
    action()
