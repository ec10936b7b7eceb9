"""The trace that a request belongs to (W3C Trace Context, level 1): read at the door, noted in whatever it changes.

It travels beside the arguments, in a context variable, as traces do everywhere: a door enters it, the operation reads
it. What cannot be read is no trace, never an error; that is the standard's rule.
"""

from __future__ import annotations

import re
from contextvars import ContextVar

_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_LONGEST = 512

_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def enter(header: str) -> None:
    """Let what follows in this task belong to the trace of a `traceparent`; to none if it is empty or unreadable."""
    _current.set(read_traceparent(header) if header else None)


def current() -> str | None:
    """Return the traceparent of this request, None when it has none."""
    return _current.get()


def current_trace_id() -> str | None:
    """Return the trace id of this request, 32 hexadecimal digits."""
    found = _current.get()
    return trace_id_of(found) if found else None


def read_traceparent(header: str) -> str | None:
    """Return a header in the form of version 00, None for what is not one; of its flags only `sampled` is known."""
    found = _FORM.fullmatch(header.strip()) if len(header) <= _LONGEST else None
    if found is None:
        return None
    version, trace_id, parent_id, flags, more = found.groups()
    known = version != "ff" and not (version == "00" and more)
    if not known or not int(trace_id, 16) or not int(parent_id, 16):
        return None
    return f"00-{trace_id}-{parent_id}-{int(flags, 16) & 1:02x}"


def trace_id_of(traceparent: str) -> str:
    """Return the trace id in a traceparent that has been read."""
    return traceparent[3:35]
