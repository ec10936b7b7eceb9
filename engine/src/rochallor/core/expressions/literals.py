r"""Numbers and strings as an author writes them, turned into values.

Escapes are those of JSON plus `\'`. An unknown escape is an error rather than a guess, and so is half a
surrogate pair: no JSON could carry the string.
"""

from __future__ import annotations

import math
import re
from typing import Final

from rochallor.core.expressions.errors import syntax_error
from rochallor.core.expressions.values import MAX_INTEGER_BITS

_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SIMPLE: Final = {
    "'": "'", '"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t",
}  # fmt: skip


def number(text: str, source: str, position: int) -> float:
    """Return the value of a number literal; an integer stays one."""
    if text.isdecimal():
        whole = int(text)
        if whole.bit_length() <= MAX_INTEGER_BITS:
            return whole
    elif math.isfinite(real := float(text)):
        return real
    raise syntax_error("this number is too large", source, position)


def string(text: str, source: str, position: int) -> str:
    """Return the value of a quoted string literal that stands at `position` of `source`."""

    def unescape(match: re.Match[str]) -> str:
        code, simple = match.groups()
        if code is not None:
            return chr(int(code, 16))
        if simple not in _SIMPLE:
            raise syntax_error(
                f"unknown escape `\\{simple}`: known are \\' \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uXXXX",
                source,
                position + 1 + match.start(),
            )
        return _SIMPLE[simple]

    value = _ESCAPE.sub(unescape, text[1:-1])
    try:
        # A pair of \u escapes for one character beyond the first 65,536 becomes that character.
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise syntax_error("half a surrogate pair in this string; write both halves", source, position) from None
