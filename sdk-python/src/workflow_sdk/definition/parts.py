"""The values that steps are made of: timers, retry policies, table rules, schemas. Each knows its JSON, no rule."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

Json = dict[str, Any]


class Named(Protocol):
    """A step, as far as whoever points at one needs it."""

    @property
    def id(self) -> str:
        """Its id."""
        ...


Duration = str | timedelta
"""ISO 8601 text such as `PT30S` or `P1M`, or a timedelta."""

_TYPES: Mapping[str | type, str] = {str: "string", float: "number", int: "integer", bool: "boolean"}


@dataclass(frozen=True)
class Timer:
    """A boundary timer: after `duration` in the step, the workflow goes on at `target`.

    >>> Timer("PT1H", "escalate", interrupting=False).to_dict()
    {'type': 'TIMER', 'duration': 'PT1H', 'interrupting': False, 'targetStepId': 'escalate'}

    Args:
        duration: counted from the moment the step is entered.
        target: the step to go to, or its id.
        interrupting: True ends the step; False lets it go on, beside what the timer starts.

    """

    duration: Duration
    target: str | Named
    interrupting: bool = field(kw_only=True)

    def to_dict(self) -> Json:
        """Return the JSON of a boundary event."""
        return {
            "type": "TIMER",
            "duration": iso_duration(self.duration),
            "interrupting": self.interrupting,
            "targetStepId": id_of(self.target),
        }


@dataclass(frozen=True)
class RetryPolicy:
    """How long the engine waits between retries of a job: first `initial_delay`, then ever longer.

    >>> RetryPolicy("PT1S", max_delay="PT1M").to_dict()
    {'initialDelay': 'PT1S', 'maxDelay': 'PT1M'}

    Args:
        initial_delay: before the first retry.
        multiplier: what each wait is multiplied with for the next, 1 to 100; the engine's default is 2.
        max_delay: no wait is longer.
        jitter: the share by which waits vary at random, 0 to 1; the engine's default is 0.
        give_up_after: no retry begins later than this after the step was entered.

    """

    initial_delay: Duration
    multiplier: float | None = None
    max_delay: Duration | None = None
    jitter: float | None = None
    give_up_after: Duration | None = None

    def to_dict(self) -> Json:
        """Return the JSON of a retry policy."""
        stated = {
            "initialDelay": iso_duration(self.initial_delay),
            "multiplier": self.multiplier,
            "maxDelay": None if self.max_delay is None else iso_duration(self.max_delay),
            "jitter": self.jitter,
            "giveUpAfter": None if self.give_up_after is None else iso_duration(self.give_up_after),
        }
        return {name: value for name, value in stated.items() if value is not None}


@dataclass(frozen=True)
class Rule:
    """A row of a decision table.

    >>> Rule({"score": "score < 500"}, {"tier": "HIGH"}).to_dict()
    {'when': {'score': 'score < 500'}, 'outputs': {'tier': 'HIGH'}}

    Args:
        when: a condition per column, all of which must hold; the column is only a label. Empty matches always.
        outputs: variables to set: JSON values, or expressions as `expr("creditScore / 50")`.

    """

    when: Mapping[str, str] = field(default_factory=dict[str, str])
    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def to_dict(self) -> Json:
        """Return the JSON of a rule."""
        return {"when": dict(self.when), "outputs": dict(self.outputs)}


@dataclass(frozen=True)
class Schema:
    """Names and types of variables that a workflow takes or a job gives; others pass, nothing is converted.

    >>> Schema({"amount": float, "name": "string"}, required=["amount"]).to_dict()
    {'properties': {'amount': {'type': 'number'}, 'name': {'type': 'string'}}, 'required': ['amount']}

    Args:
        properties: type by name: `string`, `number`, `integer`, `boolean`, or str, float, int, bool.
        required: names that must be there and not null.

    """

    properties: Mapping[str, str | type]
    required: Collection[str] = ()

    def to_dict(self) -> Json:
        """Return the JSON of a schema."""
        described = {name: {"type": _TYPES.get(kind, kind)} for name, kind in self.properties.items()}
        return {"properties": described, **({"required": list(self.required)} if self.required else {})}


def expr(text: str) -> str:
    """Return a value that the engine computes when the step runs: the expression's text inside `${}`.

    >>> expr("amount * 2")
    '${amount * 2}'
    """
    return "${" + text + "}"


def id_of(step: str | Named) -> str:
    """Return the id of a step that is named by its id or by itself."""
    return step if isinstance(step, str) else step.id


def iso_duration(duration: Duration) -> str:
    """Return a duration as ISO 8601 text.

    >>> iso_duration(timedelta(hours=1, seconds=1.5))
    'PT3601.5S'
    """
    if isinstance(duration, str):
        return duration
    seconds, microseconds = divmod(duration // timedelta(microseconds=1), 1_000_000)
    fraction = f".{microseconds:06}".rstrip("0") if microseconds else ""
    return f"PT{seconds}{fraction}S"
