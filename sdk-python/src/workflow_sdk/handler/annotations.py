"""What a handler's parameters are annotated with, as real types: strings are evaluated where they were written.

Reading a signature belongs here, judging it does not. A handler may be a function, a bound method, a partial, an object
with `__call__` or a mock, and its annotations may be text (`from __future__ import annotations`) that names types of a
function still running, so names are looked for in the closure and in the frames that enclose the definition.
"""

from __future__ import annotations

import functools
import inspect
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType, SimpleNamespace
from typing import Any

EMPTY = inspect.Parameter.empty
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True)
class Unresolved:
    """An annotation whose text names something that cannot be found."""

    text: str
    missing: str


@dataclass(frozen=True)
class Signature:
    """The parameters in order, and what each and the result are annotated with; `EMPTY` where nothing is written."""

    parameters: tuple[inspect.Parameter, ...]
    annotations: Mapping[str, Any]
    returns: Any


def is_async(handler: Callable[..., Any]) -> bool:
    """Return whether calling the handler gives a coroutine, as far as can be told without calling it."""
    if inspect.iscoroutinefunction(handler):
        return True
    return inspect.iscoroutinefunction(_call_of(_without_partials(handler)))


def signature_of(handler: Callable[..., Any]) -> Signature | None:
    """Return the handler's signature, None for a callable that has none to show (some builtins)."""
    try:
        shown = inspect.signature(handler, follow_wrapped=False)
        if _takes_anything(shown) and hasattr(handler, "__wrapped__"):
            shown = inspect.signature(handler)
    except (TypeError, ValueError):
        return None
    names = _Names(_function_of(handler))
    parameters = tuple(shown.parameters.values())
    annotations = {each.name: names.resolve(each.annotation) for each in parameters}
    return Signature(parameters, annotations, names.resolve(shown.return_annotation))


def _takes_anything(shown: inspect.Signature) -> bool:
    return all(each.kind in _VARIADIC for each in shown.parameters.values())


def _without_partials(handler: Callable[..., Any]) -> Any:
    found: Any = handler
    while isinstance(found, functools.partial):
        found = found.func
    return found


def _call_of(handler: object) -> Any:
    """Return what runs when an object is called."""
    return inspect.getattr_static(type(handler), "__call__", None)


def _function_of(handler: Callable[..., Any]) -> Any:
    """Return the function that holds the annotations: of a partial, a method, an object with `__call__`, a wrapper."""
    found = _without_partials(handler)
    if not hasattr(found, "__code__") and not hasattr(found, "__func__"):
        found = _call_of(found)
    return inspect.unwrap(getattr(found, "__func__", found))


class _Names:
    """The names a function's annotations may use."""

    def __init__(self, function: Any) -> None:
        self._globals: dict[str, Any] = {}
        self._locals: dict[str, Any] = {}
        if isinstance(function, FunctionType):  # a mock pretends to have every attribute of one
            self._globals = function.__globals__
            self._locals = {**_enclosing(function), **_closure(function)}

    def resolve(self, annotation: Any) -> Any:
        """Return the type an annotation stands for."""
        if annotation is EMPTY or not _has_text(annotation):
            return annotation
        holder = SimpleNamespace(__annotations__={"it": annotation})
        try:
            return typing.get_type_hints(holder, self._globals, self._locals, include_extras=True)["it"]
        except NameError as error:
            return Unresolved(str(annotation), error.name or "")
        except Exception:  # noqa: BLE001 - any text can stand as an annotation; what cannot be read means nothing
            return Unresolved(str(annotation), "")


def _has_text(annotation: Any) -> bool:
    """Return whether an annotation is text or holds some, as `"Loan"` and `Optional["Loan"]` do."""
    if isinstance(annotation, (str, typing.ForwardRef)):
        return True
    return any(_has_text(part) for part in typing.get_args(annotation))


def _closure(function: FunctionType) -> dict[str, Any]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return {name: cell.cell_contents for name, cell in cells if _is_filled(cell)}


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - an empty cell raises on being looked at
    except ValueError:
        return False
    return True


def _enclosing(function: FunctionType) -> dict[str, Any]:
    """Return what is visible to a local function's annotations: the variables of the functions it is defined in."""
    scopes = function.__qualname__.split(".")[:-1]
    if "<locals>" not in scopes:
        return {}
    found: dict[str, Any] = {}
    for frame in _callers():
        if frame.f_globals is function.__globals__ and frame.f_code.co_name in scopes:
            found = {**frame.f_locals, **found}  # the inner scope hides the outer
    return found


def _callers() -> Iterator[Any]:
    # The only way to the types of a function that is still running.
    frame = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        yield frame
        frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
