"""What the tests of the machine share: workflows as text, and a driver that checks every step it takes.

A workflow is one step a line: `kind id [-> next[, branch…]] [=> join] [? condition -> step; …] [timers] [:: fields]`.
A timer is `!PT1M -> step` (interrupting) or `+PT1M -> step`; `:: {…}` adds any further JSON fields.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import msgspec
import pytest
from rochallor.core import commands as cmd
from rochallor.core import events as ev
from rochallor.core.apply import apply, fold
from rochallor.core.context import Context, Rules
from rochallor.core.definition import parse_definition
from rochallor.core.errors import WorkflowError
from rochallor.core.ids import JobRef
from rochallor.core.machine import step
from rochallor.core.model import Instance, Lease
from rochallor.core.variables import View, parse_variables

if "MUTANT_UNDER_TEST" in os.environ:
    # mutmut puts three frames of its own around every call; the deepest expressions would not fit.
    sys.setrecursionlimit(5_000)

SENTENCES = Path(__file__).parent / "sentences.json"
WRITE_THEM = "WRITE_SENTENCES"

T0 = 1_800_000_000_000
ID = "01JZZZZZZZZZZZZZZZZZZZZZZZ"
KINDS = {
    "task": "SERVICE_TASK",
    "user": "USER_TASK",
    "wait": "WAIT",
    "decide": "DECISION",
    "table": "DECISION_TABLE",
    "set": "TRANSFORMATION",
    "fork": "PARALLEL_GATEWAY",
    "join": "JOIN_GATEWAY",
    "end": "END",
}
_TIMER = re.compile(r" ([!+])(P\S+) -> (\S+)")


def described(line):
    """Return the JSON of a step from its line."""
    line, _, fields = line.partition(" :: ")
    timers = [
        {"type": "TIMER", "duration": duration, "interrupting": sign == "!", "targetStepId": target}
        for sign, duration, target in _TIMER.findall(line)
    ]
    line, _, conditions = _TIMER.sub("", line).partition(" ? ")
    line, _, joined = line.partition(" => ")
    head, _, targets = line.partition(" -> ")
    kind, name = head.split()
    told = {"id": name, "name": name, "type": KINDS[kind]}
    if kind == "fork":
        told |= {"parallelNextSteps": targets.split(", "), "joinStep": joined.strip()}
    elif targets:
        told["nextStep"] = targets.strip()
    if conditions:
        told["conditionalNextSteps"] = dict(part.strip().rsplit(" -> ", 1) for part in conditions.split(";"))
    if timers:
        told["boundaryEvents"] = timers
    return told | json.loads(fields or "{}")


def compiled(steps, **fields):
    """Return the definition that a list of steps makes; the first is the entry."""
    parsed = parse_definition(json.dumps({"id": "flow", "name": "Flow", "steps": steps} | fields).encode())
    assert parsed.definition is not None, parsed.problems
    return parsed.definition


def written(text, **fields):
    """Return the definition that a text makes."""
    lines = [line.strip() for line in text.splitlines()]
    return compiled([described(line) for line in lines if line], **fields)


def raw(variables):
    """Return decoded variables as the machine takes them."""
    return parse_variables(json.dumps(variables).encode())


class Driver:
    """One instance under virtual time. After every command it holds the machine to its word.

    The state given is untouched; a refusal leaves it as it was; all events add up to the new state; and state and
    events are the same after a trip through their encoding, after every single event.
    """

    def __init__(self, definition, rules=None):
        self.definition = definition
        self.rules = rules or Rules()
        self.now_ms = T0
        self.instance = None
        self.committed = []
        self.outcome = None
        self._shadow = None

    def do(self, command, *, lease=None, key_holder=None, entropy=0):
        """Do one command; raises what the machine raises."""
        context = Context(self.now_ms, entropy=entropy, rules=self.rules, lease=lease, key_holder=key_holder)
        before = msgspec.json.encode(self.instance)
        try:
            outcome = step(self.definition, self.instance, command, context)
        finally:
            assert msgspec.json.encode(self.instance) == before, "the state given to the machine was changed"
        if outcome.events:
            self._commit(command, outcome)
        else:
            assert outcome.instance is self.instance
        self.outcome = outcome
        return outcome

    def _commit(self, command, outcome):
        assert ev.decode_events(ev.encode_events(outcome.events)) == outcome.events
        revision = self.instance.revision + 1 if self.instance else 1
        assert outcome.instance.revision == revision
        self.instance = outcome.instance
        self.committed.append(
            ev.Committed(self.instance.id, revision, self.now_ms, command.actor, command.kind, outcome.events)
        )
        for event in outcome.events:
            self._follow(event, self.committed[-1])
        self._shadow.revision = revision
        assert self._shadow == self.instance
        assert fold(self.committed) == self.instance

    def _follow(self, event, committed):
        (event,) = ev.decode_events(ev.encode_events((event,)))
        if self._shadow is None:
            self._shadow = fold([msgspec.structs.replace(committed, events=(event,))])
        else:
            apply(self._shadow, event, committed.at_ms)
        self._shadow = msgspec.json.decode(msgspec.json.encode(self._shadow), type=Instance)

    def start(self, variables=None, *, key=None, parent=None, key_holder=None):
        """Start the instance."""
        command = cmd.StartInstance(
            instance_id=ID, variables=raw(variables or {}), business_key=key, parent_instance_id=parent
        )
        return self.do(command, key_holder=key_holder)

    def job(self, step_id):
        """Return the current job of the oldest open execution of a step."""
        opened = self.execution(step_id)
        return JobRef(ID, opened.seq, opened.job.delivery)

    def lease(self, *, worker="ann", token="t1", ms=30_000):
        """Return a lease that runs out `ms` from now."""
        return Lease(worker, token, self.now_ms + ms)

    def complete(self, target, variables=None, *, worker="ann", token="", lease="mine"):
        """Report success for a step's job, or for a job; the lease is held by ann unless told."""
        job = self.job(target) if isinstance(target, str) else target
        command = cmd.CompleteJob(
            instance_id=ID, job=job, worker_id=worker, variables=raw(variables or {}), lease_token=token
        )
        return self.do(command, lease=self.lease() if lease == "mine" else lease)

    def fail(self, target, message="boom", *, retryable=True, worker="ann", lease="mine", entropy=0, **fields):
        """Report failure for a step's job, or for a job."""
        job = self.job(target) if isinstance(target, str) else target
        command = cmd.FailJob(instance_id=ID, job=job, worker_id=worker, retryable=retryable, message=message, **fields)
        return self.do(command, lease=self.lease() if lease == "mine" else lease, entropy=entropy)

    def expire(self, target, *, lease="over"):
        """Let the lease of a job run out."""
        job = self.job(target) if isinstance(target, str) else target
        return self.do(cmd.ExpireLease(instance_id=ID, job=job), lease=self.lease(ms=0) if lease == "over" else lease)

    def fire(self, step_id, index=0, *, early=False):
        """Fire a timer of a step when it is due, or before."""
        opened = self.execution(step_id)
        due_ms = next((timer.due_ms for timer in opened.timers if timer.index == index), self.now_ms)
        self.now_ms = max(self.now_ms, due_ms - early)
        return self.do(cmd.FireTimer(instance_id=ID, seq=opened.seq, index=index))

    def task(self, step_id, result=None, *, by="", **fields):
        """Complete a user task."""
        return self.do(
            cmd.CompleteUserTask(instance_id=ID, step_id=step_id, completed_by=by, result=raw(result or {}), **fields)
        )

    def signal(self, step_id, variables=None, **fields):
        """Signal a wait step."""
        return self.do(cmd.SignalWait(instance_id=ID, step_id=step_id, variables=raw(variables or {}), **fields))

    def cancel(self, reason="", **fields):
        """Cancel the instance."""
        return self.do(cmd.CancelInstance(instance_id=ID, reason=reason, **fields))

    def retry(self, step_id, variables=None, *, key_holder=None, **fields):
        """Retry a failed step."""
        command = cmd.RetryStep(instance_id=ID, step_id=step_id, variables=raw(variables or {}), **fields)
        return self.do(command, key_holder=key_holder)

    def refused(self, ask, *args, **fields):
        """Do what must be refused without an event, and return the error."""
        before = self.instance
        with pytest.raises(WorkflowError) as caught:
            ask(*args, **fields)
        assert self.instance is before
        return caught.value

    def wait(self, ms):
        """Let time pass."""
        self.now_ms += ms

    def execution(self, step_id):
        """Return the oldest open execution of a step."""
        return next(entered for entered in self.instance.open.values() if entered.step_id == step_id)

    @property
    def status(self):
        """The instance's status as text."""
        return self.instance.status.value

    @property
    def reason(self):
        """Why the instance failed or was cancelled."""
        return self.instance.failure_reason

    @property
    def at(self):
        """The ids of all open steps, in entry order, repeated as often as they are open."""
        return [entered.step_id for entered in self.instance.open.values()]

    @property
    def variables(self):
        """The variables, decoded."""
        return dict(View(self.instance.variables))

    @property
    def events(self):
        """All events so far."""
        return [event for committed in self.committed for event in committed.events]

    def happened(self, kind):
        """Return the events of one class so far."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def latest(self):
        """The class names of the last command's events."""
        return [type(event).__name__ for event in self.outcome.events]

    @property
    def history(self):
        """How the steps that are closed ended, as (step id, outcome), in entry order."""
        ends = sorted(self.happened(ev.StepClosed), key=lambda event: event.seq)
        return [(event.step_id, event.outcome) for event in ends]

    def ended(self, step_id):
        """Return the outcomes of a step's closed executions, in entry order."""
        return [outcome for name, outcome in self.history if name == step_id]


