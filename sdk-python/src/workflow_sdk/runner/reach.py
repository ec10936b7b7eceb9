"""How a blocking runner reaches the engine, and where its loop runs: shared by all such faces."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any

from workflow_sdk.client.base import BaseEngineClient
from workflow_sdk.worker.ports import AsyncPort, BlockingPort, Port
from workflow_sdk.worker.settings import WorkerSettings
from workflow_sdk.worker.threads import Threads

Connect = Callable[[], Port]
"""Makes one more port, for another thread."""


@contextmanager
def reached(client: Any, settings: WorkerSettings) -> Generator[tuple[Port, Connect | None], None, None]:
    """Yield a port to the client's engine, and how to make another, None if that cannot be.

    A client of ours is only asked how to connect; any other is called on threads.
    """
    first = _connected(client, settings.worker_id)
    if first is not None:
        yield first, lambda: _sure(_connected(client, settings.worker_id))
        return
    calls = Threads(settings.parallelism + 1, f"workflow-calls-{settings.worker_id}")
    try:
        yield BlockingPort(client, settings.worker_id, calls.run), None
    finally:
        calls.close()


def run_somewhere(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run on a loop here, or, where a loop runs already, on a thread of its own while this one waits."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work())
        return
    ended: list[BaseException] = []

    def on_thread() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:  # noqa: BLE001 - raised again where the caller waits
            ended.append(error)

    thread = threading.Thread(target=on_thread, name="workflow-runner")
    thread.start()
    thread.join()
    if ended:
        raise ended[0]


def _connected(client: Any, worker_id: str) -> Port | None:
    twin = client.async_twin() if isinstance(client, BaseEngineClient) else None
    return None if twin is None else AsyncPort(twin, worker_id, owned=True)


def _sure(port: Port | None) -> Port:
    assert port is not None, "there was one before"
    return port
