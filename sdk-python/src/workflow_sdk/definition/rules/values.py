"""Rules about what values say: expressions (the little that can be told here), durations, figures and schemas."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from workflow_sdk.definition.problems import Problem, pointer
from workflow_sdk.definition.rules.fields import Part
from workflow_sdk.definition.rules.outline import ROUTED, Entry, Outline, StepOutline
from workflow_sdk.json_types import is_list, is_object

_MAX_EXPRESSION_BYTES = 4_096
_TOKEN = re.compile(
    r"\s+|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\$\{|[()\[\]}]|#?[^\W\d]\w*|[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
    r"|\?\?|\|\||&&|[=!<>]=|[-+*/%<>!?:.,]",
    re.DOTALL,
)
_BRACKETS = {"(": ")", "[": "]", "${": "}"}

_NUMBER = r"[0-9]+(?:[.,][0-9]+)?"
_DURATION = re.compile(
    rf"P(?:({_NUMBER})Y)?(?:({_NUMBER})M)?(?:({_NUMBER})W)?(?:({_NUMBER})D)?"
    rf"(?:T(?=[0-9])(?:({_NUMBER})H)?(?:({_NUMBER})M)?(?:({_NUMBER})S)?)?"
)
_UNIT_SECONDS = (12 * 2_629_746, 2_629_746, 604_800, 86_400, 3_600, 60, 1)  # a month is a twelfth of 365.2425 days
_CALENDAR_UNITS = 2
_LONGEST_SECONDS = 36_525 * 86_400
_LONGEST_TEXT = 64

_FIGURES = {"multiplier": (2, 1, 100), "jitter": (0, 0, 1)}  # default, least, most
_SCHEMA_TYPES = ("string", "number", "integer", "boolean")


def value_problems(outline: Outline) -> Iterator[Problem]:
    """Yield what is wrong inside values, for the fields that a step's type reads."""
    yield from _schema(outline.part, "input_schema")
    for step in outline.steps:
        if step.type:
            yield from _expressions(step)
            for part in step.boundaries:
                yield from _duration(part, "duration", "BOUNDARY_DURATION")
        if step.type == "SERVICE_TASK":
            yield from _retry_policy(step.retry_policy)
            yield from _schema(step.part, "outputs_schema")


def expression_fault(text: str) -> str:
    """Return what is wrong with an expression, as far as brackets, strings and characters tell; "" if nothing."""
    if not text.strip():
        return "The expression is empty. Write one."
    if len(text.encode()) > _MAX_EXPRESSION_BYTES:
        return f"An expression has at most {_MAX_EXPRESSION_BYTES} bytes. Split it over several steps."
    waiting: list[str] = []
    place = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            return f"{text[place]!r} at position {place} belongs to no expression. Correct the text there."
        place = token.end()
        if token[0] in _BRACKETS:
            waiting.append(_BRACKETS[token[0]])
        elif token[0] in _BRACKETS.values() and (not waiting or waiting.pop() != token[0]):
            return f"{token[0]!r} at position {token.start()} closes nothing. Remove it."
    return f"The expression ends before its {waiting[-1]!r}. Add it." if waiting else ""


def duration_fault(text: str) -> str:
    """Return what is wrong with an ISO 8601 duration; "" if nothing."""
    match = _DURATION.fullmatch(text) if len(text) <= _LONGEST_TEXT else None
    numbers = [number and number.replace(",", ".") for number in match.groups()] if match else []
    given = [number for number in numbers if number]
    if not given:
        return "is not an ISO 8601 duration: write for example PT30S, PT1H30M, P2D or P1M"
    if any("." in number for number in given[:-1]):
        return "has a fraction before its last unit: only the last unit may have one"
    if any(number and "." in number for number in numbers[:_CALENDAR_UNITS]):
        return "has a fraction of a year or month, which has no fixed length: write months or days"
    seconds = sum(float(number) * unit for number, unit in zip(numbers, _UNIT_SECONDS, strict=True) if number)
    if not seconds:
        return "is zero: a duration must be longer"
    return "is longer than 100 years" if seconds > _LONGEST_SECONDS else ""


def _expressions(step: StepOutline) -> Iterator[Problem]:
    stated = [Entry("", branch.expression, branch.at) for branch in step.branches if step.type in ROUTED]
    entries = list(step.entries) if step.type == "TRANSFORMATION" else []
    for rule in step.rules if step.type == "DECISION_TABLE" else ():
        stated += rule.when
        entries += rule.outputs
    stated += [entry for entry in entries if _is_template(entry.value)]
    for entry in stated:
        fault = expression_fault(entry.value)
        if fault:
            yield Problem("EXPR_SYNTAX", entry.at, fault)


def _is_template(value: Any) -> bool:
    """Return whether a value is one expression: `${a} and ${b}` is text."""
    if not isinstance(value, str) or not (value.startswith("${") and value.endswith("}")):
        return False
    depth = 0
    for token in re.finditer(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[{}]", value, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if token[0] == "}" and depth == 0:
            return token.end() == len(value)
    return True


def _duration(part: Part, name: str, code: str) -> Iterator[Problem]:
    fault = duration_fault(part.text(name))
    if fault:
        yield Problem(code, part.where(name), f"{part.text(name)[:_LONGEST_TEXT]!r} {fault}. Correct {name}.")


def _retry_policy(part: Part | None) -> Iterator[Problem]:
    if part is None:
        return
    for name in ("initialDelay", *({"maxDelay", "giveUpAfter"} & part.fields.keys())):
        yield from _duration(part, name, "RETRY_POLICY_INVALID")
    for name, (default, least, most) in _FIGURES.items():
        if not least <= part.fields.get(name, default) <= most:
            message = f"{name} must be between {least} and {most}. Change it."
            yield Problem("RETRY_POLICY_INVALID", part.where(name), message)


def _schema(part: Part, name: str) -> Iterator[Problem]:
    if name in part.fields:
        for code, path, message in _schema_faults(part.fields[name]):
            yield Problem(code, part.where(name) + pointer(*path), message)


def _schema_faults(schema: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str | int, ...], str]]:
    yield from _unknown(schema, ("properties", "required"), ())
    properties: Any = schema.get("properties")
    required: Any = schema.get("required")
    if not is_object(properties) or not properties:
        message = "A schema needs properties: an object with at least one name. Leave the schema out instead."
        yield "SCHEMA_INVALID", ("properties",), message
        properties = {}
    for name, described in properties.items():
        if not is_object(described):
            yield "SCHEMA_INVALID", ("properties", name), 'A property is an object such as {"type": "string"}.'
            continue
        yield from _unknown(described, ("type",), ("properties", name))
        if described.get("type") not in _SCHEMA_TYPES:
            message = f"The type must be one of {', '.join(_SCHEMA_TYPES)}."
            yield "SCHEMA_INVALID", ("properties", name, "type"), message
    if required is not None and not is_list(required):
        yield "SCHEMA_INVALID", ("required",), "`required` must be a list of property names."
        required = ()
    for index, name in enumerate(required or ()):
        if not isinstance(name, str) or name not in properties:
            message = f"{name!r} is required and is no property. Describe it in properties, or remove it here."
            yield "SCHEMA_INVALID", ("required", index), message


def _unknown(
    given: Mapping[str, Any], known: tuple[str, ...], path: tuple[str | int, ...]
) -> Iterator[tuple[str, tuple[str | int, ...], str]]:
    for name in given:
        if name not in known:
            message = f"A schema knows only {' and '.join(known)} here. Remove it."
            yield "UNKNOWN_FIELD", (*path, name), message
