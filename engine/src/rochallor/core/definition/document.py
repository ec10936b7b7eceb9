"""Bytes to a JSON document, strictly: what the rest of the package may rely on.

After `load_document` a document has no duplicate keys, no NaN or infinity, no text that UTF-8 cannot carry,
and at most `MAX_DEPTH` levels, so recursion over it is safe. Whole-number floats are integers (`3.0` is `3`),
because a definition that came over gRPC has doubles only and must equal the same one sent as JSON. Key order
is the author's. What the keys *mean* is not known here.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from rochallor.core.definition.problems import pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rochallor.core.definition.problems import Findings

MAX_DEPTH = 100
EXACT_FLOAT = 2**53  # beyond it a double no longer says which integer was meant

Document = dict[str, Any]


class _Repeated(dict[str, Any]):
    """An object whose text named a key twice; carries the names until `_inspect` reports them."""

    names: list[str]


def load_document(raw: bytes, findings: Findings) -> Document | None:
    """Read one JSON object; None (with the reason among the findings) when the text is none."""
    try:
        document = _DECODER.decode(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        findings.error("JSON_SYNTAX", "", f"Byte {error.start} is not UTF-8. Save the file as UTF-8.")
        return None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        findings.error("JSON_SYNTAX", "", f"Not JSON: {error.msg} at {where}. Correct the text there.")
        return None
    except RecursionError:
        _too_deep(findings, "")
        return None
    if not isinstance(document, dict):
        findings.error("JSON_SYNTAX", "", "A definition is a JSON object. Wrap it in { }.")
        return None
    return document if _inspect(document, findings) else None


def dump_document(document: Document) -> bytes:
    """Write a document as compact JSON, key order kept."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _whole_float(text: str) -> float | int:
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < EXACT_FLOAT else number


def _integer(text: str) -> float | int:
    try:
        return int(text)
    except ValueError:  # Python refuses thousands of digits; infinity is reported by _inspect
        return math.inf


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    repeated = _Repeated(found)
    repeated.names = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]
    return repeated


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_float=_whole_float, parse_int=_integer, parse_constant=float
)


def _inspect(document: Document, findings: Findings) -> bool:
    """Report what Python's reader lets through and we do not; False when nothing else can be looked at."""
    waiting: list[tuple[Any, tuple[str | int, ...]]] = [(document, ())]
    while waiting:
        node, path = waiting.pop()
        if len(path) > MAX_DEPTH:
            _too_deep(findings, pointer(*path[:8]))
            return False
        _inspect_one(node, path, findings)
        waiting.extend(reversed([(child, (*path, key)) for key, child in _children(node)]))
    return not any(problem.code == "JSON_SYNTAX" for problem in findings.problems)


def _inspect_one(node: Any, path: tuple[str | int, ...], findings: Findings) -> None:
    if isinstance(node, _Repeated):
        for name in node.names:
            message = f"The key {name!r} appears twice here. Keep one; which one wins is anybody's guess."
            findings.error("DUPLICATE_KEY", pointer(*path, _printable(name)), message)
    if isinstance(node, float) and not math.isfinite(node):
        findings.error("JSON_SYNTAX", pointer(*path), "Not a number JSON can carry. Use a finite number.")
    texts = node if isinstance(node, dict) else [node]
    if any(isinstance(text, str) and _printable(text) != text for text in texts):
        message = "Text here has half of a surrogate pair (\\ud800 to \\udfff). Write the whole character."
        findings.error("JSON_SYNTAX", pointer(*path), message)


def _children(node: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(node, dict):
        yield from ((_printable(key), child) for key, child in node.items())
    elif isinstance(node, list):
        yield from enumerate(node)


def _printable(text: str) -> str:
    """Return the text with lone surrogates replaced, so that even a complaint about them can be sent."""
    return text.encode("utf-8", "replace").decode()


def _too_deep(findings: Findings, where: str) -> None:
    findings.error("JSON_SYNTAX", where, f"Nested more than {MAX_DEPTH} levels deep. Flatten the document.")
