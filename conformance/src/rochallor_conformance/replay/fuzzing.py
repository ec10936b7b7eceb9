"""Generated requests against a live engine: schemathesis over openapi.yaml, one worker, live ids from `live`.

Each round meets every operation with valid and with invalid arguments, then with a few requests that are wrong on
purpose; rounds follow each other until the time is up. Everything comes from one seed, so a finding comes again with
it. Nothing is shrunk: a finding is told with the command that sends it again.
"""

from __future__ import annotations

import json
import shlex
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import unquote

import httpx
import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning, Unsatisfiable
from rochallor_proto import contract
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from rochallor_conformance.contract.operations import Operation, operations
from rochallor_conformance.contract.shapes import shape_problems
from rochallor_conformance.oracles import Scene
from rochallor_conformance.oracles.leaks import leaks
from rochallor_conformance.oracles.wire import wire
from rochallor_conformance.replay.live import SITUATIONS, Make, World
from rochallor_conformance.replay.reached import Tally
from rochallor_conformance.transports.exchange import REST, Exchange, Json

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
"""Named one by one: the default list also holds checks that contradict this contract, which ignores unknown fields."""
EXAMPLES = 8
LONGEST_WAIT_MS = 20
TIMEOUT_S = 15.0
OK_BELOW = 400
TOO_LONG = 5 * 1024 * 1024
WAITS = ("waitMs",)
EVENT = "/components/schemas/InstanceEvent"
DOTS = ("", ".", "..")
"""Path segments that a client resolves before it sends them: the request would be about another path."""


class Session(NamedTuple):
    """One fuzzing session against the engine at `url`. `is_over` says when the time is up."""

    url: str
    nonce: str
    is_over: Callable[[], bool]
    seed: int = 0
    rounds: int = 0
    """How many rounds at most; 0 is until the time is up."""
    only: frozenset[str] = frozenset()
    """The operations to be met; empty is all that the engine can have."""
    base_only: bool = False
    """Whether the engine knows none of our additions: they are not met, and its answers may lack our fields."""

    @property
    def operations(self) -> list[Operation]:
        """The operations to be met, in the contract's order."""
        wanted = self.only or {name for name, each in operations().items() if not (self.base_only and each.is_ours)}
        return [each for name, each in operations().items() if name in wanted]


def fuzz(session: Session) -> Tally:
    """Run a session; return what it saw.

    Raises:
        httpx.HTTPError: the engine does not answer, or refuses what the fuzzer needs to have.

    """
    tally, targets = Tally(frozenset(each.id for each in session.operations), base_only=session.base_only), _targets()
    with httpx.Client(base_url=session.url, timeout=TIMEOUT_S, trust_env=False) as http, requests.Session() as sender:
        sender.trust_env = False
        world = World(http, session.nonce)
        number = 0
        while number == 0 or (not session.is_over() and number != session.rounds):
            number += 1
            for operation in session.operations:
                if session.is_over():
                    tally.is_cut = tally.is_cut or number == 1
                    break
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    fuzzed = _Fuzzed(session, operation, targets[operation.id], mode, world, sender, tally)
                    fuzzed.run(session.seed + number * 1000)
                try:
                    for exchange in _on_purpose(operation, http):
                        _judge(exchange, _curl(exchange, session.url), tally)
                except httpx.TransportError as error:
                    _hung_up(error, operation, http, tally)
    return tally


def _hung_up(error: httpx.TransportError, operation: Operation, http: httpx.Client, tally: Tally) -> None:
    """Note that a request was not answered; raises that error when the engine answers no other one either."""
    try:
        http.get("/healthz")
    except httpx.TransportError:
        raise error from None
    sent = error.request
    command = shlex.join(["curl", "-sS", "-X", sent.method, str(sent.url)])
    tally.find(operation.id, f"did not answer: {type(error).__name__}", command)


def _targets() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in schemathesis.openapi.from_dict(contract("openapi")).get_all_operations():
        assert isinstance(each, Ok), "the contract's own document is valid"
        found[each.ok().definition.raw["operationId"]] = each.ok()
    return found


