"""Journeys: whole workflows on real engines, databases and workers, and where each has to end, killed or not.

`python -m e2e.journeys` plays the matrix. A journey is data (`journey`, `loan`, `shapes`); everything else plays it.
"""

import os

# The driver starts processes while gRPC's threads are at work; none of them calls gRPC before it execs.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
