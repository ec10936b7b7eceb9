"""The contract's enums: numbers on the wire, names inside the engine.

A number that this engine does not know comes from a newer or a broken client; it is refused, never guessed.
"""

from __future__ import annotations

from typing import Any

from rochallor_proto import engine_pb2 as pb

from rochallor.core.errors import BadRequest, Detail


class Names:
    """One enum, both ways, without the prefix that every value of it carries on the wire."""

    def __init__(self, enum: Any) -> None:
        values = enum.DESCRIPTOR.values
        prefix = values[0].name.removesuffix("UNSPECIFIED")
        self._kind = enum.DESCRIPTOR.name
        self._names = {value.number: value.name.removeprefix(prefix) for value in values if value.number}
        self._numbers: dict[str, int] = {name: number for number, name in self._names.items()}

    def name(self, number: int, pointer: str) -> str:
        """Return the name of a number, "" for 0 (unset); raises `BadRequest` at `pointer` for an unknown one."""
        name = self._names.get(number, "") if number else ""
        if number and not name:
            known = ", ".join(f"{each} {word}" for each, word in self._names.items())
            message = f"{number} is no {self._kind} of this engine; send one of {known}"
            raise BadRequest(f"{pointer}: {message}", details=(Detail("ENUM_UNKNOWN", pointer, message),))
        return name

    def number(self, name: str) -> int:
        """Return the number of a name, 0 for one that the wire has no number for."""
        return self._numbers.get(name, 0)


STEP_TYPES = Names(pb.StepType)
TIMER_TYPES = Names(pb.BoundaryEventType)
INSTANCE_STATUSES = Names(pb.InstanceStatus)
EXECUTION_STATUSES = Names(pb.StepExecutionStatus)
USER_TASK_STATUSES = Names(pb.UserTaskStatus)
OUTCOME_STATUSES = Names(pb.JobOutcomeStatus)
WAITING_KINDS = Names(pb.WaitingKind)