class _Fuzzed(NamedTuple):
    session: Session
    operation: Operation
    target: Any
    mode: GenerationMode
    world: World
    sender: requests.Session
    tally: Tally

    def run(self, seed: int) -> None:
        """Send `EXAMPLES` generated requests."""

        @hypothesis.seed(seed)
        @settings(
            max_examples=EXAMPLES, database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=self.target.as_strategy(generation_mode=self.mode), pick=st.integers(0, 11))
        def examples(case: Any, pick: int) -> None:
            self._send(case, pick)

        with _quiet():
            try:
                examples()
            except Unsatisfiable:  # nothing can be wrong with an operation that takes nothing
                return

    def _made(self, make: Make) -> Json:
        """Return live arguments; an engine that cannot even make those is a finding, and goes without."""
        try:
            return make(self.world)
        except httpx.HTTPStatusError as error:
            path = f"{error.request.method} {error.request.url.path}"
            said = f"cannot be met with live ids: {path} answered {error.response.status_code}"
        except httpx.TransportError as error:
            _hung_up(error, self.operation, self.world.http, self.tally)
            return {}
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            said = f"cannot be met with live ids: an answer on the way is not of its shape, {error!r}"
        self.tally.find(self.operation.id, said, "")
        return {}

    def _send(self, case: Any, pick: int) -> None:
        makers = SITUATIONS.get(self.operation.id, ())
        # One in four keeps its generated ids: they are what nobody has.
        live = self._made(makers[pick % len(makers)]) if makers and pick % 4 else {}
        _put(case, live, self.operation, self.mode)
        if any(unquote(str(value)) in DOTS for value in (case.path_parameters or {}).values()):
            return
        try:
            answer = case.call(base_url=self.session.url, session=self.sender, timeout=TIMEOUT_S)
        except requests.exceptions.InvalidHeader:
            return
        except requests.exceptions.RequestException as error:
            self.tally.find(self.operation.id, f"did not answer: {type(error).__name__}", case.as_curl_command())
            return
        command = case.as_curl_command()
        try:
            # Not for a stream, nor where our fields may be missing: the oracle of shapes knows of both.
            is_whole = not (self.operation.is_stream or self.tally.base_only)
            checks = [each for each in CHECKS if is_whole or each is not response_schema_conformance]
            case.validate_response(answer, checks=checks)
        except FailureGroup as group:
            for failure in group.exceptions:
                self.tally.find(self.operation.id, f"{failure.title}: {_first_line(failure)}", command)
        body = _decoded(answer.content, dict(_flat(answer.headers)))
        _judge(_exchange(self.operation, answer.status_code, dict(_flat(answer.headers)), body), command, self.tally)


def _put(case: Any, live: Json, operation: Operation, mode: GenerationMode) -> None:
    """Put live arguments where they go; a wrong body stays wrong, and no request waits long."""
    for name, value in live.items():
        place = operation.places.get(name)
        held = {"path": case.path_parameters, "query": case.query, "header": case.headers}.get(place or "")
        if held is not None and value is None:
            held.pop(name, None)
        elif held is not None:
            held[name] = str(value) if place == "header" else value
    if mode is GenerationMode.POSITIVE and isinstance(case.body, dict) and operation.has_body:
        inside = {name: value for name, value in live.items() if name not in operation.places}
        case.body = {**case.body, **inside}
    for part in (case.query, case.body, case.body.get("poll") if isinstance(case.body, dict) else None):
        if isinstance(part, dict):
            _hurry(part)


def _hurry(part: Json) -> None:
    for name in WAITS:
        value = part.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > LONGEST_WAIT_MS:
            part[name] = LONGEST_WAIT_MS
        elif isinstance(value, str) and value.strip().isdigit():
            part[name] = str(LONGEST_WAIT_MS)


