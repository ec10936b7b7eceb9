"""Which calls a client sends again by itself, and how often: on all four clients, against faults of a real engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest
from workflow_sdk.client.clock import Clock
from workflow_sdk.client.face import Client
from workflow_sdk.client.rest import RestEngineClient
from workflow_sdk.errors import ConnectionFailed, EngineClientError, TooManyRequests, Unavailable
from workflow_sdk.operation import Repeat
from workflow_sdk.operations import OPERATIONS
from workflow_sdk.retry.policy import ONCE, Retries, may_repeat

if TYPE_CHECKING:
    from rochallor_stub import EngineStub

    from .conftest import Drive

FACES = ["rest", "grpc", "async-rest", "async-grpc"]
HELLO = {"id": "hello", "name": "Hello", "steps": [{"id": "end", "name": "End", "type": "END"}]}


class Pauses:
    """Virtual time: pauses take no time and are remembered."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self._now = 0.0

    def sleep(self, seconds: float) -> None:
        self.taken.append(seconds)
        self._now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)

    @property
    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self._now, sleep=self.sleep, sleep_async=self.sleep_async, chance=lambda: 0.5)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


class Call(Protocol):
    """`call(**settings)`: a client with these settings."""

    def __call__(self, **settings: Any) -> Client: ...


@pytest.fixture(params=FACES)
def call(request: pytest.FixtureRequest, stub: EngineStub, drive: Drive, pauses: Pauses) -> Call:
    """`call(**settings)`: each of the four clients, connected with the stub, in virtual time."""

    def make(**settings: Any) -> Client:
        where = stub.url if "rest" in request.param else stub.grpc_target
        return drive(request.param, where, clock=pauses.clock, **settings)

    return make


def tries(stub: EngineStub, operation: str) -> int:
    return len([exchange for exchange in stub.journal if exchange.operation == operation])


def test_question_is_asked_again_until_the_engine_is_back(stub: EngineStub, call: Call, pauses: Pauses) -> None:
    """Two 503 in a row: the third try answers, after pauses that grow."""
    stub.faults.status("listDefinitions", status=503, times=2)
    assert call().list_definitions()["items"] == []
    assert pauses.taken == [0.05, 0.1]


def test_engine_says_how_long_to_wait(stub: EngineStub, call: Call, pauses: Pauses) -> None:
    """Retry-After comes on top of the client's own pause."""
    stub.faults.status("listDefinitions", status=429, retry_after_s=3)
    call().list_definitions()
    assert pauses.taken == [3.05]


def test_tries_are_counted(stub: EngineStub, call: Call) -> None:
    """After the last one the error is the engine's."""
    stub.faults.status("listDefinitions", status=503, times=None)
    with pytest.raises(Unavailable):
        call(retries=Retries(attempts=4)).list_definitions()
    assert tries(stub, "listDefinitions") == 4


def test_repeating_can_be_switched_off(stub: EngineStub, call: Call, pauses: Pauses) -> None:
    """One attempt is one attempt."""
    stub.faults.status("listDefinitions", status=503)
    with pytest.raises(Unavailable):
        call(retries=ONCE).list_definitions()
    assert pauses.taken == []


def test_no_pause_goes_beyond_the_deadline(stub: EngineStub, call: Call, pauses: Pauses) -> None:
    """Who would have to wait longer than there is time for is told now."""
    stub.faults.status("listDefinitions", status=429, retry_after_s=60)
    with pytest.raises(TooManyRequests) as caught:
        call(deadline=30).list_definitions()
    assert (caught.value.retry_after, pauses.taken) == (60, [])


def test_start_whose_answer_was_lost_is_not_sent_again(stub: EngineStub, call: Call) -> None:
    """It may have been taken: a second one would be a second instance."""
    client = call()
    client.upload_definition(HELLO)
    stub.faults.drop_after("startInstance")
    with pytest.raises(EngineClientError):
        client.start_instance("hello")
    assert tries(stub, "startInstance") == 1
    assert client.list_instances()["total"] == 1


