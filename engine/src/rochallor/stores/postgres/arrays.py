"""Rows as array parameters, in PostgreSQL's own notation: `{1,2,null}`.

The driver encodes an array element by element, in Python's pace: that was a tenth of all the engine did for a job. A
list in JSON is nearly that notation, and is encoded at once. It differs where a text holds control characters, which
are rare; such a column is written the long way.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode  # bytes become base64
_OTHER_ESCAPE = re.compile(rb'\\[^"\\]')
"""What JSON writes for a control character; to PostgreSQL it is just the letter."""


def arrays(rows: Collection[Sequence[Any]]) -> list[str]:
    """Return the columns of rows (at least one) as the texts of arrays; `bytes` as base64.

    >>> arrays([("a", 1, None), ("b", 2, b"xyz")])
    ['{"a","b"}', '{1,2}', '{null,"eHl6"}']
    """
    return [_array(column) for column in zip(*rows, strict=True)]


def _array(column: tuple[Any, ...]) -> str:
    try:
        text = _encode(column)
    except (OverflowError, UnicodeEncodeError):  # a number of more than 64 bits, half a surrogate pair
        return _by_hand(column)
    if b"\\" in text and _OTHER_ESCAPE.search(text):
        return _by_hand(column)
    return f"{{{text[1:-1].decode()}}}"


def _by_hand(column: tuple[Any, ...]) -> str:
    return f"{{{','.join(map(_element, column))}}}"


def _element(value: object) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _encode(value).decode()
