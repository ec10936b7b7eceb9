"""An engine for tests: the engine's own machine in this process, with workers on it, in virtual time.

Timers and retries with backoff cost no real time: the clock leaps whenever neither a handler nor anybody else has
anything to do. Handlers run in a real worker over real sockets, so what is tested is what will run.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from workflow_sdk.client.rest import RestEngineClient
from workflow_sdk.errors import WorkflowSDKError
from workflow_sdk.json_types import is_dict
from workflow_sdk.runner.runner import Runner
from workflow_sdk.testing.result import Result, result_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    from rochallor_stub import EngineStub, Faults, Journal
    from typing_extensions import Self

    from workflow_sdk.handler.registry import HandlerRegistry

    Answer = Mapping[str, Any] | Callable[[dict[str, Any]], Mapping[str, Any] | None]

WORKER_ID = "test-worker"
REAL_SECONDS = 30.0
HANGING_SECONDS = 2.0  # what a handler that hangs gets before the worker is given up
_POLLS = ("pollJobs", "reportJobs")


class TestingError(WorkflowSDKError):
    """A run could not be made or did not end; the message says why and what to do about it."""

    __test__ = False  # pytest would take the name for a class of tests


class Engine:
    """A fresh engine for every run; use it with `async with`, or with `with` and `run_sync`.

    Args:
        seed: where ids and chance come from; the same seed gives the same ids.
        parallelism: how many jobs the worker takes at a time.
        options: more arguments for `rochallor_stub.EngineStub`.

    Raises:
        TestingError: the engine's test double is not installed.

    """

    def __init__(self, *, seed: int = 0, parallelism: int = 8, **options: Any) -> None:
        self._stub = _stub_class()(auto=True, seed=seed, **options)
        self._parallelism = parallelism
        self._fresh = False

    def __enter__(self) -> Self:
        self._stub.start()
        self._fresh = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stub.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)

    @property
    def faults(self) -> Faults:
        """Scripted faults for the next run, `faults.drop_after("completeJob")` for example; a run uses them up."""
        return self._stub.faults

    @property
    def journal(self) -> Journal:
        """Every exchange of the latest run."""
        return self._stub.journal

    async def run(
        self, definition: Mapping[str, Any], variables: Mapping[str, Any] | None = None, **how: Any
    ) -> Result:
        """Run a workflow to its end, or until nothing more can happen; takes the arguments of `run_sync`.

        Handlers run on the worker's own threads, also those that are `async def`.
        """
        return await asyncio.to_thread(lambda: self.run_sync(definition, variables, **how))

    def run_sync(
        self,
        definition: Mapping[str, Any],
        variables: Mapping[str, Any] | None = None,
        *,
        registry: HandlerRegistry,
        on_user_task: Mapping[str, Answer] | None = None,
        on_signal: Mapping[str, Answer] | None = None,
        also: Sequence[Mapping[str, Any]] = (),
        business_key: str | None = None,
        timeout: float = REAL_SECONDS,
    ) -> Result:
        """Run a workflow to its end, or until nothing more can happen.

        Args:
            definition: what to run.
            variables: what to start it with.
            registry: the handlers; a job type without one is left waiting.
            on_user_task: step id -> the result that completes it, or a function from
                `{"instanceId", "stepId", "variables"}` to one; None from a function leaves the task open.
            on_signal: the same for WAIT steps.
            also: further definitions, those that are chained for example.
            business_key: the instance's business key.
            timeout: real seconds; a run that takes longer hangs.

        Raises:
            TestingError: the run did not come to rest in time, or a function of the script raised.
            EngineClientError: the engine refused the definition or the start.

        """
        self._begin(on_user_task or {}, on_signal or {})
        with RestEngineClient(self._stub.url) as client:
            for each in (*also, definition):
                client.upload_definition(dict(each))
            self._stub.expect(*registry.job_types())  # before there are jobs: no timer may overtake the worker
            began = self._stub.now
            started = client.start_instance(definition["id"], dict(variables or {}), business_key=business_key)
            with _Working(self._stub, client, registry, self._parallelism):
                self._rest(client, started["id"], timeout)
            seconds = (self._stub.now - began).total_seconds()
            jobs = Counter(self._jobs_handed_out())
            return self._result(client, started["id"], jobs, seconds)

    def _begin(self, on_user_task: Mapping[str, Answer], on_signal: Mapping[str, Answer]) -> None:
        """Have a fresh engine, with the faults that were planted for this run."""
        if not self._fresh:
            planted = [each.fault for each in self._stub.faults if not each.hits]
            self._stub.reset()
            for fault in planted:
                self._stub.faults.add(fault)
        self._fresh = False
        self._stub.people.user_tasks.update(on_user_task)
        self._stub.people.signals.update(on_signal)

    def _rest(self, client: RestEngineClient, instance_id: str, timeout: float) -> None:
        """Return when nothing more can happen; raises `TestingError`."""
        rested = self._stub.finish(timeout)
        for error in self._stub.people.errors:
            raise TestingError(f"the script of the test failed: {error!r}") from error
        if not rested:
            waiting = [each["detail"] for each in client.get_instance(instance_id).get("waitingFor") or ()]
            what = "; ".join(waiting) or "nothing that the engine knows of"
            message = f"the run did not come to rest within {timeout:g} real seconds; it waits for: {what}"
            raise TestingError(f"{message}. Does a handler hang?")

    def _jobs_handed_out(self) -> Iterator[tuple[str, str]]:
        for entry in self._stub.journal:
            if entry.operation in _POLLS and entry.outcome == "answered" and is_dict(entry.response):
                for job in entry.response.get("jobs") or ():
                    yield job["instanceId"], job["jobType"]

    def _result(
        self, client: RestEngineClient, instance_id: str, jobs: Counter[tuple[str, str]], seconds: float
    ) -> Result:
        instance = client.get_instance(instance_id)
        child_id = instance.get("childInstanceId")
        return result_of(
            instance,
            client.get_instance_history(instance_id),
            jobs={job_type: count for (owner, job_type), count in jobs.items() if owner == instance_id},
            seconds=seconds,
            child=self._result(client, child_id, jobs, seconds) if child_id else None,
        )


class _Working:
    """A worker on a thread of its own, for as long as the block lasts."""

    def __init__(self, stub: EngineStub, client: RestEngineClient, registry: HandlerRegistry, parallelism: int) -> None:
        self._stub = stub
        self._stop = threading.Event()
        # A call for each job: that is how faults name them, and how the journal is read.
        runner = Runner(client, registry, WORKER_ID, parallelism, shutdown_timeout=HANGING_SECONDS, batch_reports=False)
        # Without handlers there is nothing to ask for, and a runner would only complain about it.
        self._thread = threading.Thread(target=runner.run, args=(self._stop,), name=WORKER_ID, daemon=True)
        self._serves = bool(registry.job_types())

    def __enter__(self) -> None:
        if self._serves:
            self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._serves:
            with self._stub.impatient():  # a poll that is parked would make the worker's stop wait for its end
                self._thread.join(REAL_SECONDS)


def _stub_class() -> type[EngineStub]:
    try:
        from rochallor_stub import EngineStub  # noqa: PLC0415 - an extra; importing this package must not need it
    except ModuleNotFoundError as error:
        message = "workflow_sdk.testing.Engine needs the engine's test double: pip install 'workflow-sdk[testing]'"
        raise TestingError(message) from error
    return EngineStub
