"""The variable map: raw JSON per top-level name, decoded only where somebody reads.

Most variables pass through the engine unread, so they stay the bytes they came as; a merge is a dict update. What
enters is checked once, here: well-formed JSON, finite numbers, and one spelling per number (a whole double below
2^53 is an integer), so that a value sent as protobuf `10.0` and one sent as JSON `10` are the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import msgspec
from msgspec import Raw

from rochallor.core.errors import BadRequest, PayloadTooLarge

Variables = dict[str, Raw]


class TooDeep(Exception):
    """A value nests deeper than variables may."""


EXACT_DOUBLE = 2**53
"""Whole doubles below this are integers; above, a double no longer tells neighbours apart."""

MAX_DEPTH = 200
_SUSPECT = re.compile(rb"\d[.eE]|-0|\d{19}|\\u[dD][89a-fA-F]")
"""Bytes that may hold a double, a negative zero, a huge integer or half a surrogate pair.

Without any of them the bytes are kept as they are.
"""

_decode_map = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_any = msgspec.json.Decoder().decode
_encode = msgspec.json.encode


def parse_variables(raw: bytes | Raw | memoryview | None, *, pointer: str = "") -> Variables:
    """Return the map that `raw` (UTF-8 JSON of an object, or null) holds.

    Raises `BadRequest` naming `pointer` when it is not a JSON object or holds what JSON cannot carry exactly.
    """
    data = bytes(raw).strip() if raw is not None else b""
    if not data or data == b"null":
        return {}
    where = f" at {pointer}" if pointer else ""
    try:
        if not data.isascii():
            data.decode()
        if _deep(data):
            raise BadRequest(f"variables{where} are nested deeper than {MAX_DEPTH} levels; flatten them")
        variables = _decode_map(data)
        if _SUSPECT.search(data):
            return {name: normalised(value) for name, value in variables.items()}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"variables{where} {_plain(error)}") from error
    return variables


def normalised(raw: Raw) -> Raw:
    """Return the same JSON value with whole doubles below 2^53 as integers."""
    return Raw(_encode(normalise(_decode_any(raw))))


def normalise(value: object) -> object:
    """Return `value` with whole doubles below 2^53 as integers, at any depth."""
    if type(value) is float:
        return int(value) if value.is_integer() and abs(value) < EXACT_DOUBLE else value
    if type(value) is list:
        return [normalise(item) for item in value]
    if type(value) is dict:
        return {key: normalise(item) for key, item in value.items()}
    return value


def raw_of(value: object) -> Raw:
    """Return a computed value (of an expression or a table) as it is stored.

    Raises `TooDeep` where it would nest deeper than a caller's may, in the map that is a level itself.
    """
    data = _encode(normalise(value))
    if data.count(b"[") + data.count(b"{") >= MAX_DEPTH and _depth(value) >= MAX_DEPTH:
        raise TooDeep
    return Raw(data)


def encode_variables(variables: Variables) -> bytes:
    """Return the map as JSON bytes."""
    return _encode(variables)


def check_size(variables: Variables, limit: int) -> None:
    """Raise `PayloadTooLarge` when the map takes more than `limit` bytes as JSON."""
    size = size_of(variables)
    if size > limit:
        over = f"the variables take {size} bytes, the limit is {limit}"
        raise PayloadTooLarge(f"VariablesTooLarge: {over}; keep large data elsewhere and store its key")


def size_of(variables: Variables) -> int:
    """Return about how many bytes the map takes as JSON (escapes in names are not counted)."""
    return 2 + 4 * len(variables) + sum(map(len, variables)) + sum(map(len, variables.values()))


class View(Mapping[str, object]):
    """The variables as an expression reads them: each name decoded once, when first asked for.

    `charge` is told how many bytes are about to be decoded, and may refuse.
    """

    __slots__ = ("_charge", "_decoded", "_raw")

    def __init__(self, variables: Variables, charge: Callable[[int], None] | None = None) -> None:
        self._raw = variables
        self._charge = charge
        self._decoded: dict[str, object] = {}

    def __getitem__(self, name: str) -> object:
        if name not in self._decoded:
            raw = self._raw[name]
            if self._charge is not None:
                self._charge(memoryview(raw).nbytes)
            self._decoded[name] = _decode_any(raw)
        return self._decoded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._raw

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)


def _deep(data: bytes) -> bool:
    """Tell whether brackets nest past the limit (brackets inside strings count; few texts hold that many)."""
    return data.count(b"[") + data.count(b"{") > MAX_DEPTH and _depth(_decode_any(data)) > MAX_DEPTH


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _plain(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return f"cannot be read: they are nested deeper than {MAX_DEPTH} levels; flatten them"
    # A double that is none, in what is otherwise a fine object.
    of_the_number = str(error).startswith("Number out of range")
    return f"{'cannot be read' if of_the_number else 'must be a JSON object'}: {error}"
