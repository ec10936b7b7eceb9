"""A case as the rest of the harness sees it: one variant, its steps still with placeholders in them."""

from __future__ import annotations

from typing import Any

import msgspec

Json = dict[str, Any]
ENGINE, SDK, PAIR = "engine", "sdk", "pair"


class Given(msgspec.Struct, frozen=True):
    """What is there before the case begins: definitions, and perhaps an instance of the first of them."""

    definitions: list[Json] = []
    instance: Json | None = None


class Expected(msgspec.Struct, frozen=True):
    """A refusal that the case wants: its code, and matchers of its sentence and details.

    Of an SDK also `kind`, for what is no answer of an engine, and a matcher of the wait it tells, in ms.
    """

    code: str = ""
    message: Any = msgspec.UNSET
    details: Any = msgspec.UNSET
    kind: str = ""
    retry_after_ms: Any = msgspec.UNSET


class Until(msgspec.Struct, frozen=True):
    """How long a call may be repeated until it is as expected."""

    within_ms: int


class Step(msgspec.Struct, frozen=True):
    """One act: exactly one of `call`, `http`, `rpc`, `advance` and `parallel` is set. See schemas/case.json.

    Where an SDK is judged, also one of `start_worker`, `stop_worker`, `worker_ended`, `job`, `reply_to`, `handled`,
    `wire`, `fault` and `expire_lease`.
    """

    call: str | None = None
    http: Json | None = None
    rpc: str | None = None
    advance: float | None = None
    parallel: list[Step] | None = None
    on: str | None = None
    args: Json = {}
    message: Json = {}
    token: str = ""
    status: int | None = None
    body: Any = msgspec.UNSET
    headers: Json = {}
    error: Expected | None = None
    bind: str | dict[str, str] = {}
    until: Until | None = None
    outcomes: list[Any] = []
    by: str = ""
    start_worker: Json | None = None
    stop_worker: Json | None = None
    worker_ended: str | None = None
    job: Any = msgspec.UNSET
    reply_to: str | None = None
    reply: Json = {}
    handled: int | None = None
    wire: str | None = None
    requests: Any = msgspec.UNSET
    count: Any = msgspec.UNSET
    fault: Json | None = None
    expire_lease: str | None = None


class Case(msgspec.Struct, frozen=True):
    """One case, or one variant of it. `name` is the id with [variant] behind it; `place` is file:line."""

    id: str
    title: str
    spec: list[str]
    kills: list[str]
    then: list[Step]
    when: list[Step] = []
    level: str = "MUST"
    targets: list[str] = msgspec.field(default_factory=lambda: [ENGINE, PAIR])
    transports: list[str] = msgspec.field(default_factory=lambda: ["rest", "grpc"])
    requires: list[str] = []
    clock: str = "any"
    limits: Json = {}
    given: Given = Given()
    stub: Json = {}
    variant: str = ""
    area: str = ""
    place: str = ""

    @property
    def name(self) -> str:
        """The id with its variant."""
        return f"{self.id}[{self.variant}]" if self.variant else self.id

    @property
    def steps(self) -> list[tuple[str, Step]]:
        """Every step with the word for its place."""
        return [
            (f"{part}[{index}]", step) for part in ("when", "then") for index, step in enumerate(getattr(self, part))
        ]

    @property
    def calls(self) -> set[str]:
        """The operations it names, leaving out those written by hand."""
        acts = [step for _, step in self.steps]
        acts += [inner for step in acts for inner in step.parallel or ()]
        found = {step.call for step in acts if step.call}
        return found | {"uploadDefinition"} if self.given.definitions else found
