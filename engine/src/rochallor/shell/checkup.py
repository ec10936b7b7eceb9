"""What must hold of one instance and all that is stored about it: a table of checks.

Belongs here: `CHECKS`, a row for each promise, with what it proves, a function from a case to sentences, and what to do
about them. All of it is pure. What would break it: deciding what a state should be. The history says it, `fold` is the
judge; a check only compares what must be two views of one thing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any, NamedTuple

import msgspec

from rochallor.core import events as ev
from rochallor.core.model import Instance, InstanceStatus, StepType
from rochallor.ports import Dossier

SKEW_MS = 5_000
OVERDUE_MS = 60_000
RESTORE = "stop the engine, keep a copy of the store as it is, and restore the last backup; report this as a bug"


class Case(NamedTuple):
    """An instance as the checks see it: what is stored, what its history adds up to, and who it is related to.

    `folded` is None when the history adds up to nothing. `parent` and `child` are None when there are none, or when
    they are named and do not exist.
    """

    dossier: Dossier
    folded: Instance | None
    parent: Instance | None
    child: Instance | None
    has_definition: bool
    unique_keys: bool
    now_ms: int

    @property
    def stored(self) -> Instance:
        """The state as the engine would load it."""
        return self.dossier.instance


class Check(NamedTuple):
    """A row of the table. `examine` gives one sentence for everything that is wrong."""

    name: str
    proves: str
    examine: Callable[[Case], Iterable[str]]
    next_action: str = RESTORE
    grave: bool = True


def check_history(case: Case) -> Iterator[str]:
    """Compare the state field by field."""
    if case.folded is None:
        yield "its history does not add up to any state"
        return
    for field in msgspec.structs.fields(Instance):
        told, kept = getattr(case.folded, field.name), getattr(case.stored, field.name)
        if _order(told) != _order(kept) or told != kept:
            yield f"its history says {field.name} = {_short(told)}, its state says {_short(kept)}"


def check_revisions(case: Case) -> Iterator[str]:
    """Count the revisions through."""
    revisions = [committed.revision for committed in case.dossier.history]
    if revisions != list(range(1, len(revisions) + 1)):
        yield f"its history has revisions {_short(revisions)}, which is not every number from 1 once"
    if case.dossier.listed != (case.stored.status.value, case.stored.revision):
        listed = "{} at revision {}".format(*case.dossier.listed)
        yield f"it is listed as {listed}, its state is {case.stored.status.value} at revision {case.stored.revision}"


def check_executions(case: Case) -> Iterator[str]:
    """Count how often each step execution was entered and closed, and each of its timers fired."""
    happened: Counter[tuple[Any, ...]] = Counter()
    for event in _events(case):
        if isinstance(event, ev.StepEntered | ev.StepClosed):
            happened[type(event).__name__, event.seq] += 1
        elif isinstance(event, ev.TimerFired):
            happened["TimerFired", event.seq, event.index] += 1
    for (name, *place), times in happened.items():
        if times > 1:
            yield f"its history has {name} {times} times for step execution {place[0]}"


def check_jobs(case: Case) -> Iterator[str]:
    """Compare the queue with the open service tasks."""
    expected = {
        (step.seq, step.job.delivery, step.job.job_type, step.job.retries_remaining, step.job.ready_at_ms)
        for step in case.stored.open.values()
        if step.job is not None
    }
    for step in case.stored.open.values():
        if step.step_type is StepType.SERVICE_TASK and step.job is None:
            yield f"step {step.step_id} ({step.seq}) is open and has no job"
    yield from _compare("job", expected, {job[:5] for job in case.dossier.jobs})


def check_timers(case: Case) -> Iterator[str]:
    """Compare the clockwork with the open steps."""
    expected = {(step.seq, timer.index, timer.due_ms) for step in case.stored.open.values() for timer in step.timers}
    yield from _compare("timer", expected, set(case.dossier.timers))


def check_tasks(case: Case) -> Iterator[str]:
    """Compare the list of user tasks with the steps that were ever entered."""
    expected: dict[int, str] = {}
    for event in _events(case):
        if isinstance(event, ev.UserTaskOpened):
            expected[event.seq] = "OPEN"
        elif isinstance(event, ev.StepClosed) and event.seq in expected:
            expected[event.seq] = "COMPLETED" if event.outcome == "COMPLETED" else "CANCELLED"
    yield from _compare("user task", set(expected.items()), set(case.dossier.tasks))


def check_keys(case: Case) -> Iterator[str]:
    """Compare the key an instance holds with the one it should."""
    own, held = case.stored, case.dossier.keys
    if own.business_key is None or own.status.terminal or not case.unique_keys:
        if held:
            yield f"it holds the business key {_short(held[0][1])} and must not"
    elif not held:
        yield f"it is in flight and does not hold its business key {_short(own.business_key)}"


def check_chains(case: Case) -> Iterator[str]:
    """Compare the request for the next workflow with the history, and parents with children."""
    own, asked = case.stored, None
    for event in _events(case):
        if isinstance(event, ev.ChainRequested):
            asked = (event.next_workflow_id, own.business_key)
        elif isinstance(event, ev.ChildStarted):
            asked = None
    yield from _compare("chain", {asked} if asked else set(), set(case.dossier.chains))
    if own.child_instance_id and (case.child is None or case.child.parent_instance_id != own.id):
        yield f"it names {own.child_instance_id} as its child, which does not name it as its parent"
    if own.parent_instance_id and (case.parent is None or case.parent.child_instance_id != own.id):
        yield f"it names {own.parent_instance_id} as its parent, which does not name it as its child"


def check_ends(case: Case) -> Iterator[str]:
    """Look for anything alive in what has ended, and for nothing alive in what has not."""
    own, dossier = case.stored, case.dossier
    if not own.status.terminal:
        if not own.open:
            yield "it is in flight and no step of it is open: nothing will ever move it"
        return
    open_tasks = [seq for seq, status in dossier.tasks if status == "OPEN"]
    left: dict[str, Sized] = {
        "steps": own.open,
        "activations": own.activations,
        "jobs": dossier.jobs,
        "timers": dossier.timers,
        "open user tasks": open_tasks,
        "chains": dossier.chains if own.status is not InstanceStatus.COMPLETED else (),
    }
    yield from (f"it is {own.status.value} and still has {len(rest)} {name}" for name, rest in left.items() if rest)


def check_definition(case: Case) -> Iterator[str]:
    """Look for the version that the instance is pinned to."""
    if not case.has_definition:
        yield f"version {case.stored.definition_version} of definition '{case.stored.definition_id}' is gone"


def check_clock(case: Case) -> Iterator[str]:
    """Look for times that have not come yet."""
    latest_ms = max((committed.at_ms for committed in case.dossier.history), default=0)
    if latest_ms > case.now_ms + SKEW_MS:
        yield f"it last changed {(latest_ms - case.now_ms) / 1000:.0f} s in the future of this host's clock"


def check_overdue(case: Case) -> Iterator[str]:
    """Look for work whose time has passed while nobody did it."""
    late_ms = case.now_ms - OVERDUE_MS
    timers = sum(1 for *_, due_ms in case.dossier.timers if due_ms < late_ms)
    leases = sum(1 for job in case.dossier.jobs if job.lease_expires_at_ms and job.lease_expires_at_ms < late_ms)
    if timers or leases:
        yield f"{timers} timers and {leases} leases of it ran out more than {OVERDUE_MS // 1000} s ago"


CHECKS = (
    Check("history", "adding up an instance's history gives exactly its stored state", check_history),
    Check("revisions", "the history counts every revision once, and lists show the last one", check_revisions),
    Check("executions", "no step execution was entered or closed twice, no timer fired twice", check_executions),
    Check("jobs", "every open service task has its job in the queue, and every job its open step", check_jobs),
    Check("timers", "every pending timer belongs to an open step, at the same time", check_timers),
    Check("tasks", "every user task is listed with what became of it", check_tasks),
    Check(
        "keys",
        "a business key is held exactly by the instance in flight that has it",
        check_keys,
        "if the engine runs with WE_BUSINESS_KEY_UNIQUE=false, give doctor the same; otherwise restart the engine "
        "once with false and once with true, which makes out anew who holds the keys",
    ),
    Check(
        "chains", "a next workflow is either requested or started, and parent and child know each other", check_chains
    ),
    Check("ends", "what has ended has nothing open, and what is in flight has", check_ends),
    Check(
        "definition",
        "the definition version that an instance is pinned to exists",
        check_definition,
        "restore the row of that version from a backup; until then the instance cannot move",
    ),
    Check(
        "clock",
        "nothing has happened in the future",
        check_clock,
        "set the clocks of this host and of the engines (ntp); what was timed meanwhile is off by as much",
        grave=False,
    ),
    Check(
        "overdue",
        "what time has made due was done",
        check_overdue,
        "start an engine on this store; if one is running, its log says why it does not",
        grave=False,
    ),
)


def _events(case: Case) -> Iterator[ev.AnyEvent]:
    return (event for committed in case.dossier.history for event in committed.events)


def _compare(what: str, expected: set[Any], found: set[Any]) -> Iterator[str]:
    for row in sorted(expected - found, key=str):
        yield f"its {what} {_short(row)} is missing"
    for row in sorted(found - expected, key=str):
        yield f"its {what} {_short(row)} should not be there"


def _order(value: object) -> list[Any] | None:
    """Return the order of what has one: open steps are taken in entry order."""
    return list(value) if isinstance(value, dict) else None


def _short(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


_SHOWN = 80
