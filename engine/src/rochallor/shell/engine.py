"""The engine as its transports see it: every operation of the contract, with plain arguments and typed answers.

Mapping only: arguments become commands or reads, outcomes become views. What an operation *means* is in the core.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rochallor.core import commands as cmd
from rochallor.core.definition import render_definition
from rochallor.core.errors import NotFound, Unavailable
from rochallor.core.events import Committed
from rochallor.core.ids import JobRef, ulid
from rochallor.core.machine import Outcome
from rochallor.core.model import Instance
from rochallor.core.variables import parse_variables
from rochallor.news import Shared
from rochallor.ports import Clock, Entropy, InstanceFilter, Store, Transaction, UserTaskFilter, UserTaskRow
from rochallor.shell import checks, traces
from rochallor.shell.answers import instance_view, summary_of, task_view
from rochallor.shell.definitions import Definitions
from rochallor.shell.executor import Executor
from rochallor.shell.history import audit_of, history_of
from rochallor.shell.jobs import JobDesk
from rochallor.shell.live import Live, Watch
from rochallor.shell.metrics import Metrics
from rochallor.shell.neighbours import LONGEST_SLEEP_MS, Neighbours
from rochallor.shell.settings import Settings
from rochallor.shell.sweeper import Sweeper
from rochallor.shell.views import (
    AuditEntry,
    AwaitView,
    DefinitionSummary,
    HistoryItem,
    InstanceView,
    Page,
    UploadView,
    UserTaskView,
)
from rochallor.shell.waiting import Demand, waiting_for
from rochallor.shell.wakeups import Waits
from rochallor.shell.work import Do, Start, Write

_TERMINAL = ("COMPLETED", "FAILED", "CANCELLED")


class Engine(JobDesk):
    """One engine over one store. `start` before use, `stop` at the end; every method may raise `WorkflowError`.

    `waits` is by what callers' waits are measured, `sweeper` what sees to things due: a test double has its own.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        entropy: Entropy,
        settings: Settings | None = None,
        metrics: Metrics | None = None,
        waits: Waits | None = None,
        sweeper: type[Sweeper] = Sweeper,
    ) -> None:
        self.settings = settings or Settings()
        self.metrics = metrics or Metrics()
        self.store = store
        self.clock = clock
        self._definitions = Definitions(self.settings)
        executor = Executor(
            store,
            self._definitions,
            clock=clock,
            entropy=entropy,
            settings=self.settings,
            metrics=self.metrics,
            waits=waits,
        )
        super().__init__(executor, store.reads, self.settings, entropy)
        self._neighbours = Neighbours(store.signals, executor) if isinstance(store, Shared) else None
        self.sweeper = sweeper(
            store,
            executor,
            clock=clock,
            entropy=entropy,
            metrics=self.metrics,
            longest_sleep_ms=LONGEST_SLEEP_MS if self._neighbours else None,
        )
        self.live = Live(store.reads, executor.watchers)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open the store and begin to work."""
        await self.store.open()
        self._tasks = [asyncio.create_task(self.executor.run()), asyncio.create_task(self.sweeper.run())]
        if self._neighbours is not None:
            self._tasks.append(asyncio.create_task(self._neighbours.run()))

    async def stop(self) -> None:
        """Finish what is in flight, answer who waits, close the store.

        Whoever cancels it waits no longer; what is in flight is finished all the same, and `stop` may be called again.
        """
        writer, *others = self._tasks
        for task in others:
            task.cancel()
        self.live.end()
        self.executor.stop()
        await asyncio.shield(writer)
        await asyncio.gather(*others, return_exceptions=True)
        await self.store.close()

    def drain(self) -> None:
        """Prepare to go: not ready any more, and nobody is made to wait; commands still succeed until `stop`."""
        self.live.end()
        self.executor.drain()

    async def ready(self) -> None:
        """Return when new work is welcome; raises `Unavailable`."""
        if self.executor.draining:
            raise Unavailable("the engine is shutting down; try another one, or again soon", retry_after_ms=1_000)
        if any(task.done() for task in self._tasks):
            raise Unavailable("a part of the engine has ended by a bug, its log says why; restart it")
        await self.store.ping()

    # Definitions ------------------------------------------------------------------------------------------------

    async def upload_definition(self, raw: bytes, *, ordered: bool = True, actor: str = "") -> UploadView:  # noqa: ARG002
        """Store a definition; equal to the latest version it is that version again.

        `ordered` is False when its conditions came as a map without an order.
        """
        # A hostile megabyte of expressions takes seconds to compile; everybody else is served meanwhile.
        parsed = await asyncio.to_thread(self._definitions.parse, raw)

        async def store(tx: Transaction, now_ms: int) -> UploadView:
            return await self._definitions.store(tx, parsed, now_ms, ordered=ordered)

        answer = await self.executor.submit(Write(store))
        assert isinstance(answer, UploadView)
        self.metrics.definitions_uploaded.inc()
        self.sweeper.hurry()
        return answer

    async def get_definition(self, definition_id: str, version: int | None = None) -> bytes:
        """Return a definition's JSON, with its `version`."""
        checks.check_text(definition_id, "id")
        stored = await self.store.reads.definition(definition_id, version)
        if stored is None:
            which = f"version {version} of definition" if version is not None else "definition"
            raise NotFound(f"no {which} '{definition_id}' exists")
        return render_definition(self._definitions.compiled(stored))

    async def list_definitions(
        self, *, keyword: str = "", page: int = 0, page_size: int = 0
    ) -> Page[DefinitionSummary]:
        """Return the newest version of each definition, by id."""
        part = checks.page_of(page, page_size, self.settings)
        found, total = await self.store.reads.definitions(checks.check_text(keyword, "keyword"), part.size, part.offset)
        return Page(items=[summary_of(stored) for stored in found], page=part.page, page_size=part.size, total=total)

    # Instances --------------------------------------------------------------------------------------------------

    async def start_instance(
        self,
        definition_id: str,
        *,
        version: int | None = None,
        variables: bytes | None = None,
        business_key: str | None = None,
        actor: str = "",
    ) -> InstanceView:
        """Start an instance of a version, None or 0 for the newest; it may have ended already when this returns."""
        checks.check_text(definition_id, "definitionId")
        command = cmd.StartInstance(
            instance_id=ulid(self.clock.now_ms(), self.entropy.bits(80)),
            actor=actor,
            traceparent=traces.current(),
            variables=parse_variables(variables, pointer="/variables"),
            business_key=checks.business_key(business_key),
        )
        outcome = await self.executor.submit(Start(definition_id, version or None, command))
        return instance_view(outcome.instance)

    async def get_instance(self, instance_id: str) -> InstanceView:
        """Return an instance, with what each of its open steps waits for."""
        instance = await self._instance(instance_id)
        view = instance_view(instance)
        view.waiting_for = waiting_for(instance, await self._demand(instance))
        return view

    async def get_history(self, instance_id: str) -> list[HistoryItem]:
        """Return all step executions of an instance, in entry order."""
        return history_of(await self._record(instance_id))

    async def get_audit(self, instance_id: str) -> list[AuditEntry]:
        """Return who changed an instance, and how; empty when audit is switched off."""
        record = await self._record(instance_id)
        return audit_of(record) if self.settings.audit_enabled else []

    async def list_instances(
        self, *, definition_id: str = "", status: str = "", business_key: str = "", page: int = 0, page_size: int = 0
    ) -> Page[InstanceView]:
        """Return instances, latest start first."""
        part = checks.page_of(page, page_size, self.settings)
        where = InstanceFilter(
            checks.check_text(definition_id, "definitionId"),
            checks.instance_status(status),
            checks.check_text(business_key, "businessKey"),
        )
        found, total = await self.store.reads.instances(where, part.size, part.offset)
        items = [instance_view(instance) for instance in found]
        return Page(items=items, page=part.page, page_size=part.size, total=total)

    async def cancel_instance(
        self, instance_id: str, *, reason: str = "", expected_revision: int | None = None, actor: str = ""
    ) -> InstanceView:
        """Stop an instance for good."""
        command = cmd.CancelInstance(
            instance_id=instance_id, actor=actor, reason=reason, expected_revision=expected_revision
        )
        return instance_view((await self._do(command)).instance)

    async def retry_step(
        self,
        instance_id: str,
        step_id: str,
        *,
        variables: bytes | None = None,
        expected_revision: int | None = None,
        actor: str = "",
    ) -> InstanceView:
        """Bring a failed instance back at the step that failed it."""
        command = cmd.RetryStep(
            instance_id=instance_id,
            actor=actor,
            traceparent=traces.current(),
            step_id=step_id,
            variables=parse_variables(variables, pointer="/variables"),
            expected_revision=expected_revision,
        )
        return instance_view((await self._do(command)).instance)

    async def await_instance(self, instance_id: str, *, wait_ms: int = 0, until: Sequence[str] = ()) -> AwaitView:
        """Return the instance once it has one of the statuses `until` (none: any final one), or after `wait_ms`."""
        wanted = {checks.instance_status(status) for status in until} or set(_TERMINAL)
        waits = self.executor.waits
        deadline = waits.time() + min(max(wait_ms, 0), self.settings.max_wait_ms) / 1000
        while True:
            changed = self.executor.watchers.watch(instance_id)
            try:
                instance = await self._instance(instance_id)
                reached = instance.status.value in wanted
                if reached or waits.time() >= deadline or self.executor.draining:
                    return AwaitView(instance=instance_view(instance), reached=reached)
                alarm = waits.call_at(deadline, changed.set)
                try:
                    await changed.wait()
                finally:
                    alarm.cancel()
            finally:
                self.executor.watchers.unwatch(instance_id, changed)

    async def watch(self, instance_id: str, after_revision: int = 0) -> Watch:
        """Return an iterator of the revisions after `after_revision`, from the record and then as they are committed.

        It ends after the revision that made the instance final, and raises `Unavailable` when the engine stops.
        """
        return await self.live.open(checks.check_text(instance_id, "id"), after_revision)

    # People and signals -----------------------------------------------------------------------------------------

    async def complete_user_task(
        self,
        instance_id: str,
        step_id: str,
        *,
        completed_by: str = "",
        result: bytes | None = None,
        expected_revision: int | None = None,
        actor: str = "",
    ) -> None:
        """Complete the oldest open user task of a step."""
        completed_by = completed_by.replace("\x00", "")
        command = cmd.CompleteUserTask(
            instance_id=instance_id,
            actor=actor or completed_by,
            traceparent=traces.current(),
            step_id=step_id,
            completed_by=completed_by,
            result=parse_variables(result, pointer="/result"),
            expected_revision=expected_revision,
        )
        await self._do(command)

    async def signal_wait(
        self,
        instance_id: str,
        step_id: str,
        *,
        variables: bytes | None = None,
        expected_revision: int | None = None,
        actor: str = "",
    ) -> None:
        """Wake an instance parked at a WAIT step."""
        command = cmd.SignalWait(
            instance_id=instance_id,
            actor=actor,
            traceparent=traces.current(),
            step_id=step_id,
            variables=parse_variables(variables),
            expected_revision=expected_revision,
        )
        await self._do(command)

    async def list_user_tasks(
        self, *, instance_id: str = "", definition_id: str = "", status: str = "", page: int = 0, page_size: int = 0
    ) -> Page[UserTaskView]:
        """Return user tasks, oldest first."""
        part = checks.page_of(page, page_size, self.settings)
        where = UserTaskFilter(
            checks.check_text(instance_id, "instanceId"),
            checks.check_text(definition_id, "definitionId"),
            checks.task_status(status),
        )
        found, total = await self.store.reads.user_tasks(where, part.size, part.offset)
        items = [await self._task(row) for row in found]
        return Page(items=items, page=part.page, page_size=part.size, total=total)

    async def _task(self, row: UserTaskRow) -> UserTaskView:
        stored = await self.store.reads.definition(row.definition_id, row.definition_version)
        assert stored is not None
        instance = await self.store.reads.instance(row.instance_id) if row.status == "OPEN" else None
        return task_view(row, self._definitions.compiled(stored), instance)

    async def _do(self, command: cmd.Command) -> Outcome:
        checks.check_text(command.instance_id, "id")
        outcome = await self.executor.submit(Do(command))
        if outcome.error is not None:
            raise outcome.error
        return outcome

    async def _instance(self, instance_id: str) -> Instance:
        instance = await self.store.reads.instance(checks.check_text(instance_id, "id"))
        if instance is None:
            raise _no_instance(instance_id)
        return instance

    async def _demand(self, instance: Instance) -> Demand:
        now_ms = self.clock.now_ms()
        jobs = [JobRef(instance.id, step.seq, step.job.delivery) for step in instance.open.values() if step.job]
        return Demand(
            now_ms=now_ms,
            pollers=self.executor.polls.counts(),
            silent_ms=lambda job_type: self.executor.polls.times.silent_ms(job_type, now_ms),
            leases=await self.store.reads.leases(jobs) if jobs else {},
        )

    async def _record(self, instance_id: str) -> list[Committed]:
        record = await self.store.reads.history(checks.check_text(instance_id, "id"))
        if not record:
            raise _no_instance(instance_id)
        return record


def _no_instance(instance_id: str) -> NotFound:
    return NotFound(f"no instance has the id '{instance_id}'")
