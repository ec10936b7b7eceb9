"""The log of a worker on standard error: a line of JSON for machines, or text for people."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

# They tell of every request at the level that we tell of every start.
_QUIET = ("httpx", "httpcore")
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Facts(logging.Filter):
    """Puts the same facts on every record: which worker it was."""

    def __init__(self, facts: dict[str, Any]) -> None:
        super().__init__()
        self._facts = facts

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the facts; let every record pass."""
        for name, value in self._facts.items():
            record.__dict__.setdefault(name, value)
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line: event, level, logger, time, what came as `extra`, and the exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_extras(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """Time, level, logger, message, then the extras as name=value."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with the traceback below it."""
        extras = "".join(f" {name}={value}" for name, value in _extras(record).items())
        line = f"{_moment(record)} {record.levelname.lower():8} {record.name}: {record.getMessage()}{extras}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def set_up_logging(log_format: str | None, **facts: Any) -> None:
    """Send what anybody logs to standard error; None is text on a terminal and JSON elsewhere."""
    wanted = log_format or ("text" if sys.stderr.isatty() else "json")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if wanted == "json" else TextLines())
    handler.addFilter(Facts(facts))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _moment(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _USUAL and value not in (None, "")}
