"""Logging of one process: everything ends up on one stream, as JSON lines or for people.

Standard error carries the log; standard output stays free for what a command was asked for.
"""

from __future__ import annotations

import logging
import sys
from functools import partial
from typing import Any, BinaryIO

import msgspec
import structlog

from rochallor.config import Config
from rochallor.ports import Clock
from rochallor.serve.lines import Lines, NoLines, StreamLines, as_json, as_text

QUIET = ("uvicorn.error", "asyncio")  # they tell about starting and stopping, which we do ourselves


def wants_json(config: Config, *, terminal: bool) -> bool:
    """Return whether log lines are JSON: as configured, else unless a person is watching."""
    return config.log_format == "json" if config.log_format else not terminal


def set_up_logging(config: Config, *, json: bool, worker: int | None = None) -> None:
    """Send what anybody logs through `logging` or structlog to standard error.

    `worker` is the number of one of several processes, which every line then has.
    """
    level = logging.getLevelNamesMapping()[config.log_level.upper()]
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        *([] if worker is None else [partial(_numbered, worker)]),
    ]
    rendered: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_dumps)]
        if json
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), timestamp_key="time")]
    )
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[remove_meta, *rendered])
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )


def lines_of(config: Config, clock: Clock, stream: BinaryIO, *, json: bool, worker: int | None = None) -> Lines:
    """Return where the lines of steps and requests go: to `stream`, or nowhere when the level is above info."""
    if config.log_level not in {"debug", "info"}:
        return NoLines()
    return StreamLines(stream, as_json if json else as_text, clock, worker=worker)


def _numbered(worker: int, _logger: object, _method: str, line: dict[str, Any]) -> dict[str, Any]:
    return {**line, "worker": worker}


def _dumps(value: Any, **_options: Any) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()
