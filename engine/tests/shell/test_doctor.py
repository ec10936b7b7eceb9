"""The doctor finds what does not agree, names it, and finds nothing in what an engine has written."""

import pytest
from msgspec import MsgspecError, Raw
from msgspec.structs import replace
from rochallor.core.model import InstanceStatus
from rochallor.shell.checkup import CHECKS
from rochallor.shell.doctor import Doctor
from rochallor.stores.memory.tables import Chain
from rochallor.stores.projections import ChainRow, TaskRow

END = {"id": "end", "type": "END"}
TIMER = {"type": "TIMER", "duration": "PT10S", "interrupting": False, "targetStepId": "end"}
WORK = {"id": "work", "type": "SERVICE_TASK", "retryCount": 1, "nextStep": "ask", "boundaryEvents": [TIMER]}
ASK = {"id": "ask", "type": "USER_TASK", "nextStep": "end"}


@pytest.fixture
async def flow(house):
    """A house with one instance at its service task, one at its user task, one completed with a child, one failed."""
    await house.upload(WORK, ASK, END)
    await house.upload(END, id="first", autoStartNextWorkflow=True, nextWorkflowId="flow")
    for _ in range(2):
        await house.start(variables=b'{"n": 1}', business_key=None)
    [one, other] = await house.poll("work", max_jobs=2)
    await house.engine.complete_job(one.id, "w", variables=b'{"m": 2}')
    await house.engine.fail_job(other.id, "w", message="no", retryable=False)
    house.at_work = await house.start(business_key="k")
    house.parent = await house.start("first", business_key="p")
    await house.engine.sweeper.settled()
    house.at_task = one.id[:26]
    house.tables = house.engine.store._tables
    return house


async def found(house, **options):
    doctor = Doctor(house.engine.store.reads, **{"unique_keys": True, "now_ms": house.clock.at_ms, **options})
    findings = [finding async for finding in doctor.findings()]
    return {(finding.check, finding.instance_id) for finding in findings}


async def test_what_an_engine_wrote_is_sound(flow):
    """Instances at work, waiting, completed, failed and chained all pass every check."""
    assert await found(flow) == set()


def _state(house, instance_id, **fields):
    tables = house.tables
    tables.instances[instance_id] = replace(tables.instances[instance_id], **fields)


def _history(house, instance_id, place, **fields):
    events = house.tables.events
    events[instance_id, place] = replace(events[instance_id, place], **fields)


def _twice(house):
    record = house.tables.events[house.at_task, 1]
    _history(house, house.at_task, 1, events=(*record.events, *record.events[1:]))


FLAWS = {
    "variables that no event set": ("history", lambda h: _state(h, h.at_work, variables={"x": Raw(b"1")})),
    "a status that no event set": ("history", lambda h: _state(h, h.at_work, status=InstanceStatus.WAITING)),
    "a revision without events": ("history", lambda h: _state(h, h.at_work, revision=2)),
    "a revision that is missing": ("history", lambda h: h.tables.events.pop((h.at_task, 1))),
    "a revision of another number": ("revisions", lambda h: _history(h, h.at_task, 2, revision=7)),
    "a step entered twice": ("executions", _twice),
    "a job that is missing": ("jobs", lambda h: h.tables.jobs.pop((h.at_work, 1))),
    "a timer that is missing": ("timers", lambda h: h.tables.timers.pop((h.at_work, 1, 0))),
    "a timer at another time": ("timers", lambda h: h.tables.timers.update({(h.at_work, 1, 0): 5})),
    "a timer without a step": ("timers", lambda h: h.tables.timers.update({(h.at_task, 1, 0): 5 + h.clock.at_ms})),
    "a task that is missing": ("tasks", lambda h: h.tables.tasks.clear()),
    "a key that is free": ("keys", lambda h: h.tables.keys.clear()),
    "a key of one who has ended": ("keys", lambda h: h.tables.keys.update({("first", "p"): h.parent})),
    "a chain that was started": (
        "chains",
        lambda h: h.tables.chains.update({h.parent: Chain(ChainRow(h.parent, "flow", "p", 0), 0)}),
    ),
    "a child of nobody": ("chains", lambda h: _state(h, h.at_work, parent_instance_id="nobody")),
    "an end with an open step": ("ends", lambda h: _state(h, h.at_work, status=InstanceStatus.CANCELLED)),
    "a definition that is gone": ("definition", lambda h: h.tables.definitions.pop(("first", 1))),
    "a row without an instance": (
        "strays",
        lambda h: h.tables.tasks.update({("nobody", 1): TaskRow("nobody", 1, "ask", "flow", 1, None, 0)}),
    ),
}


@pytest.mark.parametrize("flaw", FLAWS)
async def test_a_flaw_is_found(flow, flaw):
    """Whatever is changed behind the engine's back is found by the check that is for it."""
    check, spoil = FLAWS[flaw]
    spoil(flow)
    assert check in {name for name, _ in await found(flow)}


async def test_only_the_flawed_instance_is_named(flow):
    """The finding names the instance; the others stay out of it."""
    flow.tables.jobs.clear()
    assert await found(flow) == {("jobs", flow.at_work), ("jobs", flow.tables.instances[flow.parent].child_instance_id)}


async def test_keys_that_need_not_be_unique_are_held_by_nobody(flow):
    """Where keys are labels, a held one is the flaw."""
    assert {name for name, _ in await found(flow, unique_keys=False)} == {"keys"}


async def test_bytes_that_cannot_be_read_are_found_and_the_walk_goes_on(flow, monkeypatch):
    """One damaged instance hides no other."""
    reads, whole = flow.engine.store.reads, flow.engine.store.reads.dossiers

    async def dossiers(instance_ids):
        if flow.at_task in instance_ids:
            raise MsgspecError("damaged")
        return await whole(instance_ids)

    monkeypatch.setattr(reads, "dossiers", dossiers)
    flow.tables.timers.clear()
    assert {("readable", flow.at_task), ("timers", flow.at_work)} <= await found(flow)


@pytest.mark.parametrize(("ms", "note"), [(-60_000, "clock"), (120_000, "overdue")])
async def test_time_that_is_off_is_noted(flow, ms, note):
    """Changes in the future and work long due are notes, which need no repair."""
    doctor = Doctor(flow.engine.store.reads, unique_keys=True, now_ms=flow.clock.at_ms + ms)
    findings = [finding async for finding in doctor.findings()]
    assert {(finding.check, finding.grave) for finding in findings} == {(note, False)}


def test_every_check_says_what_it_proves_and_what_to_do():
    """The table is complete, and no name is used twice."""
    assert all(check.proves and check.next_action for check in CHECKS)
    assert len({check.name for check in CHECKS}) == len(CHECKS)
