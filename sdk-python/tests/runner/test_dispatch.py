# `_dispatch` is what users of the first SDK call in their own tests.
# pyright: reportPrivateUsage=false
"""One job on a mock client, as users of the first SDK test their handlers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol
from unittest.mock import MagicMock, call

import pytest
from workflow_sdk import HandlerRegistry, JobContext, NonRetryableError, RestEngineClient, Runner
from workflow_sdk.errors import ConnectionFailed, EngineClientError, InvalidVariables

if TYPE_CHECKING:
    from ..conftest import FakeEngine


class Dispatch(Protocol):
    """Runs `job` with a handler on a client, so many times; returns the client, which is a mock unless it was given."""

    def __call__(
        self,
        handler: Callable[[JobContext], object] | None = ...,
        client: object = None,
        times: int = 1,
        **extra: Any,
    ) -> MagicMock: ...


def _x(_: JobContext) -> dict[str, Any]:
    return {"x": 1}


class Clock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        self.now += max(seconds, 0.001)
        return False


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def dispatch(job: dict[str, Any], clock: Clock) -> Dispatch:
    """Run `job` with a handler on a mock client and return the mock."""

    def run(
        handler: Callable[[JobContext], object] | None = _x, client: Any = None, times: int = 1, **extra: Any
    ) -> Any:
        registry = HandlerRegistry()
        if handler is not None:
            registry.register("greet", handler)
        client = MagicMock() if client is None else client
        runner = Runner(client, registry, "w1")
        runner._reporter._pause = clock.pause
        runner._reporter._timing = MagicMock(monotonic=clock, chance=lambda: 0.5)
        for _ in range(times):
            runner._dispatch({**job, **extra})
        return client

    return run


def test_success_is_reported_positionally(dispatch: Dispatch) -> None:
    """A result goes to complete_job(id, worker, variables), nothing more, even on a mock that has everything."""
    client = dispatch(leaseToken="t")
    assert client.mock_calls == [call.complete_job("job-1", "w1", {"x": 1})]


def test_no_result_is_reported_as_an_empty_dict(dispatch: Dispatch) -> None:
    """A handler that returns nothing sets nothing."""
    assert dispatch(lambda _: None).mock_calls == [call.complete_job("job-1", "w1", {})]


def test_an_exception_is_reported_retryable(dispatch: Dispatch) -> None:
    """Any exception goes to fail_job(id, worker, message, True)."""
    client = dispatch(MagicMock(side_effect=RuntimeError("boom")))
    assert client.mock_calls == [call.fail_job("job-1", "w1", "boom", True)]


def test_a_non_retryable_error_is_reported_as_such(dispatch: Dispatch) -> None:
    """NonRetryableError goes to fail_job(id, worker, message, False)."""
    client = dispatch(MagicMock(side_effect=NonRetryableError("never")))
    assert client.mock_calls == [call.fail_job("job-1", "w1", "never", False)]


def test_a_type_without_handler_fails_for_good(dispatch: Dispatch) -> None:
    """A job nobody serves is failed, not retryable, with a sentence that names the type."""
    assert dispatch(None).mock_calls == [call.fail_job("job-1", "w1", "no handler registered for 'greet'", False)]


@pytest.mark.parametrize("error", [ConnectionFailed("x", sent=True), EngineClientError(503, "x"), ConnectionError()])
def test_a_result_is_repeated_until_acknowledged(dispatch: Dispatch, error: Exception) -> None:
    """A network that is down for a while loses no result and turns none into a failure."""
    client = MagicMock()
    client.complete_job.side_effect = [error] * 7 + [None]
    dispatch(client=client)
    assert client.mock_calls == [call.complete_job("job-1", "w1", {"x": 1})] * 8


def test_pauses_between_reports_grow_with_full_jitter(dispatch: Dispatch, clock: Clock) -> None:
    """Pauses are drawn from a range that doubles up to five seconds."""
    client = MagicMock()
    client.complete_job.side_effect = [ConnectionFailed("x", sent=True)] * 8 + [None]
    dispatch(client=client)
    assert clock.pauses == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.5, 2.5])


def test_a_report_waits_as_long_as_the_engine_asks(dispatch: Dispatch, clock: Clock) -> None:
    """Retry-After comes on top of the pause."""
    client = MagicMock()
    client.complete_job.side_effect = [EngineClientError(429, "x", retry_after=3.0), None]
    dispatch(client=client)
    assert clock.pauses == pytest.approx([3.05])


def test_repeating_a_report_ends_at_last(dispatch: Dispatch, clock: Clock) -> None:
    """A report that never gets through is given up, after minutes and not for ever."""
    client = MagicMock()
    client.complete_job.side_effect = ConnectionFailed("x", sent=True)
    dispatch(client=client)
    assert (600 < clock.now < 610, client.fail_job.mock_calls) == (True, [])


@pytest.mark.parametrize("status", [401, 403, 404, 409, 410, 415])
def test_a_refusal_is_final(dispatch: Dispatch, status: int) -> None:
    """What the engine refuses is not sent again, and a successful handler is not made a failure."""
    client = MagicMock()
    client.complete_job.side_effect = EngineClientError(status, "no")
    dispatch(client=client)
    assert client.mock_calls == [call.complete_job("job-1", "w1", {"x": 1})]


def test_an_internal_error_is_repeated_a_few_times(dispatch: Dispatch) -> None:
    """500 may pass, or may mean an unknown job on an older engine."""
    client = MagicMock()
    client.complete_job.side_effect = EngineClientError(500, "unknown job")
    dispatch(client=client)
    assert (client.complete_job.call_count, client.fail_job.mock_calls) == (5, [])


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (ConnectionFailed("refused", sent=False), 2),
        (EngineClientError(429, "full"), 2),
        (ConnectionFailed("reset", sent=True), 1),
        (EngineClientError(503, "x"), 1),
        (EngineClientError(500, "x"), 1),
        (ConnectionError("x"), 1),
    ],
    ids=str,
)
def test_a_failure_is_repeated_only_when_it_provably_did_nothing(
    dispatch: Dispatch, error: Exception, calls: int
) -> None:
    """Every `fail` that arrives may burn a retry, so in doubt there is no second one."""
    client = MagicMock()
    client.fail_job.side_effect = [error, None]
    dispatch(MagicMock(side_effect=RuntimeError("boom")), client=client)
    assert client.fail_job.call_count == calls


@pytest.mark.parametrize(
    "error",
    [
        EngineClientError(400, "nested deeper than 200 levels"),
        EngineClientError(413, "over 2 MiB"),
        InvalidVariables("/x: a set is not JSON"),
    ],
)
def test_a_result_that_can_never_arrive_fails_the_job(dispatch: Dispatch, error: Exception) -> None:
    """A result that is itself the problem would be redelivered for ever, so the job fails and says why."""
    client = MagicMock()
    client.complete_job.side_effect = error
    dispatch(client=client)
    assert client.fail_job.mock_calls == [call("job-1", "w1", f"the result cannot be delivered: {error}", False)]


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ("text", "the handler for 'greet' returned a str"),
        ({"x": [1, object()]}, "/variables/x/1: a object is not JSON"),
    ],
)
def test_a_result_that_is_none_is_logged(
    dispatch: Dispatch, caplog: pytest.LogCaptureFixture, result: object, message: str
) -> None:
    """Who watches the worker's log learns which handler returned something useless, and where it is."""
    with RestEngineClient("http://127.0.0.1:9") as client:  # nobody answers there; JSON is made before anybody is asked
        refuse = MagicMock(wraps=client)
        refuse.fail_job = MagicMock()
        dispatch(MagicMock(return_value=result), client=refuse)
    assert message in caplog.text
    assert message in refuse.fail_job.call_args.args[2]


