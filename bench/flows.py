"""The workflows of `shapes` and `peers`, and how many of them are under way at once: a table.

Each is made of kinds of instances that take turns at being started. Only what every engine of the base contract knows
is in them: service tasks, a parallel gateway with its join, timers at boundaries.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any, NamedTuple

from bench.flow import CLAIM, STEPS, VARIABLES

_KB = 1_024
_Steps = Callable[[str], list[dict[str, Any]]]


class Kind(NamedTuple):
    """One sort of instances: its steps, given the type of its jobs, and how many jobs its life has."""

    name: str
    steps: _Steps
    jobs: int
    variables: bytes = VARIABLES

    def definition(self, suffix: str) -> bytes:
        """Return the definition; what it is called and its jobs' type end in `suffix`."""
        end = {"id": "end", "name": "End", "type": "END"}
        steps = [*self.steps(job_type(suffix)), end]
        return json.dumps({"id": f"bench-{self.name}-{suffix}", "name": self.name, "steps": steps}).encode()


class Flow(NamedTuple):
    """Kinds that are started in turns, how many instances are under way, and how many jobs a claim asks for.

    `stretch` is how many times as long as others it is measured: slow instances have to come to their end, too.
    """

    turns: tuple[Kind, ...]
    in_flight: int
    at_once: int = CLAIM
    stretch: float = 1.0

    @property
    def kinds(self) -> Iterator[Kind]:
        """Return them in turns, for ever."""
        return cycle(self.turns)


def job_type(suffix: str) -> str:
    """Return the type of all jobs of one run: what an earlier run left behind is not claimed by it."""
    return f"bench-{suffix}"


def _task(name: str, type_of_job: str, **others: Any) -> dict[str, Any]:
    return {"id": name, "name": name, "type": "SERVICE_TASK", "jobType": type_of_job, **others}


def _linear(type_of_job: str) -> list[dict[str, Any]]:
    following = [*(f"s{number}" for number in range(1, STEPS)), "end"]
    return [_task(f"s{number}", type_of_job, nextStep=name) for number, name in enumerate(following)]


def _fan_out(width: int) -> _Steps:
    def steps(type_of_job: str) -> list[dict[str, Any]]:
        names = [f"b{number}" for number in range(width)]
        fork = {"id": "fork", "name": "Fork", "type": "PARALLEL_GATEWAY", "parallelNextSteps": names}
        join = {"id": "join", "name": "Join", "type": "JOIN_GATEWAY", "nextStep": "end"}
        return [
            fork | {"joinStep": "join"},
            *(_task(name, type_of_job, nextStep="join") for name in names),
            join,
        ]

    return steps


def _timed(type_of_job: str) -> list[dict[str, Any]]:
    """Return a task with a timer that is too late for it, and a wait that only its timer ends."""
    late = {"type": "TIMER", "duration": "PT1H", "interrupting": True, "targetStepId": "end"}
    due = {"type": "TIMER", "duration": "PT0.2S", "interrupting": True, "targetStepId": "after"}
    return [
        _task("before", type_of_job, nextStep="wait", boundaryEvents=[late]),
        {"id": "wait", "name": "Wait", "type": "WAIT", "nextStep": "after", "boundaryEvents": [due]},
        _task("after", type_of_job, nextStep="end"),
    ]


def _carrying(name: str, size: int) -> Kind:
    """Return linear instances with a text of that size, in bytes, among their variables."""
    return Kind(name, _linear, STEPS, json.dumps({"customer": "c-1", "text": "x" * size}).encode())


LINEAR = Kind("linear", _linear, STEPS)
_PARALLEL = Kind("parallel", _fan_out(4), 4)
_TIMED = Kind("timed", _timed, 2)

FLOWS = {
    "linear": Flow((LINEAR,), 256),
    "fan-out-16": Flow((Kind("fan-out-16", _fan_out(16), 16),), 32),
    "fan-out-64": Flow((Kind("fan-out-64", _fan_out(64), 64),), 8, stretch=1.5),
    "1-kb": Flow((_carrying("1-kb", _KB),), 256),
    "64-kb": Flow((_carrying("64-kb", 64 * _KB),), 64, at_once=16, stretch=1.5),
    "1-mb": Flow((_carrying("1-mb", 1_024 * _KB),), 4, at_once=2, stretch=2.5),
    "mixed": Flow(
        (LINEAR, LINEAR, _PARALLEL, LINEAR, LINEAR, LINEAR, _TIMED, LINEAR, _PARALLEL, LINEAR), in_flight=256
    ),
}
"""`mixed` is 70 % linear, 20 % parallel and 10 % with timers. The bigger an instance, the fewer are under way."""
