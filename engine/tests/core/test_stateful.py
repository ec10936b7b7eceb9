"""The machine under everything that can be asked of it, in any order: what always holds, whatever the workflow.

Workflows are a handful of rich ones and generated ones. STATEFUL_EXAMPLES=5000 runs longer, with fresh chance.
"""

# Long because: the rules of one state machine belong to one class.

import os
from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from rochallor.core import commands as cmd
from rochallor.core import events as ev
from rochallor.core.context import Rules
from rochallor.core.errors import WorkflowError
from rochallor.core.ids import JobRef
from rochallor.core.model import InstanceStatus, StepType

EXAMPLES = int(os.environ.get("STATEFUL_EXAMPLES", "0"))
SETTINGS = settings(
    max_examples=EXAMPLES or 350,
    derandomize=not EXAMPLES,
    database=None,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
RULES = Rules(max_variables_bytes=600, step_budget=60, max_deliveries=2)
ID = "01JZZZZZZZZZZZZZZZZZZZZZZZ"
BEGIN = {"go": False, "back": False, "n": 0}
FINISH = {"go": True, "back": False, "n": 9}

RICH = {
    "loan": """
        table risk -> checks :: {"hitPolicy": "F", "decisionTable": {"rules": \
            [{"when": {"n": "n > 3"}, "outputs": {"tier": "LOW"}}, {"outputs": {"tier": "HIGH"}}]}}
        fork checks -> score, fraud, review => checked
        task score -> checked :: {"retryCount": 2, "retryPolicy": {"initialDelay": "PT1S"}}
        task fraud -> checked ? go -> end :: {"retryCount": 1}
        user review -> checked !PT2M -> escalate +PT1M -> remind
        user escalate -> checked
        task remind
        join checked -> decide
        decide decide ? go -> end ; back -> checks ; true -> hold
        wait hold -> decide !P1D -> end
        end end
    """,
    "nested": """
        fork outer -> inner, right => all
        fork inner -> a, b => some
        task a -> some ? go -> all
        user b -> some +PT1M -> extra
        set extra -> inner2 :: {"transformations": {"n": "${n + 1}"}}
        fork inner2 -> c, d => all
        wait c -> all !PT1M -> some
        task d ? go -> all
        join some -> right
        task right -> all ? back -> outer
        join all -> last
        task last -> end :: {"outputs_schema": {"properties": {"go": {"type": "boolean"}}}}
        end end
    """,
    "leaving": """
        fork outer -> inner, c => all
        fork inner -> a, b => some
        task a -> all +PT1M -> x
        user b -> all ? back -> some
        user x ? go -> all ; back -> some
        task c -> all
        join some -> all
        join all -> last
        task last -> end ? back -> outer
        end end
    """,
}


class Graph:
    """A generated workflow. Strict: no token of a branch may die, or leave its gateway, but by a join or an END."""

    def __init__(self, chance, size, strict):
        self.pick = chance.choice
        self.strict = strict
        self.steps = []
        self.joins = set()
        self.left = size

    def add(self, kind, **fields):
        step = {"id": f"s{len(self.steps)}", "name": "a step", "type": kind} | fields
        self.steps.append(step)
        self.left -= 1
        return step

    def block(self, onward, exits, *, forked=False, mortal=False, depth=0):
        """Build something that leads to `onward` (None: a dead end) and may leave by `exits`; return its first id."""
        kinds = ["task", "task", "linear", "linear"]
        if self.left > 0 and depth < 5:
            kinds += ["fork", "fork", "row", "loop", "choice", *(["set"] if onward else [])]
        place = {"forked": forked, "mortal": mortal, "depth": depth + 1}
        return getattr(self, f"_{self.pick(kinds)}")(onward, exits, place)

    def _linear(self, onward, exits, place):
        return self._row(onward, exits, place) if self.left > 4 else self._task(onward, exits, place)

    def _row(self, onward, exits, place):
        return self.block(self.block(onward, exits, **place), exits, **place)

    def _set(self, onward, _exits, _place):
        return self.add("TRANSFORMATION", transformations={"n": "${n + 1}"}, nextStep=onward)["id"]

    def _choice(self, onward, exits, place):
        ways = {"go": self.block(onward, exits, **place), "true": self.block(onward, exits, **place)}
        return self.add("DECISION", conditionalNextSteps=ways)["id"]

    def _loop(self, onward, exits, place):
        again = self.add("DECISION")
        first = self.block(again["id"], exits, **place)
        out = onward or self._task(None, exits, place)
        again["conditionalNextSteps"] = {"back": first, "true": out}
        return first

    def _fork(self, onward, exits, place):
        shared = [name for name in exits if name in self.joins] if self.pick([False, False, True]) else []
        fork = self.add("PARALLEL_GATEWAY")
        if shared:
            join = self.pick(shared)
        else:
            join = self.add("JOIN_GATEWAY", nextStep=onward or self._task(None, exits, place))["id"]
        self.joins.add(join)
        inside = place | {"forked": True, "mortal": place["mortal"] or not self.strict}
        leave = [*exits, join]
        branches = [self.block(join, leave, **inside) for _ in range(self.pick([2, 2, 3]))]
        fork |= {"parallelNextSteps": branches, "joinStep": join}
        return self._again(fork, branches)

    def _again(self, fork, _branches):
        if self.pick([True, False]):
            loop = self.add("SERVICE_TASK", nextStep=fork["joinStep"], conditionalNextSteps={"back": fork["id"]})
            fork["parallelNextSteps"].append(loop["id"])
        return fork["id"]

    def _task(self, onward, exits, place):
        step = self.add(self.pick(["SERVICE_TASK", "USER_TASK", "WAIT"]))
        if onward:
            step["nextStep"] = onward
        if place["mortal"] and step["type"] != "WAIT" and self.pick([True, False]):
            step.pop("nextStep", None)
        elif step["type"] == "WAIT" and not onward:
            step["type"] = "SERVICE_TASK"
        if exits and self.pick([True, False, False]):
            step["conditionalNextSteps"] = {self.pick(["go", "back"]): self.pick(exits)}
        if step["type"] == "SERVICE_TASK":
            step["retryCount"] = self.pick([1, 3])
        self._timers(step, onward, exits, place)
        return step["id"]

    def _timers(self, step, onward, exits, place):
        timers = []
        ways = [*exits, onward] if onward else exits
        if ways and self.pick([True, False, False, False]):
            timers.append((self.pick(["PT1M", "PT5M"]), True, self.pick(ways)))
        if self.left > 0 and self.pick([True, False, False]):
            mortal = place | {"mortal": place["forked"] or place["mortal"], "depth": place["depth"] + 1}
            target = self.block(self.pick([*ways, None]), exits, **mortal)
            timers.append((self.pick(["PT1M", "PT2M"]), False, target))
        if timers:
            step["boundaryEvents"] = [
                {"type": "TIMER", "duration": duration, "interrupting": interrupting, "targetStepId": target}
                for duration, interrupting, target in timers
            ]

    def build(self):
        end = self.add("END")["id"]
        again = self.add("SERVICE_TASK", nextStep=end)
        first = self.block(again["id"], [] if self.strict else [end], mortal=not self.strict)
        again["conditionalNextSteps"] = {"!go": first}
        entry = self.add("TRANSFORMATION", transformations={"n": 0}, nextStep=first)
        # Whatever was drawn, every step must be reachable, and an END: a decision at the door that never opens.
        door = self.add("DECISION", conditionalNextSteps={"n >= 0": first})
        door["conditionalNextSteps"] |= {f"n == -{at}": step["id"] for at, step in enumerate(self.steps, 1)}
        entry["nextStep"] = door["id"]
        return [entry, *(step for step in self.steps if step is not entry)]


def drawn_graph(seed, size, strict):
    """Return (steps, strict) of a workflow; a seed instead of many draws, or nearly all would be tiny."""
    return Graph(Random(seed), size, strict).build(), strict


GRAPHS = st.builds(drawn_graph, st.integers(0, 2**32), st.integers(2, 16), st.booleans())


SANE = [{}, {"go": True}, {"go": False}, {"back": True}, {"back": False}, {"go": False, "back": False}, {"n": 5}]
RESULTS = st.sampled_from([*SANE, {"go": 3}, {"x": "y" * 600}])
PLACE = st.integers(0, 50)


class Anything(RuleBasedStateMachine):
    """Commands at random, right and wrong, early and late."""

    driver_of = compile_steps = define = None

    @initialize(drawn=st.one_of(st.sampled_from(sorted(RICH)), GRAPHS, GRAPHS))
    def begin(self, drawn):
        cls = type(self)
        self.strict = True
        if isinstance(drawn, str):
            definition = cls.define(RICH[drawn])
        else:
            steps, self.strict = drawn
            definition = cls.compile_steps(steps)
        self.restart(definition)

    def restart(self, definition):
        """Begin (again), with a new instance."""
        self.at = type(self).driver_of(definition, RULES)
        self.jobs = []
        self.fired = Counter()
        self.ended = Counter()
        self.seen = 0
        self.at.start(BEGIN)
        self.note()

    def teardown(self):
        """Whatever happened: an instance in flight can be worked to its end, and never starves by itself."""
        if not hasattr(self, "at"):
            return
        for _ in range(300):
            if self.over:
                break
            step = next(step for step in self.open if step.step_type is not StepType.JOIN_GATEWAY)
            self.finish(step, FINISH)
        assert self.over, "an instance that is worked on must come to an end"

    @property
    def instance(self):
        return self.at.instance

    @property
    def open(self):
        return list(self.instance.open.values())

    @property
    def over(self):
        return self.instance.status.terminal

    def ask(self, do, *args, **fields):
        before = self.instance
        try:
            do(*args, **fields)
        except WorkflowError:
            assert self.instance is before
        self.note()

    def note(self):
        """Follow the events that are new; remember every job there ever was."""
        for event in self.at.events[self.seen :]:
            if isinstance(event, ev.JobCreated | ev.JobRetried | ev.JobExpired):
                self.jobs.append(JobRef(ID, event.seq, event.delivery))
            elif isinstance(event, ev.GatewayFired):
                self.fired[event.activation] += 1
            elif isinstance(event, ev.ActivationEnded):
                self.ended[event.activation] += 1
        self.seen = len(self.at.events)

    def one_of(self, place, kind):
        found = [step for step in self.open if step.step_type is kind]
        return found[place % len(found)] if found else None

    def current(self, place):
        step = self.one_of(place, StepType.SERVICE_TASK)
        return step and JobRef(ID, step.seq, step.job.delivery)

    @rule(turns=st.lists(st.tuples(PLACE, st.sampled_from(SANE)), min_size=1, max_size=8))
    def work(self, turns):
        """Most of what happens to an instance is right: steps are done and timers fire, in any order."""
        for place, result in turns:
            if self.instance.status is InstanceStatus.FAILED:
                self.retry_failed_step(FINISH)
            if self.over:
                self.restart(self.at.definition)
            steps = [step for step in self.open if step.step_type is not StepType.JOIN_GATEWAY]
            if not steps:
                return
            step = steps[place % len(steps)]
            if step.timers and place % 3 == 0:
                self.at.wait(max(0, step.timers[-1].due_ms - self.at.now_ms))
                self.ask(self.at.do, cmd.FireTimer(instance_id=ID, seq=step.seq, index=step.timers[-1].index))
            else:
                self.finish(step, result)

    def finish(self, step, result):
        """Report the oldest open execution of a step as done."""
        if step.job:
            self.ask(self.at.complete, JobRef(ID, step.seq, step.job.delivery), result)
        else:
            self.ask(self.at.task if step.step_type is StepType.USER_TASK else self.at.signal, step.step_id, result)

    @rule(place=PLACE, result=RESULTS, token=st.sampled_from(["", "t1"]))
    def complete(self, place, result, token):
        """Some results break a rule."""
        if job := self.current(place):
            self.ask(self.at.complete, job, result, token=token)

    @rule(place=PLACE, retryable=st.sampled_from([True, True, True, False]), after=st.sampled_from([None, 0, 5000]))
    def fail(self, place, retryable, after):
        """Workers fail."""
        if job := self.current(place):
            self.ask(self.at.fail, job, retryable=retryable, retry_after_ms=after)

    @rule(place=PLACE, over=st.booleans())
    def expire(self, place, over):
        """Leases run out, or were extended in time."""
        if job := self.current(place):
            self.ask(self.at.expire, job, lease=self.at.lease(ms=0 if over else 1))

    @rule(place=PLACE, which=st.sampled_from(["task", "signal", "retry"]), revision=st.sampled_from([None, None, 1]))
    def ask_of_any_step(self, place, which, revision):
        """People ask of steps what they can and what they cannot do."""
        steps = self.at.definition.steps
        self.ask(getattr(self.at, which), steps[place % len(steps)].id, {}, expected_revision=revision)

    @rule(place=PLACE, how=st.sampled_from(["old", "made up", "unheld", "bob", "timer", "child", "time"]))
    def confuse(self, place, how):
        """Reports are late, invented or of somebody else; timers were overtaken; time passes."""
        before, job = self.instance, self.current(place)
        if how == "old":
            self.ask(self.at.fail, self.jobs[place % len(self.jobs)] if self.jobs else JobRef(ID, 1, 1), lease=None)
        elif how == "made up":
            self.ask(self.at.complete, JobRef(ID, place + 1, 99))
        elif how == "timer":
            self.ask(self.at.do, cmd.FireTimer(instance_id=ID, seq=place, index=9))
        elif how in ("unheld", "bob") and job:
            held = self.at.lease(worker="bob", token="other") if how == "bob" else None
            self.ask(self.at.complete, job, lease=held)
            self.ask(self.at.fail, job, lease=held, lease_token="mine")
        assert self.instance is before
        if how == "child":
            self.ask(self.at.do, cmd.LinkChild(instance_id=ID, child_instance_id="child"))
        self.at.wait(place)

    @precondition(lambda self: self.instance.status is InstanceStatus.FAILED)
    @rule(result=RESULTS)
    def retry_failed_step(self, result):
        """A failed instance comes back."""
        failed = next(step for step in self.instance.frozen.steps if step.seq == self.instance.frozen.failed)
        self.ask(self.at.retry, failed.step_id, result)

    @precondition(lambda self: len(self.at.committed) > 15)
    @rule()
    def cancel(self):
        """Somebody has had enough."""
        self.ask(self.at.cancel)

    @invariant()
    def jobs_have_open_steps(self):
        """A service task that is open has a job, and nothing else has one."""
        for step in self.open:
            assert (step.job is not None) == (step.step_type is StepType.SERVICE_TASK)

    @invariant()
    def the_end_is_the_end(self):
        """A terminal instance has no open work, and says when it ended."""
        if self.over:
            assert not self.instance.open
            assert not self.instance.activations
            assert not self.instance.parked
        assert (self.instance.completed_at_ms is not None) == self.over
        assert (self.instance.frozen is not None) == (self.instance.status is InstanceStatus.FAILED)

    @invariant()
    def status_matches_the_open_steps(self):
        """WAITING if and only if a user task or a wait is open; nothing in flight hangs."""
        if self.over:
            return
        kinds = {step.step_type for step in self.open}
        waits = bool(kinds & {StepType.USER_TASK, StepType.WAIT})
        assert self.instance.status is (InstanceStatus.WAITING if waits else InstanceStatus.ACTIVE)
        assert kinds <= {StepType.SERVICE_TASK, StepType.USER_TASK, StepType.WAIT, StepType.JOIN_GATEWAY}
        assert kinds - {StepType.JOIN_GATEWAY}

    @invariant()
    def joins_fire_once(self):
        """An activation begins once and ends at most once; one join waits for it if and only if a token arrived."""
        assert all(times == 1 for times in self.fired.values())
        assert all(times == 1 for times in self.ended.values())
        waiting = Counter(step.waits_for for step in self.open if step.step_type is StepType.JOIN_GATEWAY)
        arrived = {key for key, activation in self.instance.activations.items() if activation.arrived}
        assert waiting == Counter(arrived)

    @invariant()
    def tokens_add_up(self):
        """What a join expects is what has arrived and what is alive; more only where a branch's token has died."""
        alive = Counter(step.token.activation for step in self.open if step.waits_for is None)
        alive.update(activation.parent.activation for activation in self.instance.activations.values())
        for activation in self.instance.activations.values():
            known = activation.arrived + alive[activation.id]
            assert 0 <= activation.arrived < activation.expected
            assert known == activation.expected if self.strict else known <= activation.expected
        assert set(alive) <= {None, *self.instance.activations}

    @invariant()
    def well_made_workflows_do_not_starve(self):
        """Where every branch leads to its join, no join ever waits in vain."""
        if self.strict and self.instance.failure_reason:
            assert not self.instance.failure_reason.startswith("JoinStarved")


def test_anything(driver_of, compile_steps, define):
    """Whatever is asked of an instance, in whatever order, what must always hold holds."""
    machine = type(
        "Bound",
        (Anything,),
        {"driver_of": driver_of, "compile_steps": staticmethod(compile_steps), "define": staticmethod(define)},
    )
    run_state_machine_as_test(machine, settings=SETTINGS)


@pytest.mark.parametrize("name", sorted(RICH))
def test_rich_definitions_are_valid(define, name):
    """The hand-made workflows are accepted."""
    assert define(RICH[name]).steps
