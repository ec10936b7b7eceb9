"""The composition root of a running engine: from a configuration to a process that serves until it is told to stop."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import structlog

from rochallor.config import Loaded
from rochallor.serve.logs import set_up_logging, wants_json
from rochallor.serve.plan import plan
from rochallor.serve.process import run, serve_one, stop_at_signals
from rochallor.serve.security import security_of
from rochallor.serve.server import Addresses, Server
from rochallor.serve.tracing import tracing_of
from rochallor.serve.workers import serve_many
from rochallor.shell.clocks import SystemClock

__all__ = ["Addresses", "Server", "plan", "run", "serve", "stop_at_signals"]

log = structlog.get_logger("rochallor.serve")


def serve(loaded: Loaded, on_ready: Callable[[Addresses], None] | None = None) -> int:
    """Run an engine until SIGTERM or SIGINT; return the exit code. Raises `ConfigError` before anything is started.

    `on_ready` is told where the engine listens; without it a log line says so.
    """
    config, planned = loaded.config, plan(loaded.config)
    security = security_of(config, SystemClock())
    json = wants_json(config, terminal=sys.stderr.isatty())
    set_up_logging(config, json=json)
    for sentence in (*loaded.warnings, *planned.warnings):
        log.warning(sentence)
    tell = on_ready or _log_ready
    if config.workers > 1:
        return run(serve_many(config, planned.host, security, tell))
    return run(serve_one(config, planned, security, tell, tracing_of(os.environ), json=json))


def _log_ready(addresses: Addresses) -> None:
    log.info("ready", **addresses._asdict())