def test_a_redelivered_job_is_answered_from_memory(dispatch: Dispatch) -> None:
    """A job that comes again while its result was not acknowledged is not run again."""
    client, handler = MagicMock(), MagicMock(return_value={"x": 1})
    client.complete_job.side_effect = [EngineClientError(409, "x"), None, None]
    dispatch(handler, client=client, times=2)
    assert (handler.call_count, client.complete_job.call_count) == (1, 2)


def test_an_acknowledged_job_that_comes_again_runs_again(dispatch: Dispatch) -> None:
    """Memory ends with the acknowledgement: a loop in the definition enters a step more than once."""
    handler = MagicMock(return_value={"x": 1})
    dispatch(handler, times=2)
    assert handler.call_count == 2


def test_a_client_of_ours_passes_the_lease_token(dispatch: Dispatch, engine: FakeEngine) -> None:
    """With our client, the token goes along with the report."""
    with RestEngineClient(engine.url) as client:
        dispatch(client=client, leaseToken="t")
        dispatch(MagicMock(side_effect=NonRetryableError("no", code="C")), client=client, leaseToken="t")
    assert [exchange.body for exchange in engine.exchanges] == [
        {"workerId": "w1", "variables": {"x": 1}, "leaseToken": "t"},
        {"workerId": "w1", "errorMessage": "no", "retryable": False, "leaseToken": "t", "errorCode": "C"},
    ]


def test_a_subclass_with_the_old_signature_is_called_the_old_way(dispatch: Dispatch, engine: FakeEngine) -> None:
    """A user's override that knows no token gets none."""

    class Logged(RestEngineClient):
        def complete_job(  # type: ignore[override]  # the old signature is the test
            self, job_id: str, worker_id: str, variables: Mapping[str, Any] | None = None
        ) -> None:
            super().complete_job(job_id, worker_id, variables)

    with Logged(engine.url) as client:
        dispatch(client=client, leaseToken="t")
    assert engine.exchanges[0].body == {"workerId": "w1", "variables": {"x": 1}}


def test_a_mock_with_our_spec_is_still_a_mock(dispatch: Dispatch) -> None:
    """A mock that claims to be our client is told from one."""
    client = dispatch(client=MagicMock(spec=RestEngineClient), leaseToken="t")
    assert client.mock_calls == [call.complete_job("job-1", "w1", {"x": 1})]


def test_an_empty_worker_id_is_refused() -> None:
    """A worker without a name cannot hold a job."""
    with pytest.raises(ValueError, match="worker_id"):
        Runner(MagicMock(), HandlerRegistry(), "")


def test_figures_that_make_no_sense_become_the_defaults() -> None:
    """Zero or negative parallelism and interval mean the defaults."""
    runner = Runner(MagicMock(), HandlerRegistry(), "w", parallelism=0, poll_interval=-1)
    assert (runner._settings.parallelism, runner._settings.poll_interval) == (64, 0.5)
