"""The two ways an expression goes wrong: its text is no expression, or its values do not fit it.

Both are `ValueError`s and nothing else ever leaves this package, whatever the text or the variables are.
Messages name types and operators, never the values themselves: they end in histories and logs, the values may
be private.
"""

from __future__ import annotations


class ExpressionSyntaxError(ValueError):
    """The text is not an expression; an author finds out at upload.

    The message says what is wrong, where, and what was expected, with a caret under the place.
    `position` is the 0-based character offset in the source.
    """

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


class ExpressionError(ValueError):
    """The expression has no answer for these values: one is missing, of a wrong type, or too large."""


def syntax_error(sentence: str, source: str, position: int) -> ExpressionSyntaxError:
    """Return the error for `sentence`, with the line of `source` it is about and a caret below the place."""
    start = source.rfind("\n", 0, position) + 1
    line = source[start:].split("\n", 1)[0]
    column = position - start
    left = max(0, column - 60)
    shown = line[left : column + 40].replace("\t", " ").rstrip("\r")
    place = f"column {column + 1}"
    if "\n" in source:
        place = f"line {source.count(chr(10), 0, position) + 1}, {place}"
    caret = " " * (column - left) + "^"
    return ExpressionSyntaxError(f"{sentence} ({place})\n  {shown}\n  {caret}", position)
