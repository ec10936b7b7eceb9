"""What the engine has promised, by its answers, and the comparison of that with the record."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import NamedTuple

import msgspec
from rochallor.core import events as ev
from rochallor.core.ids import JobRef, parse_job_id
from rochallor.core.model import Instance, InstanceStatus
from rochallor.ports import Dossier, Reads

from e2e.faults.flows import BY_ID

AT_ONCE = 200


class Ledger:
    """Everything that was answered with success, by what it was about.

    `effects` counts how often the work of a step execution was done by any worker: at least once by design, which is
    why an effect carries the step execution's id as its key.
    """

    def __init__(self) -> None:
        self.started: dict[str, str] = {}
        self.completed: dict[JobRef, int] = {}
        self.failed: dict[JobRef, int] = {}
        self.answered: dict[JobRef, int] = {}
        self.tasks: set[tuple[str, str]] = set()
        self.effects: Counter[tuple[str, int]] = Counter()
        self.lost_answers = 0
        self.refused: Counter[int] = Counter()


class Verdict(NamedTuple):
    """What is wrong, in sentences; all empty when nothing is."""

    lost: list[str]
    doubled: list[str]
    stuck: list[str]


class Record:
    """One instance's record in the terms of the ledger; without a dossier, the record of nothing."""

    def __init__(self, dossier: Dossier | None = None) -> None:
        self.executions: Counter[str] = Counter()
        self.completions: Counter[int] = Counter()
        self._closed: dict[int, ev.StepClosed] = {}
        self._over_ms: dict[tuple[int, int], int] = {}
        self._closed_ms: dict[int, int] = {}
        self._retried: set[tuple[int, int]] = set()
        for committed in dossier.history if dossier else ():
            for event in committed.events:
                self._take(event, committed.at_ms)

    def _take(self, event: ev.AnyEvent, at_ms: int) -> None:
        if isinstance(event, ev.StepEntered):
            self.executions[event.step_id] += 1
        elif isinstance(event, ev.StepClosed):
            self._closed[event.seq] = event
            self._closed_ms[event.seq] = at_ms
            self.completions[event.seq] += event.outcome == "COMPLETED"
        elif isinstance(event, ev.JobRetried | ev.JobExpired):
            ended = (event.seq, event.delivery - 1)
            self._over_ms[ended] = at_ms
            if isinstance(event, ev.JobRetried):
                self._retried.add(ended)

    def done_by(self, job: JobRef) -> bool:
        """Whether this very delivery completed its step."""
        closed = self._closed.get(job.seq)
        return closed is not None and closed.outcome == "COMPLETED" and closed.delivery == job.delivery

    def retried_after(self, job: JobRef) -> bool:
        """Whether a failure of this very delivery queued its job again."""
        return (job.seq, job.delivery) in self._retried

    def over_before(self, job: JobRef, at_ms: int) -> bool:
        """Whether this delivery was no longer the current one at this time."""
        ended_ms = (self._over_ms.get((job.seq, job.delivery)), self._closed_ms.get(job.seq))
        return any(ms is not None and ms <= at_ms for ms in ended_ms)

    def has_completed(self, step_id: str) -> bool:
        """Whether a step was executed once and completed."""
        return [closed.outcome for closed in self._closed.values() if closed.step_id == step_id] == ["COMPLETED"]


async def verify(reads: Reads, ledger: Ledger, *, clock_moved: bool = False) -> Verdict:
    """Compare the record of everything with the ledger. Nothing may be running any more."""
    records: dict[str, Record] = {}
    instances: list[Instance] = []
    after = ""
    while instance_ids := await reads.instance_ids(after, AT_ONCE):
        for dossier in await reads.dossiers(instance_ids):
            records[dossier.instance.id] = Record(dossier)
            instances.append(dossier.instance)
        after = instance_ids[-1]
    return Verdict(
        lost=_lost(records, ledger, clock_moved=clock_moved),
        doubled=[*_accepted_twice(ledger), *_born_twice(instances), *_done_twice(records, instances)],
        stuck=[problem for instance in instances for problem in _stuck(instance, records[instance.id])],
    )


def _lost(records: dict[str, Record], ledger: Ledger, *, clock_moved: bool) -> list[str]:
    of = defaultdict(Record, records)
    return [
        *(f"start of {instance_id}" for instance_id in ledger.started if instance_id not in records),
        *(f"accepted completion of {job}" for job in ledger.completed if not of[job.instance_id].done_by(job)),
        *(f"accepted failure of {job}" for job in ledger.failed if not of[job.instance_id].retried_after(job)),
        *(
            f"completion of {job}, answered at {answered_ms}"
            for job, answered_ms in ledger.answered.items()
            if not of[job.instance_id].done_by(job)
            and not clock_moved
            and not of[job.instance_id].over_before(job, answered_ms)
        ),
        *(
            f"completion of task {step_id} of {instance_id}"
            for instance_id, step_id in ledger.tasks
            if not of[instance_id].has_completed(step_id)
        ),
    ]


def _accepted_twice(ledger: Ledger) -> list[str]:
    accepted: Counter[tuple[str, int]] = Counter()
    for job, times in ledger.completed.items():
        accepted[job.instance_id, job.seq] += times
    return [f"{times} completions of {place} were accepted" for place, times in accepted.items() if times > 1]


def _born_twice(instances: list[Instance]) -> list[str]:
    children = Counter(own.parent_instance_id for own in instances if own.parent_instance_id)
    return [f"{parent} has {times} children" for parent, times in children.items() if times > 1]


def _done_twice(records: dict[str, Record], instances: list[Instance]) -> list[str]:
    doubled = []
    for own in instances:
        record, flow = records[own.id], BY_ID.get(own.definition_id)
        doubled += [f"{own.id}-{seq} completed {times} times" for seq, times in record.completions.items() if times > 1]
        for step_id, (_, most) in flow.executions.items() if flow else ():
            if record.executions[step_id] > most:
                doubled.append(f"{own.id}: step {step_id} was executed {record.executions[step_id]} times")
    return doubled


def _stuck(own: Instance, record: Record) -> list[str]:
    flow, where = BY_ID.get(own.definition_id), f"{own.definition_id} {own.id}"
    if not own.status.terminal:
        return [f"{where} is {own.status.value} at {own.current_step_ids}: {msgspec.json.encode(own).decode()}"]
    if flow is None:
        return []
    if own.status is not InstanceStatus.COMPLETED:
        return [f"{where} is {own.status.value}: {own.failure_reason}"]
    skipped = [step for step, (least, _) in flow.executions.items() if record.executions[step] < least]
    if flow.definition.get("autoStartNextWorkflow") and own.child_instance_id is None:
        skipped.append("its child")
    return [f"{where} completed without {skipped}"] if skipped else []


def job_ref(job_id: str) -> JobRef:
    """Return what a job id names."""
    found = parse_job_id(job_id)
    assert found is not None
    return found
