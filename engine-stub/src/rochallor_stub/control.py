"""Control calls: the stub by HTTP, below `/__stub/`, for tests in any language. Not journalled, never hit by a fault.

`CALLS` is the whole API. Bodies are JSON objects with the fields of each `Body`; answers are JSON but for the journal,
which is NDJSON. What is wrong is 400 with a sentence, in the shape of the engine's own errors.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

import msgspec
from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from rochallor_stub.errors import StubError
from rochallor_stub.faults import Fault, Faults
from rochallor_stub.journal import Journal

PREFIX = "/__stub/"
MAX_BODY = 1024 * 1024


class Controlled(Protocol):
    """A stub, as far as control calls need it."""

    journal: Journal
    faults: Faults

    async def advance(self, seconds: float) -> None:
        """Let time pass."""
        ...

    async def jump(self, seconds: float) -> None:
        """Set the clock."""
        ...

    async def reset(self, seed: int | None = None) -> None:
        """Begin again."""
        ...

    async def expire_lease(self, job_id: str) -> bool:
        """Take a job from its worker."""
        ...

    async def state(self) -> dict[str, Any]:
        """Return what there is, in numbers."""
        ...

    def set_auto(self, *, on: bool) -> None:
        """Let the clock move by itself, or stop that."""
        ...

    def told_time(self) -> dict[str, Any]:
        """Return the time."""
        ...


class Move(msgspec.Struct, forbid_unknown_fields=True):
    """A distance in time."""

    seconds: float


class Reset(msgspec.Struct, forbid_unknown_fields=True):
    """Another seed than before, or the same one."""

    seed: int | None = None


class Lease(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A job whose lease is to run out."""

    job_id: str


class Auto(msgspec.Struct, forbid_unknown_fields=True):
    """Whether the clock moves by itself."""

    on: bool


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """No body."""


class Asked(NamedTuple):
    """A call as its row sees it."""

    body: Any
    query: QueryParams


class Call(NamedTuple):
    """One row of the API: what its body is, what answers it, what it does."""

    body: Any
    answer: Callable[[Controlled, Asked], Awaitable[Any]]
    does: str


async def _now(stub: Controlled, _asked: Asked) -> Any:
    return stub.told_time()


async def _advance(stub: Controlled, asked: Asked) -> Any:
    await stub.advance(asked.body.seconds)
    return stub.told_time()


async def _jump(stub: Controlled, asked: Asked) -> Any:
    await stub.jump(asked.body.seconds)
    return stub.told_time()


async def _auto(stub: Controlled, asked: Asked) -> Any:
    stub.set_auto(on=asked.body.on)
    return stub.told_time()


async def _expire_lease(stub: Controlled, asked: Asked) -> Any:
    return {"expired": await stub.expire_lease(asked.body.job_id)}


async def _state(stub: Controlled, _asked: Asked) -> Any:
    return await stub.state()


async def _reset(stub: Controlled, asked: Asked) -> Any:
    await stub.reset(asked.body.seed)
    return stub.told_time()


async def _faults(stub: Controlled, _asked: Asked) -> Any:
    return {"faults": list(stub.faults)}


async def _plant(stub: Controlled, asked: Asked) -> Any:
    wanted = asked.body if isinstance(asked.body, list) else [asked.body]
    for fault in wanted:
        fault.check()
    return {"ids": [stub.faults.add(fault) for fault in wanted]}


async def _uproot(stub: Controlled, asked: Asked) -> Any:
    if "id" in asked.query:
        stub.faults.remove(_number(asked.query["id"]))
    else:
        stub.faults.clear()
    return {"faults": list(stub.faults)}


async def _journal(stub: Controlled, asked: Asked) -> Any:
    return stub.journal.ndjson(_number(asked.query.get("after", "0")))


async def _forget(stub: Controlled, _asked: Asked) -> Any:
    stub.journal.clear()
    return {}


def _number(text: str) -> int:
    if not text.isdecimal():
        raise StubError(f"{text!r} is no number; the journal and the faults are numbered from 1")
    return int(text)


CALLS: dict[tuple[str, str], Call] = {
    ("GET", "now"): Call(Nothing, _now, "the virtual time"),
    ("POST", "advance"): Call(Move, _advance, "let `seconds` pass, and what falls due in them happen"),
    ("POST", "jump"): Call(Move, _jump, "set the clock `seconds` forward or back"),
    ("POST", "auto"): Call(Auto, _auto, "let the clock move by itself, or stop that (`on`)"),
    ("POST", "expire-lease"): Call(Lease, _expire_lease, "let the lease of the job `jobId` run out now"),
    ("GET", "state"): Call(Nothing, _state, "instances, jobs and what is due next, in numbers"),
    ("POST", "reset"): Call(Reset, _reset, "begin again: empty store, first moment, no faults, empty journal; `seed`"),
    ("GET", "faults"): Call(Nothing, _faults, "the planted faults and how often each was met"),
    ("POST", "faults"): Call(Fault | list[Fault], _plant, "plant a fault, or a list of them; returns their `ids`"),
    ("DELETE", "faults"): Call(Nothing, _uproot, "take out all faults, or the one of `?id=`"),
    ("GET", "journal"): Call(Nothing, _journal, "the exchanges as NDJSON, those after `?after=` or all"),
    ("DELETE", "journal"): Call(Nothing, _forget, "forget the exchanges so far"),
}
"""(method, path below /__stub/) -> the call."""


class Control:
    """The ASGI application below `/__stub/`."""

    def __init__(self, stub: Controlled) -> None:
        self._stub = stub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one control call."""
        try:
            status, answer = 200, await self._answer(scope, receive)
        except (StubError, msgspec.MsgspecError) as error:
            status, answer = 400, {"error": "bad-request", "message": str(error), "reason": str(error)}
        ndjson = isinstance(answer, bytes)
        body = answer if isinstance(answer, bytes) else msgspec.json.encode(answer)
        media = b"application/x-ndjson" if ndjson else b"application/json"
        headers = [(b"content-type", media), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> Any:
        name = scope["path"].removeprefix(PREFIX)
        call = CALLS.get((scope["method"], name))
        if call is None:
            there_is = ", ".join(f"{method} {PREFIX}{path}" for method, path in CALLS)
            raise StubError(f"there is no {scope['method']} {scope['path']}; there is {there_is}")
        body = msgspec.json.decode(await _read(receive) or b"{}", type=call.body)
        return await call.answer(self._stub, Asked(body, QueryParams(scope["query_string"])))


async def _read(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > MAX_BODY:
            raise StubError(f"the body is over {MAX_BODY} bytes")
        if not message.get("more_body"):
            return body
