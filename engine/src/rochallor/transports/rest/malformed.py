"""Why a body was refused: what is wrong, and where, as a sentence and a JSON pointer.

Only refused requests come here, so it may take its time: it reads the text again with Python's reader, which tells line
and column. A name that is given twice is looked for at the top of the body only; within variables the last one counts,
as in most JSON readers.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from rochallor.core.errors import BadRequest, Detail

WORDS = {
    "str": "a string",
    "int": "an integer",
    "float": "a number with a fraction",
    "bool": "true or false",
    "object": "an object",
    "array": "an array",
    "null": "null",
}
_decode_map = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_PART = re.compile(r"\.(\w+)|\[(\d+)\]")
_WORD = re.compile(r"`([^`]*)`")


def explain(error: Exception, body: bytes) -> BadRequest:
    """Return the error to raise for a body that could not be decoded."""
    if not body.strip():
        return _problem("BODY_REQUIRED", "", "the body is empty; send a JSON object")
    if isinstance(error, RecursionError):
        return _problem("JSON_SYNTAX", "", "the body is nested too deeply; flatten it")
    if isinstance(error, UnicodeDecodeError):
        return _problem("JSON_SYNTAX", "", f"the body is not UTF-8: byte {error.start} does not belong")
    return _syntax(body) or (_shape(str(error)) if isinstance(error, msgspec.ValidationError) else _odd())


def refuse_repeated(body: bytes) -> None:
    """Raise `BadRequest` if the object that is the body has a name twice."""
    pairs = json.loads(body, object_pairs_hook=list)  # the outermost list is the body's own pairs
    names: set[Any] = set()
    for name, _ in pairs:
        if name in names:
            raise _problem("DUPLICATE_KEY", f"/{name}", f"the body has {name} twice; keep one")
        names.add(name)


def check_map(body: bytes) -> None:
    """Raise `BadRequest` unless the body is a map of variables, null or nothing."""
    if body in {b"", b"null"}:
        return
    try:
        if not body.isascii():
            body.decode()
        _decode_map(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise explain(error, body) from None


def _syntax(body: bytes) -> BadRequest | None:
    try:
        json.loads(body.decode(), parse_int=str)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        return _problem("JSON_SYNTAX", "", f"the body is not JSON: {error.msg} at {where}")
    except (RecursionError, ValueError):
        return _problem("JSON_SYNTAX", "", "the body is nested too deeply or is no JSON; correct it")
    return None


def _odd() -> BadRequest:
    """Say what Python's reader lets through and JSON in UTF-8 cannot carry."""
    message = "the body has NaN, Infinity or half of a surrogate pair, which JSON cannot carry; leave it out"
    return _problem("JSON_SYNTAX", "", message)


def _shape(message: str) -> BadRequest:
    """Say what msgspec said, in the words of JSON: "Expected `str`, got `int` - at `$.workerId`"."""
    said, _, path = message.partition(" - at `$")
    pointer = "".join(f"/{name or index}" for name, index in _PART.findall(path))
    missing = _MISSING.match(said)
    if missing:
        pointer += f"/{missing[1]}"
        return _problem("FIELD_REQUIRED", pointer, f"{pointer} is missing; it has to be there and not null")
    wrong = _WORD.sub(lambda word: WORDS.get(word[1].split(" | ")[0], word[1]), said)
    wrong = wrong[:1].lower() + wrong[1:]
    return _problem("FIELD_TYPE", pointer, f"{pointer or 'the body'} is wrong: {wrong}")


def _problem(code: str, pointer: str, message: str) -> BadRequest:
    return BadRequest(message, details=(Detail(code, pointer, message),))
