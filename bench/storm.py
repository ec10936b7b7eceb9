"""One load process that only starts instances: `python -m bench.storm CONNECTIONS HOST PORT`.

The span is told as `bench.window` says.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from typing import Any

import uvloop

from bench.contract import Client, clients
from bench.flows import LINEAR
from bench.window import Tally, await_span


async def main(count: int, host: str, port: int) -> dict[str, Any]:
    """Start instances from when the span is told until its end; return the figures."""
    async with clients("rest", count, host, port) as connected:
        definition_id = await connected[0].upload(LINEAR.definition(uuid.uuid4().hex[:12]))
        tally = Tally(await_span())
        await asyncio.gather(*(_start(client, definition_id, tally) for client in connected))
    return tally.figures()


async def _start(client: Client, definition_id: str, tally: Tally) -> None:
    while not tally.done.is_set():
        began_s = time.monotonic()
        await client.start(definition_id, LINEAR.variables)
        tally.finished(1, began_s)


if __name__ == "__main__":
    given_count, given_host, given_port = sys.argv[1:]
    print(json.dumps(uvloop.run(main(int(given_count), given_host, int(given_port)))))
