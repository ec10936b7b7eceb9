"""What the engine has promised, by its answers, and the comparison of that with the record."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import msgspec
from rochallor.core import events as ev
from rochallor.core.ids import JobRef, parse_job_id
from rochallor.core.model import InstanceStatus
from rochallor.ports import Dossier, Reads

from e2e.faults.flows import BY_ID, Flow

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
    """One instance's record, in the terms of the ledger."""

    def __init__(self, dossier: Dossier) -> None:
        self.instance = dossier.instance
        self.closed: dict[int, ev.StepClosed] = {}
        self.closed_ms: dict[int, int] = {}
        self.retried: set[tuple[int, int]] = set()
        self.requeued_ms: dict[tuple[int, int], int] = {}
        self.executions: Counter[str] = Counter()
        self.completions: Counter[int] = Counter()
        for committed in dossier.history:
            for event in committed.events:
                self._take(event, committed.at_ms)

    def _take(self, event: ev.AnyEvent, at_ms: int) -> None:
        if isinstance(event, ev.StepEntered):
            self.executions[event.step_id] += 1
        elif isinstance(event, ev.StepClosed):
            self.closed[event.seq] = event
            self.closed_ms[event.seq] = at_ms
            self.completions[event.seq] += event.outcome == "COMPLETED"
        elif isinstance(event, ev.JobRetried | ev.JobExpired):
            self.requeued_ms[event.seq, event.delivery - 1] = at_ms
            if isinstance(event, ev.JobRetried):
                self.retried.add((event.seq, event.delivery - 1))

    def done_by(self, job: JobRef) -> bool:
        """Whether this very delivery completed its step."""
        closed = self.closed.get(job.seq)
        return closed is not None and closed.outcome == "COMPLETED" and closed.delivery == job.delivery

    def over_ms(self, job: JobRef) -> int | None:
        """When this delivery stopped being the current one, None when it never did."""
        at_ms = (self.requeued_ms.get((job.seq, job.delivery)), self.closed_ms.get(job.seq))
        return min((ms for ms in at_ms if ms is not None), default=None)


async def verify(reads: Reads, ledger: Ledger, *, clock_moved: bool = False) -> Verdict:
    """Compare the record of everything with the ledger. Nothing may be running any more."""
    records: dict[str, Record] = {}
    after = ""
    while instance_ids := await reads.instance_ids(after, AT_ONCE):
        for dossier in await reads.dossiers(instance_ids):
            records[dossier.instance.id] = Record(dossier)
        after = instance_ids[-1]
    return Verdict(
        lost=_lost(records, ledger, clock_moved=clock_moved),
        doubled=_doubled(records, ledger),
        stuck=[problem for record in records.values() for problem in _stuck(record)],
    )


def _lost(records: dict[str, Record], ledger: Ledger, *, clock_moved: bool) -> list[str]:
    lost = [f"start of {instance_id}" for instance_id in ledger.started if instance_id not in records]
    for job in ledger.completed:
        if job.instance_id not in records or not records[job.instance_id].done_by(job):
            lost.append(f"accepted completion of {job}")
    for job in ledger.failed:
        if job.instance_id not in records or (job.seq, job.delivery) not in records[job.instance_id].retried:
            lost.append(f"accepted failure of {job}")
    for job, answered_ms in ledger.answered.items():
        if job.instance_id not in records:
            lost.append(f"completion of {job}")
        elif not records[job.instance_id].done_by(job) and not clock_moved:
            over_ms = records[job.instance_id].over_ms(job)
            if over_ms is None or over_ms > answered_ms:
                lost.append(f"completion of {job}, current until {over_ms}, answered at {answered_ms}")
    for instance_id, step_id in ledger.tasks:
        record = records.get(instance_id)
        closed = [] if record is None else [c for c in record.closed.values() if c.step_id == step_id]
        if [c.outcome for c in closed] != ["COMPLETED"]:
            lost.append(f"completion of task {step_id} of {instance_id}")
    return lost


def _doubled(records: dict[str, Record], ledger: Ledger) -> list[str]:
    doubled: list[str] = []
    accepted = Counter((job.instance_id, job.seq) for job in ledger.completed)
    doubled += [f"accepted {times} completions of {place}" for place, times in accepted.items() if times > 1]
    accepted_again = [job for job, times in ledger.completed.items() if times > 1]
    doubled += [f"accepted {job} {ledger.completed[job]} times" for job in accepted_again]
    children = Counter(record.instance.parent_instance_id for record in records.values())
    del children[None]
    doubled += [f"{times} children of {parent}" for parent, times in children.items() if times > 1]
    for instance_id, record in records.items():
        doubled += [f"{n} completions of {instance_id}-{seq}" for seq, n in record.completions.items() if n > 1]
        flow = BY_ID.get(record.instance.definition_id)
        if flow is not None:
            doubled += [f"{instance_id}: {problem}" for problem in _too_often(record, flow)]
    return doubled


def _too_often(record: Record, flow: Flow) -> list[str]:
    counts = ((step_id, record.executions[step_id], most) for step_id, (_, most) in flow.executions.items())
    return [f"step {step_id} was executed {times} times" for step_id, times, most in counts if times > most]


def _stuck(record: Record) -> list[str]:
    own = record.instance
    flow = BY_ID.get(own.definition_id)
    where = f"{own.definition_id} {own.id}"
    if not own.status.terminal:
        return [f"{where} is {own.status.value} at {own.current_step_ids}: {msgspec.json.encode(own).decode()}"]
    if flow is None:
        return []
    if own.status is not InstanceStatus.COMPLETED:
        return [f"{where} is {own.status.value}: {own.failure_reason}"]
    skipped = [step for step, (least, _) in flow.executions.items() if record.executions[step] < least]
    if flow.id == "parent" and own.child_instance_id is None:
        skipped.append("its child")
    return [f"{where} completed without {skipped}"] if skipped else []


def job_ref(job_id: str) -> JobRef:
    """Return what a job id names."""
    found = parse_job_id(job_id)
    assert found is not None
    return found
