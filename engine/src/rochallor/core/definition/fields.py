"""From a JSON document to typed but unjudged parts: which fields exist, and of which JSON type.

Here is the shape of the format, as tables. A value of the wrong type becomes a problem and counts as absent,
so nothing after this module meets an unexpected type. `null` is absent everywhere except in variable values,
and so are the spellings older tools write for "nothing": `""`, `[]`, `{}` where nothing else could be meant.
Whether the parts make sense together is judged in `validate.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct

from rochallor.core.definition.document import Document
from rochallor.core.definition.problems import Findings

Reader = Callable[[Any], bool]
T = TypeVar("T")


class Kind(NamedTuple):
    """A JSON type a field may have: how to say it, how to tell it."""

    words: str
    accepts: Reader


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


TEXT = Kind("a string without U+0000", _is_text)
BOOLEAN = Kind("true or false", lambda value: isinstance(value, bool))
INTEGER = Kind("a whole number", _is_integer)
NUMBER = Kind("a number", lambda value: _is_integer(value) or isinstance(value, float))
OBJECT = Kind("an object", lambda value: isinstance(value, dict))
LIST = Kind("a list", lambda value: isinstance(value, list))
ANY = Kind("anything", lambda _value: True)

DEFINITION_FIELDS: Mapping[str, Kind] = {
    "id": TEXT,
    "version": ANY,  # the engine numbers versions; what a body says is ignored
    "name": TEXT,
    "description": TEXT,
    "steps": LIST,
    "autoStartNextWorkflow": BOOLEAN,
    "nextWorkflowId": TEXT,
    "input_schema": OBJECT,
    "metadata": OBJECT,
}
STEP_FIELDS: Mapping[str, Kind] = {
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
CONDITION_FIELDS: Mapping[str, Kind] = {"expression": TEXT, "nextStep": TEXT}
BOUNDARY_FIELDS: Mapping[str, Kind] = {
    "type": TEXT,
    "duration": TEXT,
    "interrupting": BOOLEAN,
    "targetStepId": TEXT,
}
RETRY_POLICY_FIELDS: Mapping[str, Kind] = {
    "initialDelay": TEXT,
    "multiplier": NUMBER,
    "maxDelay": TEXT,
    "jitter": NUMBER,
    "giveUpAfter": TEXT,
}
TABLE_FIELDS: Mapping[str, Kind] = {"rules": LIST, "defaultNextStep": ANY}
RULE_FIELDS: Mapping[str, Kind] = {
    "when": OBJECT,
    "outputs": OBJECT,
    "whenOrder": LIST,
    "outputsOrder": LIST,
    "then": ANY,
}
# The camelCase spelling is accepted for the only two snake_case keys of the format.
ALIASES: Mapping[str, str] = {"inputSchema": "input_schema", "outputsSchema": "outputs_schema"}
NEUTRAL: tuple[object, ...] = ("", 0, False, [], {})
"""Values that say no more than leaving the field out: what protobuf sends for an unset field."""


class Part(Struct, frozen=True):
    """An object of the document with its well-typed fields, and where it stands."""

    at: str
    fields: Mapping[str, Any]

    def text(self, name: str) -> str:
        """The string in that field, "" when absent."""
        return str(self.fields.get(name, ""))

    def where(self, name: str) -> str:
        """The pointer of a field, whether or not it is there."""
        return f"{self.at}/{escape(name)}"


def escape(key: str) -> str:
    """Spell a key as RFC 6901 wants it inside a pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def read_part(value: Any, at: str, table: Mapping[str, Kind], findings: Findings) -> Part | None:
    """Read one object by its table of fields; None when the value is no object."""
    if not isinstance(value, dict):
        wrong_type(at, OBJECT, value, findings)
        return None
    fields: Document = {}
    for key, content in value.items():
        name = ALIASES.get(key, key) if ALIASES.get(key) in table else key
        kind, where = table.get(name), f"{at}/{escape(key)}"
        if kind is None:
            findings.error("UNKNOWN_FIELD", where, f"There is no field {key!r} here. {_suggestion(key, table)}")
        elif name in fields:
            message = f"{name!r} is given in both spellings. Keep one."
            findings.error("DUPLICATE_KEY", where, message)
        elif content is not None and is_a(kind, content, where, findings):
            fields[name] = content
    return Part(at, fields)


def read_parts(owner: Part, name: str, table: Mapping[str, Kind], findings: Findings) -> tuple[Part, ...]:
    """Read a list of objects; members that are no objects are reported and left out."""
    found = (
        read_part(value, f"{owner.where(name)}/{index}", table, findings)
        for index, value in enumerate(owner.fields.get(name, ()))
    )
    return tuple(part for part in found if part is not None)


def is_a(kind: Kind, value: Any, at: str, findings: Findings) -> bool:
    """Whether the value has that JSON type; reports it when not."""
    if kind.accepts(value):
        return True
    wrong_type(at, kind, value, findings)
    return False


def wrong_type(at: str, kind: Kind, value: Any, findings: Findings) -> None:
    """Report a value of the wrong JSON type."""
    findings.error("FIELD_TYPE", at, f"This is {json_type(value)}, and must be {kind.words}. Change the value.")


def json_type(value: Any) -> str:
    """How to name a value's JSON type to a person."""
    return _JSON_TYPES.get(type(value), "an object")


def in_order(names: Mapping[str, T], wanted: list[Any]) -> list[tuple[str, T]]:
    """Items of a map: those named in `wanted` first, in that order, then the others in the map's order."""
    first = dict.fromkeys(name for name in wanted if isinstance(name, str) and name in names)
    return [(name, names[name]) for name in (*first, *(name for name in names if name not in first))]


def _suggestion(key: str, table: Mapping[str, Kind]) -> str:
    plain = key.replace("_", "").lower()
    for name in table:
        if name.replace("_", "").lower() == plain:
            return f"Write {name!r}."
    return "Remove it; data of your own belongs in the definition's metadata."


_JSON_TYPES = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
}
