"""Defects of expressions, decision tables and schemas."""

from __future__ import annotations

from typing import Final

from rochallor_conformance.mutants.patch import Edit, Patch

TABLE: Final = "core.decision_table"
OPERATORS: Final = "core.expressions.operators"
FUNCTIONS: Final = "core.expressions.functions"

PATCHES: Final[dict[str, Patch]] = {
    "division-integer": (Edit(OPERATORS, "return left / right", "return left // right"),),
    "division-integer+by-zero": (Edit(OPERATORS, 'raise ExpressionError("division by zero")', "return 0"),),
    "truthy-values": (
        Edit(
            "core.expressions.expression",
            "if truth is True or truth is False:\n            return truth",
            "if True:\n            return bool(truth)",
        ),
    ),
    "truthy-values+operands": (
        Edit(
            "core.expressions.compile",
            "if value is True or value is False:\n                return value",
            "if True:\n                return bool(value)",
        ),
    ),
    "undefined-is-null": (
        Edit("core.expressions.expression", "for name in self._required:", "for name in ():"),
        Edit(
            "core.expressions.compile",
            "return lambda variables, _now_ms, _budget: variables[name]",
            "return lambda variables, _now_ms, _budget: variables[name] if name in variables else None",
        ),
    ),
    "string-number-compare": (
        Edit(
            OPERATORS,
            'raise _misfit(symbol, "two numbers or two strings", left, right)',
            "return compare(str(left), str(right))",
        ),
    ),
    "string-number-compare+equal": (
        Edit(
            "core.expressions.values",
            "return kind in NUMBERS and type(right) in NUMBERS and left == right",
            "return str(left) == str(right)",
        ),
    ),
    "function-missing": (
        Edit(FUNCTIONS, '    Function("abs", ("x",), "the number without its sign", _of_number("abs", abs)),\n', ""),
    ),
    "function-missing+bytes": (
        Edit(FUNCTIONS, "return len(value)  #", "return len(value.encode() if type(value) is str else value)  #"),
    ),
    "function-missing+now": (Edit(FUNCTIONS, "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S"),),
    "expressions-evaluated-by-host": (
        Edit(
            "core.expressions.expression",
            "",
            """
class _Host(Expression):
    __slots__ = ()

    def __init__(self, source, *, coercion):
        self.source, self.names, self._coercion = source, frozenset(), coercion

    def evaluate(self, variables, now_ms, budget=None):
        text = self.source[2:-1] if self.source.startswith("${") else self.source
        return eval(text.replace("&&", " and ").replace("||", " or "), {"true": True}, dict(variables))

Expression = _Host
""",
        ),
    ),
    "templates-interpolated": (
        Edit(
            "core.expressions.template",
            '    if type(value) is not str or not value.startswith("${") or not value.endswith("}"):',
            """    if type(value) is str and "${" in value and not value.startswith("${"):
        head, _, rest = value.partition("${")
        return compile_expression(f'"{head}" + {rest.partition("}")[0]}')
    if type(value) is not str or not value.startswith("${") or not value.endswith("}"):""",
        ),
    ),
    "integers-rounded": (
        Edit(
            "core.variables",
            "        variables = _decode_map(data)\n",
            "        parsed = _decode_map(data)\n"
            "        variables = {name: raw_of(_rounded(_decode_any(raw))) for name, raw in parsed.items()}\n",
        ),
        Edit(
            "core.variables",
            "",
            """
def _rounded(value):
    if type(value) is list:
        return [_rounded(item) for item in value]
    if type(value) is dict:
        return {name: _rounded(item) for name, item in value.items()}
    return float(value) if type(value) is int else value
""",
        ),
    ),
    "integers-rounded+in-expressions": (
        Edit(
            OPERATORS,
            "return bounded_number(budget, left + right)",
            "return bounded_number(budget, float(left) + right)",
        ),
        Edit(OPERATORS, '_arithmetic("*", mul)', '_arithmetic("*", lambda left, right: float(left) * right)'),
    ),
    "integers-rounded+fraction-kept": (
        Edit(
            "core.variables",
            "return int(value) if value.is_integer() and abs(value) < EXACT_DOUBLE else value",
            "return value",
        ),
    ),
    "schema-coerces": (
        Edit(
            "core.io_schema",
            "return isinstance(value, (int, float)) and not isinstance(value, bool)",
            "return isinstance(value, (int, float)) or (isinstance(value, str) and value.isdigit())",
        ),
    ),
    "aggregate-as-float": (Edit(TABLE, '"C+": _aggregate(sum)', '"C+": _aggregate(lambda values: sum(values) + 0.5)'),),
    "aggregate-as-float+skips": (
        Edit(
            TABLE,
            "    for value in values:\n        if type(value) not in NUMBERS:",
            "    values = [value for value in values if type(value) in NUMBERS]\n"
            "    for value in values:\n        if False:",
        ),
    ),
    "aggregate-as-float+counts": (
        Edit(
            TABLE,
            "return dict.fromkeys(_columns(matches), len(matches))",
            "return dict.fromkeys(_columns(matches), len(matches) / 2)",
        ),
    ),
    "blank-cell-is-false": (
        Edit(
            "core.definition.outline",
            "tuple(cell for cell in stated if cell.value.strip()),",
            "tuple(cell if cell.value.strip() else cell._replace(value='false') for cell in stated),",
        ),
    ),
    "blank-cell-is-false+no-match-passes": (
        Edit(TABLE, "if not matched:", "if not matched:\n        return {}\n    if False:"),
    ),
    "cell-error-is-false": (
        Edit(
            TABLE,
            '            where = f"rule {index}, column {cell.column!r}"',
            "            return False\n            where = ''",
        ),
    ),
    "cell-error-is-false+outputs": (
        Edit(
            TABLE,
            '            where = f"rule {index}, output {column!r}"',
            "            outputs[column] = None\n            continue\n            where = ''",
        ),
    ),
    "collect-single-unwrapped": (
        Edit(
            TABLE,
            "return dict(_columns(matches))",
            "return dict(matches[0][1]) if len(matches) == 1 else dict(_columns(matches))",
        ),
    ),
    "table-any-unchecked": (Edit(TABLE, '"A": _agreed', '"A": _only'),),
    "table-first-takes-last": (
        Edit(TABLE, '"F": _only', '"F": lambda matches: dict(matches[-1][1])'),
        Edit(TABLE, '_NEEDED = {"F": 1}', "_NEEDED = {}"),
    ),
    "table-unique-takes-first": (Edit(TABLE, 'if policy == "U" and len(matched) > 1:', "if False:"),),
    "table-sees-own-outputs": (
        Edit(
            TABLE,
            "outputs[column] = value.evaluate(*given)",
            "outputs[column] = value.evaluate({**given.variables, **outputs}, *given[1:])",
        ),
    ),
    "table-sees-own-outputs+transformations": (
        Edit(
            "core.steps.transformation",
            "value.evaluate(view, run.now_ms, budget)",
            "value.evaluate({**view, **outputs}, run.now_ms, budget)",
        ),
    ),
    "table-any-unchecked+never-agrees": (Edit(TABLE, "if not _equal(column, values[0], value):", "if True:"),),
    "table-unique-takes-first+rule": (
        Edit(TABLE, "if _matches(rule, index, given):", "if True:"),
        Edit(TABLE, 'if policy == "U" and len(matched) > 1:', "if False:"),
    ),
}
