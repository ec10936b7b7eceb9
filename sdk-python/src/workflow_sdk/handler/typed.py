"""Which parameter of a handler gets what, decided once, when it is registered, by annotation and never by name.

| annotation | gets |
|---|---|
| `JobContext`, `dict`, `Mapping`, `Any`, none at all | the job's context |
| a dataclass, TypedDict, msgspec.Struct or pydantic model | the job's variables, decoded |
| the same with `| None` or a default | the same; None or the default when the job has no variables at all |

Anything else is refused here with a sentence, so that a slip shows when the worker starts and not when a job comes.
"""

from __future__ import annotations

import collections.abc
import inspect
import re
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from workflow_sdk.handler import models
from workflow_sdk.handler.annotations import EMPTY, Signature, Unresolved, signature_of
from workflow_sdk.handler.context import JOB_KEYS, JobContext

Source = Callable[[JobContext], Any]
"""Makes one argument from the context."""

_CONTEXT_TYPES = (JobContext, dict, collections.abc.Mapping, collections.abc.MutableMapping, Any, object, EMPTY)
_CONTEXT_TEXT = re.compile(r"(?:\w+\.)*(?:JobContext|[Dd]ict|(?:Mutable)?Mapping|Any)\b")
_NO_RESULT = (int, float, bool, str, bytes, list, tuple, set)
_BY_POSITION = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
)


@dataclass(frozen=True)
class Arguments:
    """What a handler is called with."""

    positional: tuple[Source, ...]
    named: tuple[tuple[str, Source], ...] = ()

    def call(self, handler: Callable[..., Any], ctx: JobContext) -> Any:
        """Call the handler and return what it returns, a coroutine too.

        Raises:
            NonRetryableError: the variables do not fit a model; code `invalid-input`.

        """
        if self is ONLY_CONTEXT:
            return handler(ctx)
        args = [make(ctx) for make in self.positional]
        return handler(*args, **{name: make(ctx) for name, make in self.named})


def the_context(ctx: JobContext) -> JobContext:
    """Return the context itself: the source of most arguments."""
    return ctx


ONLY_CONTEXT = Arguments((the_context,))


def arguments_of(job_type: str, handler: Callable[..., Any]) -> Arguments:
    """Decide what the handler is called with, and compile the decoders.

    Raises:
        TypeError: a parameter asks for something that a job does not have.

    """
    signature = signature_of(handler)
    if signature is None:
        return ONLY_CONTEXT
    _check_result(job_type, signature.returns)
    positional: list[Source] = []
    named: list[tuple[str, Source]] = []
    skipped = False
    for parameter, source in _sources(job_type, signature):
        if source is None:
            skipped = True
        elif parameter.kind in _BY_POSITION and not skipped:
            positional.append(source)
        else:
            named.append((parameter.name, source))
    only_context = positional == [the_context] and not named
    return ONLY_CONTEXT if only_context else Arguments(tuple(positional), tuple(named))


def _sources(job_type: str, signature: Signature) -> Iterator[tuple[inspect.Parameter, Source | None]]:
    """Yield each parameter with what fills it, None for one that is left to its default."""
    first = True
    untyped = 0
    for parameter in signature.parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            yield from [(parameter, the_context)] if first else []
            continue
        annotation = signature.annotations[parameter.name]
        optional = parameter.default is not EMPTY
        if annotation is EMPTY and (not first or parameter.kind is parameter.KEYWORD_ONLY) and optional:
            yield parameter, None
            continue
        untyped += annotation is EMPTY
        if untyped > 1:
            raise _refusal(job_type, parameter, "has no annotation, so nobody knows what to give it")
        yield parameter, _source(job_type, parameter, annotation)
        first = False


def _source(job_type: str, parameter: inspect.Parameter, annotation: Any) -> Source | None:
    if isinstance(annotation, Unresolved):
        if _CONTEXT_TEXT.match(annotation.text):  # such as `dict[str, Any]` whose Any is imported for the checker only
            return the_context
        missing = annotation.missing or annotation.text
        message = f"is annotated {annotation.text!r}, and {missing!r} cannot be found when the program runs"
        raise _refusal(job_type, parameter, message + " (imported under TYPE_CHECKING, or defined later?)")
    members = [_bare(member) for member in models.members_of(_bare(annotation))]
    wanted = [member for member in members if member is not type(None)]
    if any(_is_context(member) for member in wanted):
        return the_context
    if wanted and all(models.is_model(member) for member in wanted):
        return _model_source(job_type, parameter, annotation, wanted)
    if parameter.default is not EMPTY:
        return None
    raise _refusal(job_type, parameter, f"is annotated {models.name_of(annotation)}, which a job does not have")


def _model_source(job_type: str, parameter: inspect.Parameter, annotation: Any, wanted: list[Any]) -> Source:
    several = len(wanted) > 1
    if several and any(models.is_pydantic(member) for member in wanted):
        raise _refusal(job_type, parameter, "is a union of pydantic models; annotate a RootModel of the union")
    try:
        decode = models.decoder_of(annotation if several else wanted[0])
    except TypeError as error:
        raise _refusal(job_type, parameter, f"cannot be decoded: {error}") from error
    may_be_none = type(None) in models.members_of(_bare(annotation))
    if parameter.default is EMPTY and not may_be_none:
        return lambda ctx: decode(ctx.variables)
    absent = None if parameter.default is EMPTY else parameter.default
    return lambda ctx: decode(ctx.variables) if ctx.variables else absent


def _bare(annotation: Any) -> Any:
    """Return the type behind Annotated, NewType and `type X = ...`."""
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation


def _is_context(kind: Any) -> bool:
    kind = typing.get_origin(kind) or kind
    if any(kind is each for each in _CONTEXT_TYPES):
        return True
    # A TypedDict that describes the job itself, as code for a plain dict may have written it.
    keys = frozenset(getattr(kind, "__annotations__", ()))
    return models.is_typed_dict(kind) and {"variables"} < keys <= JOB_KEYS


def _check_result(job_type: str, returns: Any) -> None:
    kind = typing.get_origin(_bare(returns)) or _bare(returns)
    if any(kind is each for each in _NO_RESULT):
        message = f"the handler for {job_type!r} returns {models.name_of(returns)}"
        raise TypeError(f"{message}; return a dict of variables, a model of them, or None")


def _refusal(job_type: str, parameter: inspect.Parameter, reason: str) -> TypeError:
    return TypeError(
        f"the handler for {job_type!r}: parameter {parameter.name!r} {reason}. Annotate it JobContext (or dict) "
        "for the job, or with a dataclass, TypedDict, msgspec.Struct or pydantic model for the variables"
    )
