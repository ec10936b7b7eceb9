"""The engine's rules for definitions, checked without an engine.

The SDK and the engine share no code, so the rules stand here a second time, and a test runs both over some thousand
definitions, good and broken, and compares codes and pointers. What only an engine can know is left to it:

- whether `nextWorkflowId` names a definition that is uploaded (`NEXT_WORKFLOW_UNKNOWN`);
- all of an expression's grammar: here `EXPR_SYNTAX` finds empty ones, brackets and strings that do not close, and
  characters that belong to no expression, so an engine may find more;
- keys that a JSON text has twice, which a Python dict cannot have;
- limits that an operator set differently, and that a list of problems ends after 500 (`MORE_PROBLEMS`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from workflow_sdk.definition.problems import Problem
from workflow_sdk.definition.rules.document import document_problems, too_large
from workflow_sdk.definition.rules.graph import graph_problems
from workflow_sdk.definition.rules.outline import read_outline
from workflow_sdk.definition.rules.steps import step_problems
from workflow_sdk.definition.rules.values import value_problems
from workflow_sdk.definition.rules.whole import whole_problems


def problems_of(document: Mapping[str, Any]) -> list[Problem]:
    """Return everything that is wrong with the JSON of a definition, all at once."""
    return list(_problems(document))


def _problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    unreadable = list(document_problems(document))
    yield from unreadable
    if unreadable:
        return
    large = too_large(document)
    if large:
        yield large
        return
    outline = read_outline(document)
    yield from outline.problems
    yield from whole_problems(outline)
    yield from graph_problems(outline)
    for step in outline.steps:
        yield from step_problems(step)
    yield from value_problems(outline)
