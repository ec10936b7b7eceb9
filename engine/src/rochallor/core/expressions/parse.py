"""From text to tree: the limits on the text, the Lark parser, and its complaints in words.

Lark's own messages speak of terminals; authors of definitions do not. `_WORDS` says for each terminal what an
author would call it. The limits are checked before anything recursive touches the tree.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NoReturn, cast

from lark import Lark, Token, Tree, UnexpectedCharacters, UnexpectedInput

from rochallor.core.expressions.errors import syntax_error

MAX_BYTES: Final = 4_096
MAX_DEPTH: Final = 64

_VALUE, _OPERATOR = "a value", "an operator"
_WORDS: Final = {
    **dict.fromkeys(
        ("NAME", "MARKED_NAME", "NUMBER", "STRING", "TRUE", "FALSE", "NULL", "NOT", "_OPEN_TEMPLATE"), _VALUE
    ),
    **dict.fromkeys(
        ("_THEN", "_COALESCE", "_OR", "_AND", "EQUALITY", "ORDERING", "IN", "NOT_IN", "PLUS", "FACTOR"),
        _OPERATOR,
    ),
    "_CLOSE": "`)`",
    "_CLOSE_LIST": "`]`",
    "_CLOSE_TEMPLATE": "`}`",
    "_COMMA": "`,`",
    "_ELSE": "`:`",
    "$END": "the end",
}
_HINTS: Final = {
    "and": "write `&&` for and",
    "or": "write `||` for or",
    "not": "write `!` for not",
    "$": "write `${name}` or `#name` for a variable",
    "{": "an object cannot be written in an expression",
    "=": "write `==` to compare",
    "&": "write `&&` for and",
    "|": "write `||` for or",
}
_NESTING: Final = frozenset({"conditional", "coalesce", "either", "both", "binary", "unary", "list", "call", "index"})


@cache
def _parser() -> Lark:
    return Lark.open_from_package(
        "rochallor.core.expressions",
        "grammar.lark",
        parser="lalr",
        lexer="basic",
        propagate_positions=True,
        maybe_placeholders=False,
    )


def parse(source: str) -> Tree[Token]:
    """Return the tree of `source`, whose root is an expression node; raise `ExpressionSyntaxError`."""
    _check_size(source)
    try:
        tree = _parser().parse(source)
    except UnexpectedInput as error:
        _complain(error, source)
    _check_depth(tree, source)
    return tree.children[0]  # type: ignore[return-value]  # `start` has one child, a tree


def _check_size(source: str) -> None:
    if not source.strip():
        raise syntax_error("the expression is empty: expected a value", source, 0)
    try:
        size = len(source.encode())
    except UnicodeEncodeError as error:
        raise syntax_error("half a surrogate pair is no character", source, error.start) from None
    if size > MAX_BYTES:
        raise syntax_error(
            f"the expression has {size:,} bytes; at most {MAX_BYTES:,} are allowed: split it over several steps",
            source,
            0,
        )


def _check_depth(tree: Tree[Token], source: str) -> None:
    """Refuse a tree of more than 64 operators, or more than 64 brackets, inside each other."""
    todo = [(tree, 0, 0)]
    while todo:
        node, depth, brackets = todo.pop()
        depth += node.data in _NESTING
        brackets += node.data == "group"
        if max(depth, brackets) > MAX_DEPTH:
            raise syntax_error(
                f"the expression is nested more than {MAX_DEPTH} levels deep: split it over several steps",
                source,
                node.meta.start_pos,
            )
        todo.extend((child, depth, brackets) for child in node.children if isinstance(child, Tree))


def _complain(error: UnexpectedInput, source: str) -> NoReturn:
    position = cast("int", error.pos_in_stream)  # Lark types it as its class default, None
    expected = _expected(error)
    if isinstance(error, UnexpectedCharacters):
        found = source[position]
        if found in "'\"":
            raise syntax_error(f"this string is never closed: expected {found} at its end", source, position) from None
    else:
        found = str(getattr(error, "token", ""))
    if not found:
        raise syntax_error(f"the expression ends too early: expected {expected}", source, len(source)) from None
    hint = _hint(found, source, position)
    raise syntax_error(f"unexpected `{found}`: expected {expected}{hint}", source, position) from None


def _expected(error: UnexpectedInput) -> str:
    """Return in words what could have stood there, for example `an operator or the end`."""
    accepted = set(error.interactive_parser.accepts())  # type: ignore[no-untyped-call]  # Lark leaves it bare
    if "NAME" in accepted and "NUMBER" not in accepted:
        return "the name of a field"
    words = list(dict.fromkeys(word for terminal, word in _WORDS.items() if terminal in accepted))
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _hint(found: str, source: str, position: int) -> str:
    """Return advice for what other languages write differently, or nothing."""
    before = source[:position].split()
    hint = _HINTS.get(found) or (_HINTS["not"] if before and before[-1] == "not" else None)
    return f"; {hint}" if hint else ""
