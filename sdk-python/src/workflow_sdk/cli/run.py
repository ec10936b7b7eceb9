"""`workflow-worker run`: here, or in processes that are looked after."""

from __future__ import annotations

import os
from dataclasses import replace

from workflow_sdk.cli.failures import CommandFailed
from workflow_sdk.cli.health import announce, listen
from workflow_sdk.cli.logs import set_up_logging
from workflow_sdk.cli.options import Settings, default_worker_id
from workflow_sdk.cli.stopping import Stopping
from workflow_sdk.cli.worker import work


def perform(settings: Settings) -> int:
    """Serve until told to stop; return the exit code."""
    settings = replace(settings, worker_id=settings.worker_id or default_worker_id())
    if settings.reload or settings.processes > 1:
        if os.name != "posix":
            raise CommandFailed("--processes and --reload need POSIX signals. Start several workers instead.")
        from workflow_sdk.cli.family import look_after  # noqa: PLC0415 - one process needs none of it

        return look_after(settings)
    set_up_logging(settings.log_format, worker_id=settings.worker_id)
    listener = None
    if settings.health_port is not None:
        listener = listen(settings.health_host, settings.health_port)
        announce(listener)
    return work(settings, Stopping(), listener)
