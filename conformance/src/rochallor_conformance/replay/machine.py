"""Random stories told to an engine and to the model at once; they must agree after each act.

Hypothesis makes up the story, and shrinks one that fails to the shortest that still does. Numbers choose what an act is
about: mostly something for which it is allowed, now and then anything. The model knows what must come of it, refusals
included. After each act the instance is read; at the end of a story every instance is, and the oracles judge all that
was said.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from rochallor_conformance.oracles import Scene, findings
from rochallor_conformance.replay.model import ASK, KINDS, PARK, Definition, Instance, Job, Told, step_id
from rochallor_conformance.report.failures import line_of
from rochallor_conformance.transports.exchange import Answer, Journal, Json

Call = Callable[[str, Json, Journal], Answer]
"""Carries out an operation with REST-named arguments, and writes it into the journal."""
T = TypeVar("T")
WORKER, LEASE_S = "model-worker", 3600
CONFLICT, NOT_FOUND = "conflict", "not-found"
PICK = st.integers(1, 99)
ANYTHING_EVERY = 4
VARIABLES = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), st.none() | st.integers(-9, 9) | st.sampled_from(["", "x", [1, {"y": None}]])
)
SHAPES = st.lists(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4), min_size=1, max_size=3)


class Story(NamedTuple):
    """What all stories of a session share. `nonce` makes names unique; `base_only` engines lack our additions."""

    call: Call
    nonce: str
    base_only: bool = False


def tell(story: Story, *, seed: int, examples: int, steps: int, shrink: bool = True) -> Told:
    """Tell stories; return where the engine and the model part, in the shortest story unless it is not to be shrunk.

    Raises:
        Unreachable: the engine does not answer at all.

    """
    numbers, last = itertools.count(), [Journal()]

    class Machine(_Machine):
        """One story."""

        def __init__(self) -> None:
            super().__init__(story, numbers)
            last[0] = self.journal

    chosen = settings(
        max_examples=examples, stateful_step_count=steps, database=None, deadline=None, print_blob=False,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
    )  # fmt: skip
    try:
        run_state_machine_as_test(hypothesis.seed(seed)(Machine), settings=chosen)
    except AssertionError as error:
        problem = str(error)
    except (KeyError, TypeError, IndexError) as error:  # an answer without what the model reads
        problem = f"an answer is not of its shape: {type(error).__name__} {error}"
    else:
        return Told()
    return Told(problem, "\n".join(line_of(each) for each in last[0].exchanges))


class _Machine(RuleBasedStateMachine):
    def __init__(self, story: Story, numbers: itertools.count[int]) -> None:
        super().__init__()
        self._story = story
        self._numbers = numbers
        self._definitions: list[Definition] = []
        self._instances: list[Instance] = []
        self._jobs: list[Job] = []
        self._have_parted = False
        self.journal = Journal()

    @initialize(shapes=SHAPES)
    def define(self, shapes: list[list[str]]) -> None:
        """Upload the definitions of the story."""
        for kinds in shapes:
            definition = Definition(f"model-{self._story.nonce}-{next(self._numbers)}", tuple(kinds))
            self._granted("uploadDefinition", {"definition": definition.document})
            self._definitions.append(definition)

    @rule(pick=PICK, variables=VARIABLES)
    def start(self, pick: int, variables: Json) -> None:
        """Start an instance."""
        definition = self._definitions[pick % len(self._definitions)]
        body = self._granted("startInstance", {"definitionId": definition.id, "variables": variables})
        instance = Instance(body["id"], definition, variables)
        self._instances.append(instance)
        self._agrees(body, instance)

    @rule(pick=PICK, most=st.sampled_from([1, 100]))
    def poll(self, pick: int, most: int) -> None:
        """Take jobs of a definition; exactly those that wait are handed out."""
        definition = self._definitions[pick % len(self._definitions)]
        asked = {"workerId": WORKER, "jobTypes": [definition.job_type], "maxJobs": most, "leaseSeconds": LEASE_S}
        found = self._granted("pollJobs", asked)["jobs"]
        waiting = {each.id: each for each in self._instances if each.waits_for_worker and each.definition is definition}
        wanted = min(most, len(waiting))
        self._must(len(found) == wanted, f"{len(waiting)} jobs wait and {len(found)} of at most {most} were handed out")
        self._jobs += [self._taken(job, waiting) for job in found]

    @precondition(lambda self: self._jobs)
    @rule(pick=PICK, variables=VARIABLES)
    def complete(self, pick: int, variables: Json) -> None:
        """Report a job done; a late report succeeds and changes nothing."""
        job = _one(pick, self._jobs, lambda each: each.is_live)
        self._granted("completeJob", {**self._proof(job), "variables": variables})
        if job.is_live:
            job.instance.go_on(variables)
        self._looks_right(job.instance)

    @precondition(lambda self: self._jobs)
    @rule(pick=PICK, retryable=st.booleans())
    def fail(self, pick: int, *, retryable: bool) -> None:
        """Report a job failed; a late report succeeds and changes nothing."""
        job = _one(pick, self._jobs, lambda each: each.is_live)
        self._granted("failJob", {**self._proof(job), "retryable": retryable, "errorMessage": "it broke"})
        if job.is_live:
            job.instance.fail(retryable=retryable)
        self._looks_right(job.instance)

    @precondition(lambda self: any(each.is_open for each in self._instances))
    @rule(pick=PICK, variables=VARIABLES)
    def go_on(self, pick: int, variables: Json) -> None:
        """Do what the open step of an instance waits for: without it few stories get far."""
        instance = _one(pick, [each for each in self._instances if each.is_open], lambda _: True)
        if instance.waits_for_worker:
            self.poll(self._definitions.index(instance.definition), 100)
        if instance.held:
            self._granted("completeJob", {**self._proof(instance.held), "variables": variables})
        elif instance.kind == PARK:
            args = {"instanceId": instance.id, "waitStepId": step_id(instance.at), "variables": variables}
            self._granted("signalWait", args)
        else:
            args = {"instanceId": instance.id, "stepId": step_id(instance.at), "result": variables}
            self._granted("completeUserTask", args)
        instance.go_on(variables)
        self._looks_right(instance)

    @precondition(lambda self: self._instances)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        """Cancel an instance; an ended one is a conflict."""
        instance = _one(pick, self._instances, lambda each: each.is_open)
        args = {"id": instance.id, "reason": "no longer wanted"}
        if self._is_granted("cancelInstance", args, "" if instance.is_open else CONFLICT):
            instance.cancel()
        self._looks_right(instance)

    @precondition(lambda self: self._with(PARK))
    @rule(pick=PICK, variables=VARIABLES)
    def signal(self, pick: int, variables: Json) -> None:
        """Signal a WAIT; only one that is open takes it."""
        instance = _one(pick, self._with(PARK), lambda each: each.kind == PARK)
        index = _index_of(instance, PARK, pick)
        args = {"instanceId": instance.id, "waitStepId": step_id(index), "variables": variables}
        is_open = instance.is_open and instance.at == index
        if self._is_granted("signalWait", args, "" if is_open else CONFLICT):
            instance.go_on(variables)
        self._looks_right(instance)

    @precondition(lambda self: self._with(ASK))
    @rule(pick=PICK, variables=VARIABLES)
    def complete_task(self, pick: int, variables: Json) -> None:
        """Complete a user task; while the instance is in flight the second time changes nothing."""
        instance = _one(pick, self._with(ASK), lambda each: each.kind == ASK)
        index = _index_of(instance, ASK, pick)
        refusal = CONFLICT if not instance.is_open else NOT_FOUND if index > instance.at else ""
        args = {"instanceId": instance.id, "stepId": step_id(index), "result": variables, "completedBy": "ada"}
        if self._is_granted("completeUserTask", args, refusal) and index == instance.at:
            instance.go_on(variables)
        self._looks_right(instance)

    @precondition(lambda self: any(each.status == "FAILED" for each in self._instances))
    @rule(pick=PICK, variables=VARIABLES)
    def retry(self, pick: int, variables: Json) -> None:
        """Bring a failed instance back; any other is a conflict."""
        instance = _one(pick, self._instances, lambda each: each.status == "FAILED")
        args = {"id": instance.id, "stepId": step_id(instance.at), "variables": variables}
        if self._is_granted("retryStep", args, "" if instance.status == "FAILED" else CONFLICT):
            instance.retry(variables)
        self._looks_right(instance)

    def teardown(self) -> None:
        """Read everything once more, and let the oracles judge all that was said; not after a story that failed."""
        if self._have_parted:
            return
        for instance in self._instances:
            self._looks_right(instance)
            rows = self._granted("getInstanceHistory", {"id": instance.id})["items"]
            entered = [row["stepId"] for row in rows]
            self._must(entered == instance.entered, f"history has {entered}, the model {instance.entered}")
        scene = Scene(exchanges=self.journal.exchanges, base_only=self._story.base_only)
        for oracle, sentence in findings(scene):
            self._must(False, f"oracle {oracle}: {sentence}")

    def _must(self, holds: bool, sentence: str) -> None:
        """Part with a sentence unless something holds."""
        if not holds:
            raise self._parting(sentence)

    def _parting(self, sentence: str) -> AssertionError:
        self._have_parted = True
        return AssertionError(sentence)

    def _with(self, kind: str) -> list[Instance]:
        return [each for each in self._instances if kind in each.definition.kinds]

    def _taken(self, job: Json, waiting: dict[str, Instance]) -> Job:
        instance = waiting.get(job["instanceId"])
        if instance is None:
            raise self._parting(f"job {job['id']} of {job['instanceId']} was handed out and none waits there")
        found = {name: job[name] for name in ("stepId", "retriesRemaining", "variables")}
        wanted = {"stepId": step_id(instance.at), "retriesRemaining": instance.retries, "variables": instance.variables}
        self._must(found == wanted, f"a job has {found}, the model {wanted}")
        return instance.hand_out(job["id"], job.get("leaseToken", ""))

    def _proof(self, job: Job) -> Json:
        return {"id": job.id, "workerId": WORKER, **({"leaseToken": job.token} if job.token else {})}

    def _looks_right(self, instance: Instance) -> None:
        self._agrees(self._granted("getInstance", {"id": instance.id}), instance)

    def _agrees(self, body: Json, instance: Instance) -> None:
        found = {name: body[name] for name in instance.seen}
        self._must(found == instance.seen, f"an instance shows {found}, the model {instance.seen}")

    def _granted(self, operation: str, args: Json) -> Any:
        answer = self._send(operation, args)
        self._must(answer.is_ok, f"{operation} was refused with {answer.outcome}: {answer.message}")
        return answer.body

    def _is_granted(self, operation: str, args: Json, refusal: str) -> bool:
        """Send an act that is to be granted, or refused with a code; return whether it was granted."""
        if not refusal:
            self._granted(operation, args)
            return True
        answer = self._send(operation, args)
        said = f"{operation} should be refused with {refusal} and was answered {answer.outcome}: {answer.message}"
        self._must(not answer.is_ok, said)
        self._must(refusal in answer.codes, said)
        return False

    def _send(self, operation: str, args: Json) -> Answer:
        answer = self._story.call(operation, args, self.journal)
        answer.exchange.expected_error = not answer.is_ok
        return answer


def _one(pick: int, things: Sequence[T], fits: Callable[[T], bool]) -> T:
    """Return the thing that a number means: one that fits, but now and then any."""
    fitting = [each for each in things if fits(each)]
    chosen = fitting if fitting and pick % ANYTHING_EVERY else things
    return chosen[pick // ANYTHING_EVERY % len(chosen)]


def _index_of(instance: Instance, kind: str, pick: int) -> int:
    """Return where the open step of a kind is, but now and then any of the kind."""
    if instance.kind == kind and pick % ANYTHING_EVERY:
        return instance.at
    found = [index for index, each in enumerate(instance.definition.kinds) if each == kind]
    return found[pick // ANYTHING_EVERY % len(found)]
