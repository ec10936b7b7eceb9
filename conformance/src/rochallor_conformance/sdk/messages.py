"""The lines of wf-driver/1, read and checked against schemas/driver.json."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from rochallor_conformance.cases.documents import read_schema
from rochallor_conformance.contract.places import contract_folder
from rochallor_conformance.report.characters import whole

PROTOCOL = "wf-driver/1"
SHOWN = 200
DEEPEST = 200
"""How deep values may be nested in each other: more than any engine takes, less than what reads them can stand."""
TOO_DEEP = f"printed a line in which values are nested deeper than {DEEPEST} levels: {{}}"
Json = dict[str, Any]


class BadLine(Exception):
    """A driver wrote something that is no message; the sentence shows it."""


def schema_of(folder: Path, name: str) -> Json:
    """Return the schema of one kind of message, `manifest` or `said` for example."""
    whole = read_schema(folder, "driver")
    return {"$ref": f"#/$defs/{name}", "$defs": whole["$defs"]}


def read_line(raw: bytes) -> Json:
    """Return what a driver said in a line.

    Raises:
        BadLine: that is nothing a driver may say.

    """
    text = raw.decode("utf-8", "replace").rstrip("\r\n")
    try:
        said: Any = json.loads(text)
    except ValueError:
        raise BadLine(f"printed a line that is no JSON: {_cut(text)}; print what is for people to stderr") from None
    except RecursionError:
        raise BadLine(TOO_DEEP.format(_cut(text))) from None
    if _is_deeper(said, DEEPEST):
        raise BadLine(TOO_DEEP.format(_cut(text)))
    said = whole(said)
    if problem := wrong(said, "said"):
        raise BadLine(f"printed what wf-driver/1 does not know: {_cut(text)}: {problem}")
    found: Json = said
    return found


def _is_deeper(value: Any, levels: int) -> bool:
    """Tell whether values are nested deeper than that; without recursion, because that is what it saves others from."""
    level = [value]
    for _ in range(levels):
        level = [inner for each in level if isinstance(each, dict | list) for inner in _inside(each)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def wrong(value: Any, name: str) -> str:
    """Return in what way a value is not what schemas/driver.json calls `name`; "" when it is."""
    validator = _validator(name)
    if validator.is_valid(value):
        return ""
    problem = best_match(validator.iter_errors(value))
    return f"/{'/'.join(map(str, problem.absolute_path))}: {problem.message[:SHOWN]}"


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(schema_of(contract_folder(), name))


def _cut(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")
