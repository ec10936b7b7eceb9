"""`Expression`: a compiled expression, and the cache that makes compiling it again free."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from rochallor.core.expressions.budget import Budget
from rochallor.core.expressions.coercion import as_boolean
from rochallor.core.expressions.compile import compile_source
from rochallor.core.expressions.errors import ExpressionError
from rochallor.core.expressions.values import WRITTEN, charge_whole, type_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_CACHED: Final = 4_096  # expressions; a definition of 2,000 steps has about as many
_SHOWN: Final = 80  # characters of the source in an error


class Expression:
    """A compiled expression. Evaluating it is pure: the same variables and time give the same value."""

    __slots__ = ("_coercion", "_required", "_run", "names", "source")

    def __init__(self, source: str, *, coercion: bool) -> None:
        compiled = compile_source(source, coercion=coercion)
        self.source: Final = source
        self.names: Final = compiled.names
        """All variables the expression reads, whether or not they must be defined."""
        self._required: Final = compiled.required
        self._run: Final = compiled.run
        self._coercion: Final = coercion

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"

    def evaluate(self, variables: Mapping[str, object], now_ms: int, budget: Budget | None = None) -> object:
        """Return the value for `variables` (JSON values) at `now_ms` (since the epoch, UTC).

        `budget` is what several evaluations share; without it this one has its own. Raises `ExpressionError` for an
        undefined variable, a wrong type, a result that is too large, or a budget used up.
        """
        for name in self._required:
            if name not in variables:
                raise self._failure(
                    f"the variable `{name}` is not defined; set it before this step, or write `{name} ?? …`"
                )
        try:
            if budget is None:
                budget = Budget()
            value = self._run(variables, now_ms, budget)
            if type(value) in WRITTEN:
                charge_whole(budget, value)
        except ExpressionError as error:
            raise self._failure(str(error)) from None
        except RecursionError:
            raise self._failure("the values are nested too deeply to compare") from None
        except (OverflowError, ValueError):
            raise self._failure("a number or the time is out of range") from None
        return value

    def holds(self, variables: Mapping[str, object], now_ms: int, budget: Budget | None = None) -> bool:
        """Return the value of a condition; raises `ExpressionError` also when it is no boolean."""
        value = self.evaluate(variables, now_ms, budget)
        truth = as_boolean(value) if self._coercion else value
        if truth is True or truth is False:
            return truth
        raise self._failure(f"a condition must be a boolean, not {type_name(value)}")

    def _failure(self, sentence: str) -> ExpressionError:
        shown = self.source if len(self.source) <= _SHOWN else f"{self.source[:_SHOWN]}…"
        return ExpressionError(f"{sentence}, in: {shown}")


@lru_cache(maxsize=_CACHED)
def _compiled(source: str, coercion: bool) -> Expression:
    return Expression(source, coercion=coercion)


def compile_expression(source: str, *, coercion: bool = False) -> Expression:
    """Return the compiled `source`, from the cache when it was compiled before.

    Raises `ExpressionSyntaxError` with a sentence, the place and what was expected.
    """
    return _compiled(source, coercion)
