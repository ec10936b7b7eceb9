"""The work budget: no expression, and no step full of them, looks at more than a bounded number of values."""

import json

import pytest
from rochallor.core.expressions import Budget, ExpressionError, compile_expression
from rochallor.core.expressions.budget import EXPRESSION_WORK

MANY = 900_000
VARIABLES: dict[str, object] = {
    "many": [1] * MANY,
    "more": [1] * MANY,
    "list": [1] * 20,
    "twin": [1] * 20,
    "pairs": [[1, 2]] * 3,
    "equal": [[1, 2]] * 3,
    "object": {"a": 1, "b" * 32: 2},
    "alike": {"a": 1, "b" * 32: 2},
    "text": "x" * 160,
    "same": "x" * 160,
    "short": "x" * 15,
    "brief": "x" * 15,
    "digits": "1" * 160,
    "long": 1 << 1_599,
    "n": 7,
}
STEPS = """
    {step}
    end end
"""


def work(source: str, *, coercion: bool = False) -> int:
    """Return what evaluating charges."""
    budget = Budget()
    compile_expression(source, coercion=coercion).evaluate(VARIABLES, 0, budget)
    return EXPRESSION_WORK - budget.left


def chain(part: str, symbol: str) -> str:
    """Return as many `part`s as fit in an expression."""
    return symbol.join([part] * (4_096 // len(part + symbol)))


@pytest.mark.parametrize(
    "source",
    [
        chain("many==more", "&&"),
        chain("true in many", "||"),
        "[many] == [more] && [many] == [more]",
        chain("contains(many,true)", "||"),
        chain("[1]in many", "||"),
        chain("min(many)", "+"),
        "[many, many]",
    ],
)
def test_a_hostile_expression_is_refused(source):
    """What looks at a long list over and over ends with a sentence that names the limit and a way out."""
    with pytest.raises(ExpressionError) as refused:
        compile_expression(source).evaluate(VARIABLES, 0)
    assert str(refused.value).startswith(
        "the step's expressions look at more than EXPRESSION_WORK = 1,000,000 values; "
        "compare and search less here, or let a service task do it, in: "
    )


def test_every_evaluation_has_its_own_budget():
    """Evaluating again, or another expression, starts from the full budget."""
    expression = compile_expression("many == more")
    assert [expression.evaluate(VARIABLES, 0) for _ in range(2)] == [True, True]
    assert compile_expression("true in many").holds(VARIABLES, 0) is False


def test_a_budget_is_shared_by_whom_it_is_handed_to():
    """Two evaluations with one budget may not look at more than one could alone."""
    budget = Budget()
    expression = compile_expression("true in many")
    assert expression.holds(VARIABLES, 0, budget) is False
    assert compile_expression("n > 5").holds(VARIABLES, 0, budget) is True
    with pytest.raises(ExpressionError, match="EXPRESSION_WORK"):
        expression.holds(VARIABLES, 0, budget)


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ("n > 5 && short == brief && n in [1, 7] ? n * n : -n", 2),
        ("many == many", 0),
        ("many == list", 0),
        ("len(many) + len(text)", 0),
        ("list == twin", 28),
        ("list != twin", 28),
        ("[list] == [twin]", 9 + 28),
        ("pairs == equal", 11 + 3 * 10),
        ("object == alike", 8 + 2 + 33 // 16),
        ("n in list", 20),
        ("1 in list", 20),
        ("[1, 2] in pairs", 3 + 10),
        ("'x' in list", 20),
        ("'x' in pairs", 0),
        ("text in list", 20 * 11),
        ("contains(list, n)", 20),
        ("text in object", 10),
        ("object[text]", 10),
        ("text == same", 10),
        ("text == short", 0),
        ("text < same", 10),
        ("short in text", 10),
        ("text in text", 10 * 3),
        ("len(text + text) == 320", 20),
        ("startsWith(text, same)", 10),
        ("endsWith(text, 'x')", 0),
        ("len(lower(text))", 40),
        ("len(upper(text))", 40),
        ("len(trim(text))", 10),
        ("max(list)", 20),
        ("max(1, 2, 3)", 3),
        ("long - 1 > 0", 1_599 // 16),
        ("long % 7 > 0", 100),
        ("1.5 % 1", 0),
        ("long", 100),
        ("text", 10),
        ("list", 28),
        ("[n, long, short]", 11 + 100),
        ("object", 11 + 1),
    ],
)
def test_what_is_looked_at_is_counted(source, values):
    """Elements and keys count one, containers eight more, strings and long integers by length, scalars nothing."""
    assert work(source) == values


def test_a_numeric_string_is_counted_when_it_is_read():
    """Coercion reads a string through to find out whether it is a number."""
    assert work("digits == short", coercion=True) == 10
    assert work("digits == short") == 0


@pytest.fixture
def crowded() -> dict[str, object]:
    """Variables that two looks at do not exceed the budget, and three do."""
    return {"a": [1] * 400_000}


def test_the_conditions_of_a_step_share_a_budget(run, crowded):
    """A DECISION of many conditions looks at no more than one could."""
    driver = run(STEPS.format(step="decide d ? 'x' in a -> end; 'y' in a -> end; true -> end"), crowded)
    assert driver.status == "COMPLETED"
    driver = run(STEPS.format(step="decide d ? 'x' in a -> end; 'y' in a -> end; 'z' in a -> end"), crowded)
    assert driver.reason.startswith("ExpressionError: step 'd': ")
    assert "EXPRESSION_WORK" in driver.reason


def test_the_entries_of_a_transformation_share_a_budget(run, crowded):
    """A TRANSFORMATION of many entries neither looks at nor writes more than one entry could."""
    entries = '"x": "${len(a)}", "y": "${a[0]}", "z": "${1 in a}"'
    driver = run(STEPS.format(step='set s -> end :: {"transformations": {' + entries + "}}"), crowded)
    assert driver.status == "COMPLETED"
    entries = '"x": "${a}", "y": "${a}", "z": "${a}"'
    driver = run(STEPS.format(step='set s -> end :: {"transformations": {' + entries + "}}"), crowded)
    assert driver.reason.startswith("ExpressionError: step 's', variable 'z': ")
    assert "EXPRESSION_WORK" in driver.reason


def table_of(*rules: tuple[str, str], policy: str = "C") -> str:
    rows = [{"when": {"c": cell}, "outputs": {"o": output}} for cell, output in rules]
    fields = {"hitPolicy": policy, "decisionTable": {"rules": rows}}
    return STEPS.format(step=f"table t -> end :: {json.dumps(fields)}")


def test_the_cells_and_outputs_of_a_table_share_a_budget(run, crowded):
    """However many cells and outputs a table has, they look at and write no more than one expression could."""
    driver = run(table_of(("!('x' in a)", "${'x' in a}")), crowded)
    assert driver.status == "COMPLETED"
    driver = run(table_of(*[("'x' in a", "1")] * 3), crowded)
    assert driver.reason.startswith("DecisionTableCellError: rule 2, column 'c': ")
    driver = run(table_of(*[("true", "${a}")] * 3), crowded)
    assert driver.reason.startswith("DecisionTableOutputError: rule 2, output 'o': ")
    assert "EXPRESSION_WORK" in driver.reason


def test_outputs_that_take_too_long_to_compare_fail_the_step(run):
    """Under A, literals of a definition are compared within the budget too."""
    rows = [{"outputs": {"o": [[]] * 125_000}}] * 2
    fields = {"hitPolicy": "A", "decisionTable": {"rules": rows}}
    driver = run(STEPS.format(step=f"table t -> end :: {json.dumps(fields)}"))
    assert driver.reason.startswith("DecisionTableOutputError: output 'o': ")


def test_the_steps_of_one_command_share_a_larger_budget(run, crowded):
    """A chain of steps, each within its own budget, cannot hold the engine: the run as a whole has one, too."""
    chain = " | ".join(f"decide d{n} ? 'x' in a || 'y' in a -> end; true -> d{n + 1}" for n in range(20))
    driver = run(STEPS.format(step=chain + " | decide d20 ? true -> end").replace(" | ", "\n"), crowded)
    assert driver.reason.startswith("ExpressionError: step 'd")
    assert (
        "look at more than RUN_WORK = 10,000,000 values in one go; "
        "keep large data elsewhere, or put a service task between them"
    ) in driver.reason


def test_reading_variables_counts_for_the_run(run):
    """A loop that looks at little of a long text, again and again, is ended by what it reads."""
    loop = 'decide d ? len(text) == 0 -> end; true -> s\nset s -> d :: {"transformations": {"x": 1}}'
    driver = run(STEPS.format(step=loop), {"text": "x" * 1_000_000})
    assert "RUN_WORK" in driver.reason


@pytest.mark.parametrize("kind", ["table", "set"])
def test_tables_and_transformations_share_it_too(run, crowded, kind):
    """A chain of decision tables, or of transformations, has no more for all of them than a chain of decisions."""
    scans = "'x' in a || 'y' in a"
    rows = [{"when": {"c": scans}, "outputs": {"o": 1}}, {"outputs": {"o": 2}}]
    fields = {
        "table": {"hitPolicy": "F", "decisionTable": {"rules": rows}},
        "set": {"transformations": {"o": f"${{{scans}}}"}},
    }
    chain = "\n".join(f"{kind} t{n} -> t{n + 1} :: {json.dumps(fields[kind])}" for n in range(30))
    driver = run(STEPS.format(step=chain + "\ndecide t30 ? true -> end"), crowded)
    assert "RUN_WORK = 10,000,000" in driver.reason
