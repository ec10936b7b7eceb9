"""YAML files that say where something stands: read with JSON's idea of values, checked against a JSON Schema.

`2026-01-01`, `yes` and `on` are texts here. A complaint names file, line and JSON pointer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match


class DataError(Exception):
    """A file of the contract is wrong; the message says where and what is needed there."""


class Loader(yaml.CSafeLoader):
    """YAML with the scalars of JSON."""


Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"^(?:null|~|)$", ["n", "~", ""]),
    ("bool", r"^(?:true|false)$", list("tf")),
    ("int", r"^-?(?:0|[1-9][0-9]*)$", list("-0123456789")),
    ("float", r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$", list("-0123456789")),
    ("merge", r"^<<$", ["<"]),
):
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)
Loader.add_constructor("tag:yaml.org,2002:float", lambda _loader, node: float(node.value))


class Document(NamedTuple):
    """A file's data, and the way back to its lines."""

    path: Path
    text: str
    data: Any

    def line(self, pointer: tuple[Any, ...]) -> int:
        """Return the line, from 1, where the value at a path of keys begins."""
        node = _tree(self.text)
        for key in pointer:
            child = next(_children(node, key), None)
            if child is None:
                break
            node = child
        return int(node.start_mark.line) + 1

    def wrong(self, pointer: tuple[Any, ...], message: str) -> DataError:
        """Return the complaint about the value at a path of keys."""
        return DataError(f"{self.path.name}:{self.line(pointer)} /{'/'.join(map(str, pointer))}: {message}")


def read_document(path: Path, schema: dict[str, Any]) -> Document:
    """Read a file.

    Raises:
        DataError: it is not YAML, or not what the schema asks for.

    """
    text = path.read_text(encoding="utf-8")
    try:
        document = Document(path, text, yaml.load(text, Loader=Loader))  # noqa: S506 - a safe loader with fewer types
    except yaml.YAMLError as error:
        raise DataError(f"{path.name}: {error}") from error
    check(document, document.data, schema)
    return document


def check(document: Document, value: Any, schema: dict[str, Any], pointer: tuple[Any, ...] = ()) -> None:
    """Raise `DataError` when a value, which stands at `pointer` in a document, is not what the schema asks for."""
    validator = _validator(json.dumps(schema))
    if not validator.is_valid(value):
        problem = best_match(validator.iter_errors(value))
        raise document.wrong((*pointer, *problem.absolute_path), _said(problem))


def read_schema(folder: Path, name: str) -> dict[str, Any]:
    """Return one of the contract's own schemas by its name, `case` for example."""
    schema: dict[str, Any] = json.loads((folder / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
    return schema


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema), format_checker=Draft202012Validator.FORMAT_CHECKER)


@lru_cache(maxsize=4)
def _tree(text: str) -> Any:
    """Return a file's nodes with their places; cases are asked for their lines one after the other."""
    return yaml.compose(text, Loader=Loader)


def _said(problem: ValidationError) -> str:
    about = problem.schema.get("description", "") if isinstance(problem.schema, dict) else ""
    return f"{problem.message[:300]}{f' ({about})' if about else ''}"


def _children(node: Any, key: Any) -> Iterator[Any]:
    if isinstance(node, yaml.MappingNode):
        yield from (value for name, value in node.value if name.value == str(key))
    elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        yield node.value[key]
