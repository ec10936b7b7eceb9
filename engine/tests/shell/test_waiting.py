"""Why an instance is waiting: the sentence for each thing an open step can wait for."""

from __future__ import annotations

import asyncio

import pytest
from rochallor.core.ids import JobRef
from rochallor.core.model import Activation, Instance, Lease, OpenJob, OpenStep, OpenTimer, StepType, Token
from rochallor.shell.views import moment
from rochallor.shell.waiting import Demand, waiting_for
from rochallor.shell.wakeups import MAX_POLL_TIMES, PollTimes, WaitingPoll

NOW_MS = 1_790_000_000_000
SOON_MS = NOW_MS + 5_000
TASK = {"id": "work", "type": "SERVICE_TASK", "retryCount": 3, "nextStep": "end"}
END = {"id": "end", "type": "END"}
BOUNDARY = {"type": "TIMER", "duration": "PT5M", "interrupting": False, "targetStepId": "end"}


def step(kind, **fields):
    return OpenStep(seq=1, step_id="s", step_type=kind, attempt=1, entered_at_ms=NOW_MS - 1_000, **fields)


def job(ready_at_ms=NOW_MS):
    return OpenJob(job_type="score", delivery=2, retries_remaining=1, ready_at_ms=ready_at_ms)


def why(open_step, *, pollers=0, silent_ms=0, lease=None, activations=()):
    instance = Instance(
        id="I", definition_id="d", definition_version=1, started_at_ms=0, open={1: open_step}, activations=activations
    )
    leases = {JobRef("I", 1, 2): lease} if lease else {}
    return waiting_for(instance, Demand(NOW_MS, {"score": pollers}, lambda _type: silent_ms, leases))


JOIN = {7: Activation(id=7, join="s", expected=3, parent=Token(), arrived=2)}
SERVICE = StepType.SERVICE_TASK
WAITS = "waits for a worker for the job of type 'score'"
SENTENCES = [
    # name, step, circumstances, kind, sentence
    ("signal", step(StepType.WAIT), {}, "SIGNAL", "waits for the signal 's'"),
    ("person", step(StepType.USER_TASK), {}, "USER_TASK", "waits for somebody to complete the user task 's'"),
    (
        "join",
        step(StepType.JOIN_GATEWAY, waits_for=7),
        {"activations": JOIN},
        "JOIN",
        "waits for the other branches: 2 of 3 have arrived",
    ),
    ("join of nothing", step(StepType.JOIN_GATEWAY), {"activations": {}}, "JOIN", "waits for the other branches"),
    ("one poller", step(SERVICE, job=job()), {"pollers": 1}, "JOB", f"{WAITS}; 1 poller is asking for that type"),
    (
        "pollers, though late",
        step(SERVICE, job=job()),
        {"pollers": 2, "silent_ms": 90_000},
        "JOB",
        f"{WAITS}; 2 pollers are asking for that type",
    ),
    (
        "nobody now",
        step(SERVICE, job=job()),
        {"silent_ms": 59_999},
        "JOB",
        f"{WAITS}; 0 pollers are asking for that type at this moment",
    ),
    (
        "nobody for long",
        step(SERVICE, job=job()),
        {"silent_ms": 60_000},
        "JOB",
        f"{WAITS}; nobody has asked this engine for that type for 60 s, start a worker that does",
    ),
    (
        "delayed",
        step(SERVICE, job=job(SOON_MS)),
        {"silent_ms": 90_000},
        "JOB",
        f"the job of type 'score' may be tried again at {moment(SOON_MS)}",
    ),
    (
        "held",
        step(SERVICE, job=job()),
        {"lease": Lease("w1", "t", SOON_MS)},
        "JOB",
        f"worker 'w1' has the job of type 'score' until {moment(SOON_MS)}",
    ),
    (
        "held too long",
        step(SERVICE, job=job()),
        {"lease": Lease("w1", "t", NOW_MS)},
        "JOB",
        f"the lease of worker 'w1' on the job of type 'score' ran out at {moment(NOW_MS)}",
    ),
]


@pytest.mark.parametrize(
    ("open_step", "circumstances", "kind", "sentence"),
    [row[1:] for row in SENTENCES],
    ids=[row[0] for row in SENTENCES],
)
def test_each_wait_has_its_sentence(open_step, circumstances, kind, sentence):
    """One step, one thing it waits for, told in one sentence."""
    (waiting,) = why(open_step, **circumstances)
    assert (waiting.kind, waiting.detail) == (kind, sentence)
    assert (waiting.step_id, waiting.step_execution_id, waiting.since) == ("s", "I-1", moment(NOW_MS - 1_000))


