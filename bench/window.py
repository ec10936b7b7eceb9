"""When to measure: every process of a run counts in the very same seconds.

The program that measures starts its load processes, waits until each says that it is ready, and tells all of them one
span of the machine's monotonic clock, which is the same in every process. What is finished inside the span counts; what
comes before it is warm-up, what comes after it is tidying up. So nobody's start or end is in anybody's figures.
"""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import accumulate
from typing import Any, NamedTuple, Protocol

_SETTLE_S = 0.1
_PATIENCE_S = 60.0
_FINENESS = 0.01


class Span(NamedTuple):
    """From when until when to count, in seconds of the monotonic clock."""

    begin_s: float
    end_s: float


class Watch(Protocol):
    """Something that measures while it is on."""

    on: bool


class Tally:
    """What one load process has finished inside the span. `done` is set at the end; `watches` are on during it.

    Raises `RuntimeError` from `starved` when work runs out before the end: then a figure would mean nothing.
    """

    def __init__(
        self, span: Span, watches: Sequence[Watch] = (), *, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.done = asyncio.Event()
        self.count = 0
        self.cpu_s = 0.0
        self.latencies: Counter[int] = Counter()
        self._watches = watches
        self._span = span
        self._monotonic_s = monotonic_s
        loop = asyncio.get_running_loop()
        now_s = monotonic_s()
        loop.call_later(span.begin_s - now_s, self._begin)
        loop.call_later(span.end_s - now_s, self._end)

    def finished(self, jobs: int, began_s: float) -> None:
        """Count jobs that are done just now by a call that began at `began_s`, if now is inside the span."""
        now_s = self._monotonic_s()
        if self._span.begin_s <= now_s < self._span.end_s:
            self.count += jobs
            self.latencies[bucket(now_s - began_s)] += 1

    def starved(self) -> None:
        """Say that there was nothing to claim."""
        if not self.done.is_set():
            raise RuntimeError("no jobs are left to claim: give --instances more, or --seconds less")

    def figures(self) -> dict[str, Any]:
        """Return what the process tells at its end: short enough for a pipe that nobody reads just now."""
        return {"count": self.count, "cpu_s": self.cpu_s, "latencies": list(self.latencies.items())}

    def _begin(self) -> None:
        for watch in self._watches:
            watch.on = True
        self.cpu_s = time.process_time()

    def _end(self) -> None:
        for watch in self._watches:
            watch.on = False
        self.cpu_s = time.process_time() - self.cpu_s
        self.done.set()


def await_span() -> Span:
    """In a load process: say that it is ready, then wait to be told the span."""
    print("ready", flush=True)
    return Span(*json.loads(sys.stdin.readline()))


def bucket(seconds: float) -> int:
    """Return a number for all durations that differ by less than a hundredth."""
    return round(math.log(max(seconds, 1e-9)) / _FINENESS)


def quantile(latencies: Counter[int], share: float) -> float:
    """Return the seconds below which this share of the latencies, counted by bucket, lies."""
    buckets = sorted(latencies)
    below = accumulate(latencies[each] for each in buckets)
    reached = next(each for each, total in zip(buckets, below, strict=True) if total >= share * latencies.total())
    return math.exp(reached * _FINENESS)


class Counted(NamedTuple):
    """What all load processes of a run did in the span, and what the processor did for whom.

    `cpu_s`: processor seconds in the span, by whose they were. `told`: whatever else each load process tells.
    """

    jobs: int
    seconds: float
    latencies: Counter[int]
    cpu_s: dict[str, float]
    told: list[dict[str, Any]]

    def figures(self) -> dict[str, float]:
        """Return jobs per second, p50 and p99 of a call in ms, and processor microseconds per job."""
        return {
            "jobs_per_s": round(self.jobs / self.seconds),
            **{f"p{share}_ms": round(quantile(self.latencies, share / 100) * 1000, 2) for share in (50, 99)},
            **{f"{whose}_cpu_us": round(cpu_s * 1e6 / self.jobs, 1) for whose, cpu_s in self.cpu_s.items()},
        }


def count(
    commands: Sequence[Sequence[str]],
    *,
    warm_s: float,
    measure_s: float,
    clocks: Mapping[str, Callable[[], float]],
    python: str = sys.executable,
) -> Counted:
    """Run `python -m COMMAND` for each of the commands at once, and count.

    `clocks` tell processor seconds of the processes that are measured beside the load. Raises `RuntimeError` when any
    load process fails, or finished nothing.
    """
    with ExitStack() as stack:
        children = [stack.enter_context(_child(python, command)) for command in commands]
        for child in children:
            assert child.stdout is not None
            said = child.stdout.readline()
            if said != "ready\n":
                raise RuntimeError(said.strip() or "a load process did not become ready; its output above says why")
        begin_s = time.monotonic() + _SETTLE_S + warm_s
        for child in children:
            assert child.stdin is not None
            child.stdin.write(json.dumps([begin_s, begin_s + measure_s]) + "\n")
            child.stdin.flush()
        before, began_s = _at(begin_s, clocks)
        after, ended_s = _at(begin_s + measure_s, clocks)
        told = [_last_words(child) for child in children]
    done, load_cpu_s = sum(each.pop("count") for each in told), sum(each.pop("cpu_s") for each in told)
    if not done:
        raise RuntimeError("not one job was finished")
    # The clocks may be read a little late on a busy machine: what they tell is brought to the span's length.
    share = measure_s / (ended_s - began_s)
    cpu_s = {"load": load_cpu_s} | {whose: (after[whose] - before[whose]) * share for whose in clocks}
    latencies: Counter[int] = Counter()
    for each in told:
        latencies.update(dict(each.pop("latencies")))
    return Counted(done, measure_s, latencies, cpu_s, told)


def _child(python: str, command: Sequence[str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([python, "-m", *command], stdin=pipe, stdout=pipe, text=True)


def _at(moment_s: float, clocks: Mapping[str, Callable[[], float]]) -> tuple[dict[str, float], float]:
    time.sleep(max(0.0, moment_s - time.monotonic()))
    return {whose: clock() for whose, clock in clocks.items()}, time.monotonic()


def _last_words(child: subprocess.Popen[str]) -> dict[str, Any]:
    try:
        told, _ = child.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        raise RuntimeError(f"a load process did not end within {_PATIENCE_S:g} s: an answer is missing") from None
    if child.returncode:
        why = f"a load process ended with {child.returncode}; its output above says why"
        raise RuntimeError(told.strip() or why)
    words: dict[str, Any] = json.loads(told)
    return words
