"""Whether a Python value is a JSON document that an engine can read, whatever it says."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from workflow_sdk.definition.problems import Problem, pointer
from workflow_sdk.json_types import is_list, is_object

MAX_BYTES = 1024 * 1024
MAX_STEPS = 2000
MAX_DEPTH = 100
_SHOWN_DEPTH = 8
_SCALARS = (str, int, float, bool, type(None))


def document_problems(document: Any) -> Iterator[Problem]:
    """Yield JSON_SYNTAX for what JSON cannot carry: NaN, halves of characters, keys that are no text, sets, depth."""
    waiting: list[tuple[Any, tuple[str | int, ...]]] = [(document, ())]
    while waiting:
        node, path = waiting.pop()
        if len(path) > MAX_DEPTH:
            message = f"Nested more than {MAX_DEPTH} levels deep. Flatten the document."
            yield Problem("JSON_SYNTAX", pointer(*path[:_SHOWN_DEPTH]), message)
            return
        fault = _fault(node)
        if fault:
            yield Problem("JSON_SYNTAX", pointer(*path), fault)
        waiting.extend((child, (*path, key)) for key, child in _children(node))


def too_large(document: Mapping[str, Any]) -> Problem | None:
    """Return DEFINITION_TOO_LARGE when the engine would not even look at it."""
    size = len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())
    ending = "Split the workflow and chain the parts."
    if size > MAX_BYTES:
        return Problem("DEFINITION_TOO_LARGE", "", f"{size} bytes; at most {MAX_BYTES} are accepted. {ending}")
    steps = document.get("steps")
    if is_list(steps) and len(steps) > MAX_STEPS:
        message = f"{len(steps)} steps; at most {MAX_STEPS} are accepted. {ending}"
        return Problem("DEFINITION_TOO_LARGE", "/steps", message)
    return None


def _fault(node: Any) -> str:
    if isinstance(node, float) and not math.isfinite(node):
        return "NaN and infinities are not JSON. Use a finite number."
    if is_object(node) and not all(isinstance(key, str) for key in _keys(node)):
        return "Keys of an object are text. Write them as strings."
    if not _is_json(node):
        return f"A {type(node).__name__} is not JSON. Use text, numbers, lists and dicts."
    texts: list[Any] = _keys(node) if is_object(node) else [node]
    if any(isinstance(text, str) and not _is_text(text) for text in texts):
        return "Text here has half of a surrogate pair. Write the whole character."
    return ""


def _is_json(node: object) -> bool:
    return isinstance(node, (*_SCALARS, Mapping, list, tuple))


def _keys(node: Mapping[Any, Any]) -> list[Any]:
    return list(node)


def _is_text(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _children(node: Any) -> Iterator[tuple[str | int, Any]]:
    if is_object(node):
        yield from ((str(key).encode("utf-8", "replace").decode(), child) for key, child in node.items())
    elif is_list(node):
        yield from enumerate(node)
