"""Decision tables at run time: which rules match, and what the hit policy makes of their outputs.

Everything is read from the variables as they were before the step, so neither the order of outputs nor a rule's
result can influence another rule. All cells and outputs share one work budget, so that a table of many cells is no
way round it. What each policy does is one row of `POLICIES`; adding a policy is adding a row. Whether a table makes
sense at all was settled when its definition was uploaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from rochallor.core.definition.model import DecisionTable, Rule
from rochallor.core.errors import RoutingFailure
from rochallor.core.expressions import Budget, ExpressionError
from rochallor.core.expressions.values import NUMBERS, bounded_number, same, type_name

Match = tuple[int, Mapping[str, object]]
"""The 0-based index of a rule that matched, and its evaluated outputs."""


class _Given(NamedTuple):
    """What every cell and output is evaluated with."""

    variables: Mapping[str, object]
    now_ms: int
    budget: Budget


Policy = Callable[[Sequence[Match]], dict[str, object]]


def evaluate_table(
    table: DecisionTable,
    policy: str,
    variables: Mapping[str, object],
    now_ms: int,
    budget: Budget | None = None,
) -> dict[str, object]:
    """Evaluate a table within a work budget; returns the variables it sets (decoded JSON values).

    Raises `RoutingFailure` with one of the words DecisionTableNoRuleMatched, DecisionTableUniqueViolation,
    DecisionTableAnyConflict, DecisionTableCellError, DecisionTableOutputError, DecisionTableAggregatorTypeError.
    """
    given = _Given(variables, now_ms, budget or Budget())
    matched = _matching(table, given, at_most=_NEEDED.get(policy))
    if not matched:
        raise RoutingFailure(
            "DecisionTableNoRuleMatched",
            f"none of the {len(table.rules)} rules matched; add a last rule with an empty `when`",
        )
    if policy == "U" and len(matched) > 1:
        indices = ", ".join(str(index) for index in matched)
        raise RoutingFailure(
            "DecisionTableUniqueViolation",
            f"rules {indices} matched and hit policy U allows one; tell them apart, or use hit policy F",
        )
    return POLICIES[policy]([(index, _outputs(table, index, given)) for index in matched])


def _matching(table: DecisionTable, given: _Given, *, at_most: int | None) -> list[int]:
    matched: list[int] = []
    for index, rule in enumerate(table.rules):
        if _matches(rule, index, given):
            matched.append(index)
            if len(matched) == at_most:
                break
    return matched


def _matches(rule: Rule, index: int, given: _Given) -> bool:
    for cell in rule.when:
        try:
            if not cell.expression.holds(*given):
                return False
        except ExpressionError as error:
            where = f"rule {index}, column {cell.column!r}"
            raise RoutingFailure("DecisionTableCellError", f"{where}: {error}") from error
    return True


def _outputs(table: DecisionTable, index: int, given: _Given) -> dict[str, object]:
    outputs: dict[str, object] = {}
    for column, value in table.rules[index].outputs:
        try:
            outputs[column] = value.evaluate(*given)
        except ExpressionError as error:
            where = f"rule {index}, output {column!r}"
            raise RoutingFailure("DecisionTableOutputError", f"{where}: {error}") from error
    return outputs


def _only(matches: Sequence[Match]) -> dict[str, object]:
    return dict(matches[0][1])


def _agreed(matches: Sequence[Match]) -> dict[str, object]:
    (first, _), *others = matches
    columns = _columns(matches)
    for column, values in columns.items():
        for (index, _), value in zip(others, values[1:], strict=True):
            if not _equal(column, values[0], value):
                raise RoutingFailure(
                    "DecisionTableAnyConflict",
                    f"rules {first} and {index} matched and disagree on {column!r}; make their outputs equal",
                )
    return {column: values[0] for column, values in columns.items()}


def _equal(column: str, left: object, right: object) -> bool:
    """Compare two outputs; a budget each is enough, as no more is visited than was charged when they were made."""
    try:
        return same(Budget(), left, right)
    except ExpressionError as error:
        raise RoutingFailure("DecisionTableOutputError", f"output {column!r}: {error}") from error


def _lists(matches: Sequence[Match]) -> dict[str, object]:
    return dict(_columns(matches))


def _count(matches: Sequence[Match]) -> dict[str, object]:
    return dict.fromkeys(_columns(matches), len(matches))


def _aggregate(fold: Callable[[list[Any]], float]) -> Policy:
    def policy(matches: Sequence[Match]) -> dict[str, object]:
        return {column: _folded(fold, column, values) for column, values in _columns(matches).items()}

    return policy


def _folded(fold: Callable[[list[Any]], float], column: str, values: list[object]) -> object:
    for value in values:
        if type(value) not in NUMBERS:
            raise RoutingFailure(
                "DecisionTableAggregatorTypeError",
                f"output {column!r} has {type_name(value)} among its values; every matched rule must give a number",
            )
    try:
        return bounded_number(Budget(), fold(values))
    except (ExpressionError, OverflowError) as error:
        message = f"output {column!r} is too large for a number"
        raise RoutingFailure("DecisionTableAggregatorTypeError", message) from error


def _columns(matches: Sequence[Match]) -> dict[str, list[object]]:
    """Per output column of the matched rules, the values in rule order; null where a rule lacks it."""
    names = dict.fromkeys(name for _, outputs in matches for name in outputs)
    return {name: [outputs.get(name) for _, outputs in matches] for name in names}


POLICIES: Mapping[str, Policy] = {
    "U": _only,
    "F": _only,
    "A": _agreed,
    "R": _lists,
    "C": _lists,
    "C#": _count,
    "C+": _aggregate(sum),
    "C>": _aggregate(max),
    "C<": _aggregate(min),
}
_NEEDED = {"F": 1}
"""Policies that are settled after so many matches; cells of later rules are not evaluated."""
