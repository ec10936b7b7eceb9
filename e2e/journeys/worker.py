"""A worker with short leases, `python -m e2e.journeys.worker URL`: what it held when it was killed comes back soon.

`workflow-worker` has the engine's default of 30 seconds; it serves the journeys in which nobody is killed.
"""

from __future__ import annotations

import os
import sys

from workflow_sdk import GrpcEngineClient, RestEngineClient, Runner

from e2e.journeys.handlers import registry

LEASE_S = 1


def main(url: str) -> None:
    """Serve until SIGTERM."""
    scheme, _, target = url.partition("://")
    client = GrpcEngineClient(target) if scheme == "grpc" else RestEngineClient(url)
    with client:
        Runner(client, registry, f"worker-{os.getpid()}", parallelism=8, lease_seconds=LEASE_S).run()


if __name__ == "__main__":
    main(sys.argv[1])
