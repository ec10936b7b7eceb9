"""Which fields exist and of which JSON type: the shape of the format, as tables.

A value of the wrong type becomes a problem and counts as absent, so no rule meets an unexpected type. `None` is absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from workflow_sdk.definition.problems import Problem, escape
from workflow_sdk.json_types import is_list, is_number, is_object

_EXACT_FLOAT = 2**53


class Kind(NamedTuple):
    """A JSON type: how to say it, how to tell it."""

    words: str
    accepts: Callable[[object], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool)


def _is_integer(value: object) -> bool:
    if isinstance(value, float):  # 3.0 is 3 to the engine
        return value.is_integer() and abs(value) < _EXACT_FLOAT
    return is_number(value)


def _is_anything(_: object) -> bool:
    return True


TEXT = Kind("a string without U+0000", _is_text)
BOOLEAN = Kind("true or false", _is_boolean)
INTEGER = Kind("a whole number", _is_integer)
NUMBER = Kind("a number", is_number)
OBJECT = Kind("an object", is_object)
LIST = Kind("a list", is_list)
ANY = Kind("anything", _is_anything)

Fields = Mapping[str, Kind]
DEFINITION: Fields = {
    "id": TEXT,
    "version": ANY,
    "name": TEXT,
    "description": TEXT,
    "steps": LIST,
    "autoStartNextWorkflow": BOOLEAN,
    "nextWorkflowId": TEXT,
    "input_schema": OBJECT,
    "metadata": OBJECT,
}
STEP: Fields = {
    "id": TEXT,
    "name": TEXT,
    "type": TEXT,
    "description": TEXT,
    "nextStep": TEXT,
    "parallelNextSteps": LIST,
    "joinStep": TEXT,
    "conditionalNextSteps": OBJECT,
    "orderedConditions": LIST,
    "transformations": OBJECT,
    "jobType": TEXT,
    "delegateClass": TEXT,
    "retryCount": INTEGER,
    "retryPolicy": OBJECT,
    "boundaryEvents": LIST,
    "decisionTable": OBJECT,
    "hitPolicy": TEXT,
    "outputs_schema": OBJECT,
}
CONDITION: Fields = {"expression": TEXT, "nextStep": TEXT}
BOUNDARY: Fields = {"type": TEXT, "duration": TEXT, "interrupting": BOOLEAN, "targetStepId": TEXT}
RETRY_POLICY: Fields = {
    "initialDelay": TEXT,
    "multiplier": NUMBER,
    "maxDelay": TEXT,
    "jitter": NUMBER,
    "giveUpAfter": TEXT,
}
TABLE: Fields = {"rules": LIST, "defaultNextStep": ANY}
RULE: Fields = {"when": OBJECT, "outputs": OBJECT, "whenOrder": LIST, "outputsOrder": LIST, "then": ANY}

_ALIASES = {"inputSchema": "input_schema", "outputsSchema": "outputs_schema"}
NEUTRAL: tuple[object, ...] = ("", 0, False, [], {})
"""Values that say no more than leaving the field out."""


@dataclass(frozen=True)
class Part:
    """An object of the document: its well-typed fields, and where it stands."""

    at: str
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def text(self, name: str) -> str:
        """The string in that field, "" when absent."""
        return str(self.fields.get(name, ""))

    def items(self, name: str) -> list[Any]:
        """The list in that field, [] when absent."""
        return list(self.fields.get(name, ()))

    def where(self, *path: str | int) -> str:
        """The pointer of something inside, whether or not it is there."""
        return self.at + "".join(f"/{escape(str(each))}" for each in path)


class Reader:
    """Reads parts by their tables, and keeps what was wrong with them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def part(self, value: Any, at: str, table: Fields) -> Part | None:
        """Read one object; None when the value is no object."""
        if not self.is_a(OBJECT, value, at):
            return None
        fields: dict[str, Any] = {}
        for key, content in value.items():
            name = _ALIASES[key] if _ALIASES.get(key) in table else key
            where = f"{at}/{escape(key)}"
            if name not in table:
                self._report("UNKNOWN_FIELD", where, f"There is no field {key!r} here. {_suggestion(key, table)}")
            elif name in fields:
                self._report("DUPLICATE_KEY", where, f"{name!r} is given in both spellings. Keep one.")
            elif content is not None and self.is_a(table[name], content, where):
                fields[name] = content
        return Part(at, fields)

    def parts(self, owner: Part, name: str, table: Fields) -> list[Part]:
        """Read a list of objects; members that are none are left out."""
        found = [self.part(each, owner.where(name, index), table) for index, each in enumerate(owner.items(name))]
        return [part for part in found if part is not None]

    def inner(self, owner: Part, name: str, table: Fields) -> Part | None:
        """Read an object inside another; None when there is none."""
        return self.part(owner.fields[name], owner.where(name), table) if name in owner.fields else None

    def is_a(self, kind: Kind, value: Any, at: str) -> bool:
        """Return whether the value has that JSON type, and report it when not."""
        if kind.accepts(value):
            return True
        self._report("FIELD_TYPE", at, f"This must be {kind.words}. Change the value.")
        return False

    def repeated(self, at: str, expression: str) -> None:
        """Report a condition that is listed twice."""
        self._report("DUPLICATE_KEY", at, f"The condition {expression!r} is listed twice. Remove the second.")

    def _report(self, code: str, at: str, message: str) -> None:
        self.problems.append(Problem(code, at, message))


def in_order(columns: Mapping[str, Any], wanted: list[Any]) -> list[tuple[str, Any]]:
    """Return the items of a map: those named in `wanted` first, in that order, then the others."""
    first = dict.fromkeys(name for name in wanted if isinstance(name, str) and name in columns)
    return [(name, columns[name]) for name in (*first, *(name for name in columns if name not in first))]


def _suggestion(key: str, table: Fields) -> str:
    plain = {name.replace("_", "").lower(): name for name in table}
    name = plain.get(key.replace("_", "").lower())
    return f"Write {name!r}." if name else "Remove it; data of your own belongs in the definition's metadata."
