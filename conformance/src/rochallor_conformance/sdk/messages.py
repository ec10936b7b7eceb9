"""The lines of wf-driver/1, read and checked against schemas/driver.json."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from rochallor_conformance.cases.documents import read_schema
from rochallor_conformance.contract.places import contract_folder

PROTOCOL = "wf-driver/1"
SHOWN = 200
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
    if problem := wrong(said, "said"):
        raise BadLine(f"printed what wf-driver/1 does not know: {_cut(text)}: {problem}")
    found: Json = said
    return found


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
