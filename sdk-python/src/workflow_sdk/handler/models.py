"""Types that variables are decoded into, and what is said when they do not fit: the place, never the value.

Four kinds: dataclass, TypedDict and msgspec.Struct are converted by msgspec; pydantic models validate themselves.
Pydantic is recognised by what its classes carry and is never imported here. Messages end up in the engine's history, so
what a library says about a value is passed on only where it cannot quote it.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

import msgspec

from workflow_sdk.errors import NonRetryableError

Decode = Callable[[dict[str, Any]], Any]

INVALID_INPUT = "invalid-input"
_LISTED_AT_MOST = 10
_REFUSED = "is refused by a check of the type itself"
_NOT_A_CHOICE = "is none of the allowed values"
# Errors of pydantic with one of these in their context quote the value, or pass on the words of a validator.
_PYDANTIC_QUOTES = frozenset({"error", "tag"})
_PLACE = re.compile(r" - at (?:`key` in )?`\$([^`]*)`\Z")
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_MISSING = re.compile(r"Object (?:missing required|contains unknown) field `([^`]*)`")


def is_model(kind: Any) -> bool:
    """Return whether variables can be decoded into this type."""
    kind = typing.get_origin(kind) or kind
    return _is_class(kind) and (
        is_pydantic(kind) or dataclasses.is_dataclass(kind) or issubclass(kind, msgspec.Struct) or is_typed_dict(kind)
    )


def is_pydantic(kind: Any) -> bool:
    """Return whether it is a pydantic model or pydantic dataclass."""
    return _is_class(kind) and hasattr(kind, "__pydantic_fields__")


def is_typed_dict(kind: Any) -> bool:
    """Return whether it is a TypedDict, of `typing` or of `typing_extensions`."""
    return _is_class(kind) and dict in kind.__mro__ and hasattr(kind, "__required_keys__")


def is_mapping(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether it can be a result: variables by name."""
    return isinstance(value, Mapping)


def _is_class(kind: object) -> TypeGuard[type[Any]]:
    return isinstance(kind, type)


def members_of(kind: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the type alone."""
    return typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)


def name_of(kind: Any) -> str:
    """Return how to call a type in a sentence."""
    return getattr(kind, "__name__", None) or str(kind).replace("typing.", "")


def decoder_of(kind: Any) -> Decode:
    """Compile the decoder of a model.

    Raises:
        TypeError: a field has a type that JSON cannot fill; the sentence names it.

    """
    if is_pydantic(typing.get_origin(kind) or kind):
        return _pydantic_decoder(kind)
    _refuse_unknown_types(kind)

    def decode(variables: dict[str, Any]) -> Any:
        try:
            return msgspec.convert(variables, kind)
        except msgspec.ValidationError as error:
            problem = _msgspec_problem(error)
        raise invalid_input(kind, [problem])

    return decode


def invalid_input(kind: Any, problems: list[tuple[str, str]]) -> NonRetryableError:
    """Return the error for variables that do not fit: one `{pointer, message}` per problem among its details."""
    said = "; ".join(f"{pointer or '/'}: {message}" for pointer, message in problems[:_LISTED_AT_MOST])
    return NonRetryableError(
        f"the variables do not fit {name_of(kind)}: {said}",
        code=INVALID_INPUT,
        details=[{"pointer": pointer, "message": message} for pointer, message in problems],
    )


def to_plain(value: Any) -> Any:
    """Return a value as JSON builtins: models become dicts; dates, UUIDs, decimals and enums their JSON form.

    Raises:
        TypeError: something in it has no JSON form.

    """
    return msgspec.to_builtins(value, enc_hook=_plain)


def _plain(value: object) -> Any:
    serializer = getattr(type(value), "__pydantic_serializer__", None)
    if serializer is not None:
        return serializer.to_python(value, mode="json", by_alias=True)
    if is_mapping(value):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} has no JSON form")


def _refuse_unknown_types(kind: Any) -> None:
    try:
        msgspec.json.Decoder(kind)  # refuses unions that JSON cannot tell apart, and annotations that name nothing
        described = msgspec.inspect.type_info(kind)
    except NameError as error:
        message = f"{name_of(kind)} names the type {error.name!r}, which cannot be found from its module. "
        raise TypeError(f"{message}Define it there, at the top level") from None
    except TypeError as error:
        raise TypeError(f"{name_of(kind)} cannot be read from JSON: {error}") from None
    _refuse_custom(kind, described, set())


def _refuse_custom(kind: Any, described: Any, seen: set[int]) -> None:
    for field in getattr(described, "fields", ()):
        for part in _parts(field.type):
            if isinstance(part, msgspec.inspect.CustomType):
                message = f"{name_of(kind)}.{field.name} is a {name_of(part.cls)}, which JSON cannot fill. "
                raise TypeError(f"{message}Use JSON types, dates, enums or another model")
            if id(part) not in seen and hasattr(part, "fields"):
                seen.add(id(part))
                _refuse_custom(part.cls, part, seen)


def _parts(described: Any) -> list[Any]:
    """Return a described type and everything it is made of, models not opened."""
    inner = [getattr(described, name, None) for name in ("type", "item_type", "key_type", "value_type")]
    nested = [*inner, *getattr(described, "types", ()), *getattr(described, "item_types", ())]
    return [described, *(part for each in nested if each is not None for part in _parts(each))]


def _msgspec_problem(error: msgspec.ValidationError) -> tuple[str, str]:
    text = str(error)
    place = _PLACE.search(text)
    pointer = "".join(f"/{name or index}" for name, index in _STEP.findall(place[1] if place else ""))
    message = _PLACE.sub("", text)
    named = _MISSING.match(message)
    if named:
        return f"{pointer}/{named[1]}", "is missing" if "missing" in message else "is not a field"
    if error.__cause__ is not None:
        return pointer, _REFUSED
    if message.startswith("Invalid") and "value" in message:
        return pointer, _NOT_A_CHOICE
    return pointer, _as_clause(message)


def _as_clause(message: str) -> str:
    return (message[:1].lower() + message[1:]).replace("`", "")


def _pydantic_decoder(kind: Any) -> Decode:
    complete = getattr(kind, "__pydantic_complete__", True)
    if not complete:
        message = f"{name_of(kind)} names types that pydantic cannot find yet. Define them first, or call "
        raise TypeError(f"{message}{name_of(kind)}.model_rebuild() before the handler is registered")
    validate = kind.__pydantic_validator__.validate_python

    def decode(variables: dict[str, Any]) -> Any:
        try:
            return validate(variables)
        except ValueError as error:
            problems = _pydantic_problems(error)
        raise invalid_input(kind, problems)

    return decode


def _pydantic_problems(error: Any) -> list[tuple[str, str]]:
    try:
        listed = error.errors(include_url=False, include_input=False)
    except AttributeError:
        return [("", _REFUSED)]
    return [("".join(f"/{part}" for part in each["loc"]), _pydantic_message(each)) for each in listed]


def _pydantic_message(problem: Mapping[str, Any]) -> str:
    from pydantic_core import core_schema  # noqa: PLC0415 - there is a pydantic model, so it is loaded already

    if problem["type"] not in typing.get_args(core_schema.ErrorType) or problem["type"].endswith("_error"):
        return _REFUSED
    if _PYDANTIC_QUOTES & problem.get("ctx", {}).keys():
        return f"is not valid ({problem['type']})"
    return _as_clause(problem["msg"])
