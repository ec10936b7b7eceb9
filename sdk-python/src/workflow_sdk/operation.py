"""What one operation of the contract is: its REST half, its gRPC half, how its answer is read, when it is repeated.

The rows are in `operations`. It would break if anything in here opened a connection.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, urlencode

from workflow_sdk.errors import InvalidVariables
from workflow_sdk.json_types import is_dict, is_list

Args = Mapping[str, Any]

Repeat = Literal["freely", "unless-sent", "by-worker"]
"""When a client sends a call again by itself.

`freely`: whenever it may pass the next time, because twice is the same as once. `unless-sent`: only when the first one
provably did nothing. `by-worker`: never, because a worker has rules of its own for these calls and must be able to stop
between two of them.
"""


@dataclass(frozen=True)
class Param:
    """One argument and where it travels.

    Args:
        arg: the argument's name in Python.
        where: `path`, `query`, `body`, `whole-body` or `revision` (an If-Match header).
        rest: its name in REST when that is not the argument in camelCase.
        proto: its field in the gRPC request when that is not the argument.

    """

    arg: str
    where: str
    rest: str = ""
    proto: str = ""

    @cached_property
    def rest_name(self) -> str:
        """Name of the JSON field or query key."""
        return self.rest or camel(self.arg)

    @cached_property
    def proto_name(self) -> str:
        """Name of the field in the gRPC request."""
        return self.proto or self.arg


class RestRequest(NamedTuple):
    """What to send; the client adds the base URL and a timeout."""

    method: str
    target: str
    headers: dict[str, str]
    content: bytes | None


@dataclass(frozen=True)
class Operation:
    """One operation.

    Args:
        name: the method's name on every client.
        method, path: REST; braces in the path name path parameters.
        rpc: gRPC method; empty where gRPC has none.
        params: the arguments.
        read: turns the answer's JSON into the result; both generations of answers are read here.
        repeat: when a client may send it again by itself, see `Repeat`.
        ours: True for what engines of the first generation do not know.
        stream: True when the answer is a stream of events and not one value.
        unwrap: the field of the gRPC response that REST answers bare, empty when they match.
        items: the field of the gRPC response that REST calls `items`, empty when there is none.

    """

    name: str
    method: str
    path: str
    rpc: str
    params: tuple[Param, ...]
    read: Callable[[Any, Args], Any]
    repeat: Repeat
    ours: bool = False
    stream: bool = False
    unwrap: str = ""
    items: str = ""

    @cached_property
    def _has_fields(self) -> bool:
        return any(param.where == "body" for param in self.params)

    def rest_request(self, args: Args) -> RestRequest:
        """Return the REST request for these arguments. None and empty text mean absent and are not sent.

        Raises:
            InvalidVariables: something in the body is not JSON.

        """
        path = self.path
        query: dict[str, Any] = {}
        headers: dict[str, str] = {}
        body: Any = {} if self._has_fields else None
        for param in self.params:
            value = args.get(param.arg)
            if param.where == "path":
                path = path.replace("{" + param.arg + "}", quote(str(value), safe=""))
            elif param.where == "whole-body":
                body = {} if value is None else value
            elif value is None or value in ("", []):
                continue
            elif param.where == "query":
                query[param.rest_name] = value
            elif param.where == "revision":
                headers["If-Match"] = f'"{value}"'
            else:
                body[param.rest_name] = value
        target = f"{path}?{urlencode(query, doseq=True)}" if query else path
        return RestRequest(self.method, target, headers, None if body is None else to_json(body))


TOO_DEEP = "nested too deeply; flatten it"

# json.dumps would build an encoder for every call.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def camel(name: str) -> str:
    """Return `definition_id` as `definitionId`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def to_json(value: object) -> bytes:
    """Return JSON text.

    Raises:
        InvalidVariables: the value is not JSON (NaN and infinities are not), or nested too deeply to be written.

    """
    try:
        return _encode(value).encode()
    except RecursionError:
        raise InvalidVariables(f"cannot be sent as JSON: {TOO_DEEP}") from None
    except (TypeError, ValueError) as error:
        # UnicodeEncodeError (a lone surrogate) is a ValueError whose text quotes the value.
        reason = "text that is not Unicode" if isinstance(error, UnicodeError) else str(error)
        raise InvalidVariables(_first_problem(value) or f"cannot be sent as JSON: {reason}") from None


def _first_problem(value: object) -> str:
    """Return where the first thing is that JSON cannot say, and what it is; empty when it is not so simple."""
    left, seen = [("", value)], set[int]()
    while left:
        at, each = left.pop()
        if isinstance(each, float) and not math.isfinite(each):
            return f"{at or '/'}: NaN and infinities are not JSON"
        if each is None or isinstance(each, (str, int, float)) or id(each) in seen:
            continue
        seen.add(id(each))  # what contains itself must not keep us here
        if is_dict(each):
            left += [(f"{at}/{key}", part) for key, part in reversed(each.items())]
        elif is_list(each):
            left += [(f"{at}/{index}", part) for index, part in reversed([*enumerate(each)])]
        else:
            return f"{at or '/'}: a {type(each).__name__} is not JSON"
    return ""


def wait_seconds(args: Args) -> float:
    """Return for how long these arguments ask the engine to hold the call, which no timeout may cut short."""
    poll: Args = args.get("poll") or {}
    return max(args.get("wait_ms") or 0, poll.get("waitMs") or 0) / 1000