def _on_purpose(operation: Operation, http: httpx.Client) -> Iterator[Exchange]:
    """Send what no generator makes: bytes that are no text, a body of another kind, one that is too long."""
    path = operation.path
    for name in (name for name, place in operation.places.items() if place == "path"):
        path = path.replace(f"{{{name}}}", "1" if name == "version" else "nobody")
    if operation.id_argument:
        yield _sent(operation, http, operation.path.replace(f"{{{operation.id_argument}}}", "%FF"), None, {})
    elif "query" in operation.places.values():
        yield _sent(operation, http, f"{path}?page=%FF", None, {})
    if operation.has_body:
        json_type = {"content-type": "application/json"}
        yield _sent(operation, http, path, b"{", json_type)
        yield _sent(operation, http, path, b"text", {"content-type": "text/plain"})
        yield _sent(operation, http, path, b'{"x": "' + b"x" * TOO_LONG + b'"}', json_type)


def _sent(
    operation: Operation, http: httpx.Client, path: str, body: bytes | None, headers: Mapping[str, str]
) -> Exchange:
    for name in operation.places:
        path = path.replace(f"{{{name}}}", "1")
    answer = http.request(operation.method, path, content=body, headers=dict(headers))
    found = _exchange(operation, answer.status_code, dict(answer.headers), _decoded(answer.content, answer.headers))
    found.target = f"{operation.method} {path}"
    return found


def without_right(operation: Operation, http: httpx.Client, tokens: Mapping[str, str]) -> Iterator[Exchange]:
    """Send an operation without a token and with that of each role, to an engine that asks for one."""
    path = operation.path
    for name in operation.places:
        path = path.replace(f"{{{name}}}", "1" if name == "version" else "nobody")
    body = b"{}" if operation.has_body else None
    kind = {"content-type": "application/json"} if body else {}
    yield _sent(operation, http, path, body, kind)
    for token in tokens.values():
        yield _sent(operation, http, path, body, {**kind, "authorization": f"Bearer {token}"})


def judge_rights(url: str, tokens: Mapping[str, str], tally: Tally) -> None:
    """Meet every operation of an engine that asks for tokens with and without the right to it."""
    with httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False) as http:
        for operation in operations().values():
            if tally.only and operation.id not in tally.only:
                continue
            for exchange in without_right(operation, http, tokens):
                _judge(exchange, _curl(exchange, url), tally)


def _judge(exchange: Exchange, command: str, tally: Tally) -> None:
    assert isinstance(exchange.status, int)
    tally.note(exchange.operation, exchange.status)
    scene = Scene(exchanges=[exchange], base_only=tally.base_only)
    for oracle in (wire, leaks, _events):
        for sentence in oracle(scene):
            tally.find(exchange.operation, sentence, command)


def _events(scene: Scene) -> Iterator[str]:
    """Yield what is wrong with the events of a stream; its schema in the document is that of the whole text."""
    for exchange in scene.exchanges:
        if exchange.is_ok and operations()[exchange.operation].is_stream and isinstance(exchange.response, str):
            for line in exchange.response.splitlines():
                if line.startswith("data:"):
                    yield from (f"event {each}" for each in shape_problems(EVENT, json.loads(line[5:])))


def _exchange(operation: Operation, status: int, headers: Json, body: Any) -> Exchange:
    return Exchange(
        number=1,
        transport=REST,
        operation=operation.id,
        target=operation.id,
        status=status,
        response=body,
        response_headers=headers,
        is_ok=status < OK_BELOW,
        raw=True,
    )


def _decoded(content: bytes | None, headers: Mapping[str, Any]) -> Any:
    kind = str(headers.get("content-type", ""))
    if not content:
        return None
    if "json" not in kind:
        return content.decode("utf-8", "replace")
    try:
        return httpx.Response(200, content=content).json()
    except ValueError:
        return content.decode("utf-8", "replace")


def _flat(headers: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, values in headers.items():
        yield name.lower(), ", ".join(values) if isinstance(values, list) else str(values)


def _curl(exchange: Exchange, url: str) -> str:
    method, _, path = exchange.target.partition(" ")
    return shlex.join(["curl", "-sS", "-X", method, f"{url}{path}"])


def _first_line(failure: Any) -> str:
    return str(getattr(failure, "message", failure)).strip().split("\n", 1)[0]


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HypothesisWarning)
        yield
