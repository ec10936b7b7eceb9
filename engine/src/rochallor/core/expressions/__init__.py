"""The expression language of definitions: text in, value out, nothing else touched.

`compile_expression` gives an `Expression`, whose `evaluate` takes the variables and the time. Text that is no
expression raises `ExpressionSyntaxError`, values that do not fit raise `ExpressionError`; nothing else ever
leaves this package. `template_of` says whether a value of a TRANSFORMATION or of a table output is an
expression or a literal.

Evaluations that are one piece of work share a `Budget`, which bounds what they may visit together.

grammar.lark → parse.py (tree) → compile.py (closures); operators.py and functions.py are the tables of the
language.
"""

from rochallor.core.expressions.budget import Budget, RunBudget
from rochallor.core.expressions.errors import ExpressionError, ExpressionSyntaxError
from rochallor.core.expressions.expression import Expression, compile_expression
from rochallor.core.expressions.template import template_of

__all__ = [
    "Budget",
    "Expression",
    "ExpressionError",
    "ExpressionSyntaxError",
    "RunBudget",
    "compile_expression",
    "template_of",
]
