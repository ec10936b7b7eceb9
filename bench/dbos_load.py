"""One load process that is a DBOS application: `python -m bench.dbos_load THREADS DSN`, as `bench.window` says.

It runs in an environment of its own (`bench.dbos_venv`), in which nothing of ours is installed: `bench.window` and
`bench.flow` need nothing but Python, and no other module of ours may be imported here. Its workflow is the linear one
that an engine is measured with: three steps with the same small variables. A step counts when it has returned, which is
when its result is stored.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

from dbos import DBOS, DBOSConfig  # type: ignore[import-not-found]  # in its own environment only

from bench.flow import RESULT, STEPS, VARIABLES
from bench.window import Tally, await_span

_lock = Lock()


@DBOS.step()  # type: ignore[untyped-decorator]  # not installed where types are checked
def _step(_variables: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(RESULT)
    return result


@DBOS.workflow()  # type: ignore[untyped-decorator]  # not installed where types are checked
def _linear(variables: dict[str, Any]) -> dict[str, Any]:
    for _ in range(STEPS):
        began_s = time.monotonic()
        variables = variables | _step(variables)
        if _tally:
            with _lock:
                _tally[0].finished(1, began_s)
    return variables


_tally: list[Tally] = []
"""A workflow's arguments are stored, so what counts its steps cannot be one of them."""


def _work(tally: Tally) -> None:
    variables = json.loads(VARIABLES)
    while not tally.done.is_set():
        _linear(variables)


async def main(threads: int, dsn: str) -> dict[str, Any]:
    """Run workflows in so many threads from when the span is told until its end; return the figures."""
    config = DBOSConfig(
        name="bench",
        system_database_url=dsn,
        sys_db_pool_size=threads,
        log_level="ERROR",
        executor_id=f"bench-{os.getpid()}",
    )
    DBOS(config=config)
    DBOS.launch()
    _linear(json.loads(VARIABLES))
    tally = Tally(await asyncio.to_thread(await_span))
    _tally.append(tally)
    with ThreadPoolExecutor(threads) as pool:
        await asyncio.gather(*(asyncio.get_running_loop().run_in_executor(pool, _work, tally) for _ in range(threads)))
    DBOS.destroy()
    return tally.figures()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(int(sys.argv[1]), sys.argv[2]))))
