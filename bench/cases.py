"""What `bench dispatch` and `bench steady` tell apart: tables of names, which bars and reports share."""

from __future__ import annotations

from typing import NamedTuple

LONG_WAIT_MS = 500
PLAIN_PAUSE_S = 0.5
IDLE_PER_S = 10.0
"""Instances started per second on an engine that is called idle: a job seldom meets another one."""


class Case(NamedTuple):
    """One way to poll, at one pace, on one engine or across two. A `rate_per_s` of starts takes the place of idling."""

    name: str
    wait_ms: int = LONG_WAIT_MS
    half: bool = False
    across: bool = False
    rate_per_s: float = IDLE_PER_S


LONG_IDLE, LONG_HALF = "long poll, idle", "long poll, half load"
ACROSS_IDLE, ACROSS_HALF = f"{LONG_IDLE}, two engines", f"{LONG_HALF}, two engines"
_PLAIN = f"poll every {PLAIN_PAUSE_S:g} s"

CASES = (
    Case(LONG_IDLE),
    Case(LONG_HALF, half=True),
    Case(f"{_PLAIN}, idle", 0),
    Case(f"{_PLAIN}, half load", 0, half=True),
    Case(ACROSS_IDLE, across=True),
    Case(ACROSS_HALF, half=True, across=True),
    Case(f"{_PLAIN}, idle, two engines", 0, across=True),
    Case(f"{_PLAIN}, half load, two engines", 0, half=True, across=True),
)
CLOSED = "closed loop, 64 in flight"


def cases(kind: str, number: int) -> list[Case]:
    """Return what is measured on a kind of store in a round, counted from 1.

    An SQLite file has one engine. Plain polls, of which nothing is promised, are slow by their pauses: once is enough.
    """
    return [case for case in CASES if (kind == "postgres" or not case.across) and (case.wait_ms or number == 1)]


def at_rate(rate_per_s: float) -> Case:
    """Return a case with so many starts per second, whatever the engine can do."""
    return Case(f"long poll, {rate_per_s:g} starts / s", rate_per_s=rate_per_s)


FIRST, LAST = "first sixth", "last sixth"
PINNED, UNPINNED = "an old transaction is open", "no old transaction"
UNANALYSED, ANALYSED = "never analysed", "analysed"
OPEN = 100_000
NONE_OPEN = "none is open"


def many_open(count: int) -> str:
    """Say how many instances are open; fewer than promised have another name, so that no promise is judged by them."""
    return f"{count:,} instances are open"


def pairs(open_: int = OPEN) -> dict[str, str]:
    """Return what `steady` compares, and with what."""
    return {LAST: FIRST, PINNED: UNPINNED, UNANALYSED: ANALYSED, many_open(open_): NONE_OPEN}