def test_start_that_was_refused_for_now_is_sent_again(stub: EngineStub, call: Call) -> None:
    """429 says that nothing was done."""
    client = call()
    client.upload_definition(HELLO)
    stub.faults.status("startInstance", status=429)
    assert client.start_instance("hello")["status"] == "COMPLETED"


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "half_close"])
def test_question_is_asked_again_when_the_connection_breaks(stub: EngineStub, call: Call, fault: str) -> None:
    """Reading twice is reading once."""
    client = call()
    client.upload_definition(HELLO)
    getattr(stub.faults, fault)("getDefinition")
    assert client.get_definition("hello")["id"] == "hello"


def test_report_is_left_to_the_worker(stub: EngineStub, call: Call) -> None:
    """A worker has rules of its own for these."""
    stub.faults.status("completeJob", status=503)
    with pytest.raises(Unavailable):
        call().complete_job("01JZZZZZZZZZZZZZZZZZZZZZZZ-1-1", "w", {})
    assert tries(stub, "completeJob") == 1


KINDS: tuple[Repeat, ...] = ("freely", "unless-sent", "by-worker")
NEVER_LEFT = ConnectionFailed("refused", sent=False)
LOST = ConnectionFailed("reset", sent=True)
Row = tuple[Exception, bool, bool, bool]
ROWS: list[Row] = [
    # error, freely, unless-sent, by-worker
    (NEVER_LEFT, True, True, False),
    (LOST, True, False, False),
    (TooManyRequests(429), True, True, False),
    (Unavailable(503), True, False, False),
    (EngineClientError(500), False, False, False),
    (EngineClientError(404), False, False, False),
    (ValueError("not an answer"), False, False, False),
]


@pytest.mark.parametrize("row", ROWS, ids=[repr(row[0]) for row in ROWS])
def test_what_may_be_repeated_is_a_table(row: Row) -> None:
    """By the error and the kind of call."""
    error, *expected = row
    assert [may_repeat(error, kind) for kind in KINDS] == expected


def test_reading_may_be_repeated_freely_and_starting_may_not() -> None:
    """The kind of every operation, in words: GETs and uploads freely, reports never, changes unless sent."""
    kinds = {name: operation.repeat for name, operation in OPERATIONS.items()}
    reports = {"poll_jobs", "complete_job", "fail_job", "report_jobs"}
    assert {name for name, kind in kinds.items() if kind == "by-worker"} == reports
    freely = {name for name, kind in kinds.items() if kind == "freely"}
    assert freely == {name for name in kinds if OPERATIONS[name].method == "GET"} | {"upload_definition"}


@pytest.mark.parametrize("figures", [{"attempts": 0}, {"longest_seconds": -1}])
def test_figures_that_cannot_be_meant_are_refused(figures: dict[str, Any]) -> None:
    """Zero attempts would never ask."""
    with pytest.raises(ValueError, match="attempts counts from 1"):
        Retries(**figures)


@pytest.mark.parametrize("face", FACES)
def test_refused_connection_was_never_sent(drive: Drive, face: str, pauses: Pauses) -> None:
    """Nobody listens: every try is made, and the error says that nothing left."""
    client = drive(face, "http://127.0.0.1:1" if "rest" in face else "127.0.0.1:1", clock=pauses.clock)
    with pytest.raises(ConnectionFailed) as caught:
        client.start_instance("hello")
    assert (caught.value.sent, len(pauses.taken)) == (False, 2)


@pytest.mark.parametrize("face", ["rest", "async-rest"])
@pytest.mark.parametrize("url", ["localhost:8080", "", "ftp://host", "http://"])
def test_address_that_is_none_is_an_error_of_the_first_call(drive: Drive, face: str, url: str) -> None:
    """Made where no error is expected, a client tells when it is used."""
    with pytest.raises(ConnectionFailed) as caught:
        drive(face, url, retries=ONCE).get_instance("i")
    assert caught.value.sent is False


def test_password_of_an_address_is_not_shown() -> None:
    """Neither in a repr nor in an error."""
    with RestEngineClient("http://ann:secret@127.0.0.1:1", retries=ONCE) as client:
        with pytest.raises(ConnectionFailed) as caught:
            client.get_instance("i")
        assert "secret" not in f"{client!r} {caught.value} {caught.value!r}"