@pytest.fixture(scope="session")
def define():
    """Give `define(text, **fields) -> Definition`."""
    return written


@pytest.fixture(scope="session")
def compile_steps():
    """Give `compile_steps(list of step JSON, **fields) -> Definition`."""
    return compiled


@pytest.fixture(scope="session")
def driver_of():
    """Give the driver's class, for tests that build their definitions themselves."""
    return Driver


@pytest.fixture
def flow():
    """Give `flow(text, rules=None, **fields) -> Driver` of an instance that is yet to be started."""

    def make(text, *, rules=None, **fields):
        return Driver(written(text, **fields), rules)

    return make


@pytest.fixture
def run():
    """Give `run(text, variables, rules=None, key=None, **fields) -> Driver` of a started instance."""

    def make(text, variables=None, *, rules=None, key=None, **fields):
        driver = Driver(written(text, **fields), rules)
        driver.start(variables, key=key)
        return driver

    return make


@pytest.fixture(scope="session")
def sentences():
    """`sentences(area, case, said)`: what people are told, word for word, as it was last read and found good.

    They are kept in sentences.json. After a change for the better, write them anew with WRITE_SENTENCES=1 and read the
    difference.
    """
    kept = json.loads(SENTENCES.read_text(encoding="utf-8")) if SENTENCES.exists() else {}

    def compare(area, case, said):
        if os.environ.get(WRITE_THEM):
            kept.setdefault(area, {})[case] = said
        assert kept[area][case] == said

    yield compare
    if os.environ.get(WRITE_THEM):
        SENTENCES.write_text(json.dumps(kept, indent=1, ensure_ascii=True, sort_keys=True) + "\n", encoding="utf-8")
