"""Templates: in TRANSFORMATION entries and table outputs, a string that is wholly `${…}` is an expression.

Anything else is a literal, `"${a} and ${b}"` too: joining is written `${a + " and " + b}`. Text that begins
with `${` and ends with `}` but whose braces do not match is meant as an expression, and so it is an error,
not silently a literal.
"""

from __future__ import annotations

import re
from typing import Final

from rochallor.core.expressions.expression import Expression, compile_expression

_PARTS: Final = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[{}]", re.DOTALL)


def template_of(value: object, *, coercion: bool = False) -> Expression | None:
    """Return the expression that `value` is, None for a literal; raises `ExpressionSyntaxError`."""
    if type(value) is not str or not value.startswith("${") or not value.endswith("}"):
        return None
    return compile_expression(value, coercion=coercion) if _is_whole(value) else None


def _is_whole(text: str) -> bool:
    """Return whether the first `${` is closed by the last `}`, or never; braces in strings do not count."""
    depth = 0
    for part in _PARTS.finditer(text):
        depth += {"{": 1, "}": -1}.get(part[0], 0)
        if depth == 0 and part[0] == "}":
            return part.end() == len(text)
    return True
