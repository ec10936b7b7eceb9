"""JSON values to and from protobuf's Struct and Value, by hand.

Written out because the library's way is several times slower and because whole numbers must come back as integers: a
Struct knows only doubles. A number that a double would change is refused instead of being rounded in silence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from workflow_sdk.errors import InvalidVariables
from workflow_sdk.json_types import is_object

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Struct, Value

EXACT = 2**53  # the first integer beyond which doubles have gaps


def fill_struct(struct: Struct, values: Mapping[Any, Any], at: str = "") -> None:
    """Put a JSON object into a Struct. `at` is the JSON pointer of the object, for messages.

    Raises:
        InvalidVariables: a name or a value is not JSON, or an integer is too large to survive.

    """
    fields = struct.fields
    for key, value in values.items():
        if not isinstance(key, str):
            raise InvalidVariables(f"{at or '/'}: names of variables are text, not {type(key).__name__}")
        fill_value(fields[key], value, f"{at}/{key}")


def fill_value(target: Value, value: Any, at: str) -> None:
    """Put any JSON value into a Value."""
    if value is None:
        target.null_value = 0  # type: ignore[assignment]  # the enum has one member, zero
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, (int, float)):
        target.number_value = _exact(value, at)
    elif isinstance(value, str):
        target.string_value = value
    elif is_object(value):
        target.struct_value.SetInParent()
        fill_struct(target.struct_value, value, at)
    elif _is_list(value):
        target.list_value.SetInParent()
        for index, item in enumerate(value):
            fill_value(target.list_value.values.add(), item, f"{at}/{index}")
    else:
        raise InvalidVariables(f"{at}: a {type(value).__name__} is not JSON")


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    # More than `is_list` takes: whatever the caller has in rows. A list is told at once, the rest is looked up.
    return isinstance(value, (list, Sequence)) and not isinstance(value, (bytes, bytearray))


def _exact(value: float, at: str) -> float:
    if isinstance(value, int) and abs(value) > EXACT:
        raise InvalidVariables(f"{at}: an integer beyond 2^53 would be rounded on its way over gRPC; use REST")
    if not math.isfinite(value):
        raise InvalidVariables(f"{at}: NaN and infinities are not JSON")
    return float(value)


def struct_to_json(struct: Struct) -> dict[str, Any]:
    """Return a Struct as a JSON object."""
    return {key: value_to_json(value) for key, value in struct.fields.items()}


def value_to_json(value: Value) -> Any:
    """Return a Value as JSON; whole numbers below 2^53 become integers."""
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) < EXACT else number
    if kind == "struct_value":
        return struct_to_json(value.struct_value)
    if kind == "list_value":
        return [value_to_json(item) for item in value.list_value.values]
    return None if kind in (None, "null_value") else getattr(value, kind)