@pytest.mark.parametrize(
    ("circumstances", "ready_at_ms", "facts"),
    [
        ({"pollers": 2}, NOW_MS, ("score", 2, None, None, None)),
        ({}, SOON_MS, ("score", 0, moment(SOON_MS), None, None)),
        ({"lease": Lease("w1", "t", SOON_MS)}, NOW_MS, ("score", 0, None, "w1", moment(SOON_MS))),
    ],
    ids=["ready", "delayed", "held"],
)
def test_a_jobs_facts_are_fields_too(circumstances, ready_at_ms, facts):
    """What the sentence says, programs read in fields; the lease token is not among them."""
    (waiting,) = why(step(SERVICE, job=job(ready_at_ms)), **circumstances)
    told = (waiting.job_type, waiting.pollers, waiting.due_at, waiting.worker_id, waiting.lock_expires_at)
    assert told == facts


def test_timers_follow_their_step_soonest_first():
    """Each timer of an open step is a wait of its own, with its time."""
    timers = (OpenTimer(0, SOON_MS), OpenTimer(1, NOW_MS))
    _, first, second = why(step(StepType.USER_TASK, timers=timers))
    assert [(each.kind, each.due_at) for each in (first, second)] == [
        ("TIMER", moment(NOW_MS)),
        ("TIMER", moment(SOON_MS)),
    ]
    assert first.detail == f"timer 2 of step 's' is about to fire, it was due at {moment(NOW_MS)}"
    assert second.detail == f"timer 1 of step 's' fires at {moment(SOON_MS)}"


async def test_looking_at_an_instance_tells_why_it_waits(house):
    """Get shows the wait of every open step; a list and the answer to a start do not."""
    await house.upload({"id": "review", "type": "USER_TASK", "nextStep": "end", "boundaryEvents": [BOUNDARY]}, END)
    started = await house.engine.start_instance("flow")
    listed = (await house.engine.list_instances()).items[0]
    found = await house.engine.get_instance(started.id)
    assert (started.waiting_for, listed.waiting_for) == ([], [])
    assert [(each.kind, each.step_id) for each in found.waiting_for] == [("USER_TASK", "review"), ("TIMER", "review")]


async def test_a_finished_instance_waits_for_nothing(house):
    """Nothing open, nothing waited for."""
    await house.upload(END)
    assert (await house.engine.get_instance(await house.start())).waiting_for == []


async def test_parked_polls_are_counted(house):
    """A worker that asks for the type shows up in the answer."""
    await house.upload({**TASK, "boundaryEvents": []}, END)
    instance_id = await house.start()
    await house.poll("work")
    poll = await house.parked("work")
    (waiting,) = (await house.engine.get_instance(instance_id)).waiting_for
    assert waiting.pollers == 1
    poll.cancel()
    await asyncio.gather(poll, return_exceptions=True)


async def test_a_held_job_names_its_worker(house):
    """Once a worker has the job, the answer says who and until when, and never the token."""
    await house.upload(TASK, END)
    instance_id = await house.start()
    (taken,) = await house.poll("work", lease_seconds=20)
    (waiting,) = (await house.engine.get_instance(instance_id)).waiting_for
    assert (waiting.worker_id, waiting.lock_expires_at) == ("w", taken.lock_expires_at)
    assert taken.lease_token not in str(waiting)


async def test_a_type_nobody_asks_for_is_pointed_out_after_a_minute(house):
    """Silence is counted from the last poll, or from the engine's start when there was none."""
    await house.upload(TASK, END)
    instance_id = await house.start()

    async def sentence():
        return (await house.engine.get_instance(instance_id)).waiting_for[0].detail

    await house.pass_time(61_000)
    assert "for 61 s" in await sentence()
    (taken,) = await house.poll("work")
    await house.engine.fail_job(taken.id, "w", message="later", retryable=True)
    assert "for 61 s" not in await sentence()
    await house.pass_time(60_000)
    assert "for 60 s" in await sentence()


def test_poll_times_forget_the_oldest_type():
    """A client that asks for ever new types does not fill the memory."""
    times = PollTimes(NOW_MS)
    for number in range(MAX_POLL_TIMES + 1):
        times.asked([_poll(f"t{number}")], NOW_MS + 1_000)
    assert times.silent_ms("t1", NOW_MS + 1_500) == 500
    assert times.silent_ms("t0", NOW_MS + 1_500) == 1_500


def _poll(job_type):
    poll = WaitingPoll.__new__(WaitingPoll)
    poll.request = _Request((job_type,))
    return poll


class _Request:
    def __init__(self, job_types):
        self.job_types = job_types
