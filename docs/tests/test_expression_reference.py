"""The expression reference says what the language does: its tables, its examples, its limits."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rochallor.core.expressions import ExpressionError, ExpressionSyntaxError, compile_expression
from rochallor.core.expressions.budget import EXPRESSION_WORK, RUN_WORK
from rochallor.core.expressions.functions import FUNCTIONS
from rochallor.core.expressions.operators import LEVELS
from rochallor.core.expressions.parse import MAX_BYTES, MAX_DEPTH
from rochallor.core.expressions.values import MAX_INTEGER_BITS, MAX_STRING

PAGE = (Path(__file__).parents[1] / "reference" / "expressions.md").read_text(encoding="utf-8")
NOW_MS = int(datetime(2026, 3, 1, 9, 30, tzinfo=UTC).timestamp() * 1_000)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)


def table(heading: str) -> list[list[str]]:
    """Return the cells of the first table below `heading`, without its header."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (.*) \|$", section, re.MULTILINE)
    return [[cell.replace("\\|", "|") for cell in re.split(r" (?<!\\)\| ", row)] for row in rows[1:]]


def lines(language: str) -> list[tuple[str, str]]:
    pairs = (line.rsplit(" → ", 1) for block in blocks(language) for line in block.splitlines())
    return [(source, result) for source, result in pairs]


def in_tables() -> list[tuple[str, str]]:
    cells = [row[-1] for heading in ("Operators", "Functions") for row in table(heading)]
    return [(source, result) for cell in cells for source, result in re.findall(r"`(.+?)` → `(.+?)`", cell)]


VARIABLES = json.loads(blocks("json")[0])


def value_of(source: str, *, coercion: bool = False) -> str:
    try:
        return repr(compile_expression(source, coercion=coercion).evaluate(VARIABLES, NOW_MS))
    except ExpressionError:
        return "error"


@pytest.mark.parametrize(("source", "result"), [*lines("expressions"), *in_tables()])
def test_an_example_gives_what_the_page_says(source, result):
    """Every example evaluates to the value, or the error, beside it."""
    assert value_of(source) == (result if result == "error" else value_of(result))


@pytest.mark.parametrize(("source", "result"), lines("coerced expressions"))
def test_an_example_of_coercion_gives_what_the_page_says(source, result):
    """The examples of the chapter on coercion hold with coercion on."""
    assert value_of(source, coercion=True) == (result if result == "error" else value_of(result))


def test_the_table_of_operators_is_that_of_the_language():
    """Every operator stands in the table, at its level, with what it takes and gives, and in its own example."""
    rows = table("Operators")
    assert [row[:4] for row in rows] == [
        [str(at), f"`{operator.symbol}`", operator.takes, operator.gives]
        for at, level in enumerate(LEVELS, 1)
        for operator in level.operators
    ]
    assert all(part in row[4] for row in rows for part in row[1].strip("`").split())


def test_the_table_of_functions_is_that_of_the_language():
    """Every function stands in the table with its signature and in its own example."""
    rows = table("Functions")
    assert [row[:2] for row in rows] == [[f"`{each.signature}`", each.gives] for each in FUNCTIONS.values()]
    assert all(row[2].startswith(f"`{name}(") for row, name in zip(rows, FUNCTIONS, strict=True))


def test_the_page_lists_the_limits():
    """The figures of the last chapter are those of the code."""
    assert [row[1] for row in table("Limits")[:8] if row[0] != "a real number"] == [
        f"{MAX_BYTES:,} bytes",
        str(MAX_DEPTH),
        str(MAX_DEPTH),
        f"{MAX_INTEGER_BITS:,} bits",
        f"{MAX_STRING:,} characters",
        f"{EXPRESSION_WORK:,} (`EXPRESSION_WORK`)",
        f"{RUN_WORK:,} (`RUN_WORK`)",
    ]


def test_the_page_shows_errors_as_they_are():
    """The messages of the chapters on errors and limits are what the engine says."""
    complaint, failure, heavy = blocks("text")
    with pytest.raises(ExpressionSyntaxError) as refused:
        compile_expression(blocks("complaint")[0])
    with pytest.raises(ExpressionError) as failed:
        compile_expression(blocks("failure")[0]).evaluate(VARIABLES, NOW_MS)
    with pytest.raises(ExpressionError) as exhausted:
        compile_expression(blocks("heavy failure")[0]).evaluate({"readings": [0] * (EXPRESSION_WORK + 1)}, NOW_MS)
    assert (str(refused.value), str(failed.value), str(exhausted.value)) == (complaint, failure, heavy)
