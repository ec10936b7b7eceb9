"""What is kept from the garbage collector must not be able to hold on to itself, or it would never be freed."""

from __future__ import annotations

import enum
import importlib
import pkgutil
from collections.abc import Callable
from types import UnionType
from typing import Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
import rochallor
from msgspec import Raw
from rochallor.core.machine import Outcome

VALUES = (str, int, float, bool, bytes, Raw, type(None), enum.Enum)
HOLDERS = (dict, list, tuple, frozenset, Union, UnionType)
INSTANCE_LATER = "instance"
"""The name of the fields that are functions: they give an instance when asked, and know its JSON or the instance."""


def structs(kind=msgspec.Struct):
    for each in kind.__subclasses__():
        yield each
        yield from structs(each)


def unseen():
    """Return the engine's structs that the collector does not look at."""
    for module in pkgutil.walk_packages(rochallor.__path__, "rochallor."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return {each for each in structs() if each.__module__.startswith("rochallor.") and not each.__struct_config__.gc}


def open_ends(hint):
    """Return the parts of a type that may hold more than values, or structs that are looked at like this one."""
    kind = get_origin(hint) or hint
    if hint is Ellipsis or kind is Literal or isinstance(hint, TypeVar):
        return []
    if kind in HOLDERS:
        return [end for part in get_args(hint) for end in open_ends(part)]
    known = isinstance(kind, type) and (
        issubclass(kind, VALUES) or (issubclass(kind, msgspec.Struct) and not kind.__struct_config__.gc)
    )
    return [] if known else [hint]


def test_only_values_are_kept_from_the_collector():
    """Their fields are values, structs of the same sort, and holders of these: none can lead back to its struct."""
    found = {
        f"{kind.__name__}.{name}": open_ends(hint)
        for kind in unseen()
        for name, hint in get_type_hints(kind).items()
        if not (name == INSTANCE_LATER and get_origin(hint) is Callable)
    }
    assert len(found) > 100
    assert {name: ends for name, ends in found.items() if ends} == {}


def test_what_may_hold_an_error_is_left_to_the_collector():
    """An outcome may carry an error, which has its traceback, and that has the frame in which the outcome is named."""
    assert Outcome.__struct_config__.gc
