"""One of several worker processes; started by `processes.start`, never by hand.

Its argument is JSON: the settings, and the number of the open file that is the health port, if there is one. Its
standard input is a pipe that ends when the process that looks after it is gone, however that came about.
"""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import asdict

from workflow_sdk.cli import tell
from workflow_sdk.cli.failures import CommandFailed
from workflow_sdk.cli.logs import set_up_logging
from workflow_sdk.cli.options import Settings
from workflow_sdk.cli.stopping import Stopping
from workflow_sdk.cli.worker import work


def orders(settings: Settings, listener: int | None) -> str:
    """Return the argument for a process with these settings."""
    return json.dumps({"settings": asdict(settings), "listener": listener})


def main() -> int:
    """Work as the argument says; return the exit code."""
    told = json.loads(sys.argv[1])
    settings = Settings(**told["settings"])
    set_up_logging(settings.log_format, worker_id=settings.worker_id)
    stop = Stopping()
    stop.when_ends(0)
    listener = None if told["listener"] is None else socket.socket(fileno=told["listener"])
    try:
        return work(settings, stop, listener)
    except CommandFailed as failure:
        return tell(failure)


if __name__ == "__main__":
    sys.exit(main())
