"""What an engine remembers: it saves reading, and it is never believed without the store's word."""

from __future__ import annotations

import asyncio
import json

import pytest
from msgspec.structs import replace
from rochallor.access import Caller, Role
from rochallor.core.errors import Forbidden, Unavailable
from rochallor.core.ids import JobRef, parse_job_id
from rochallor.core.model import Instance, OpenJob, OpenStep, StepType
from rochallor.core.variables import parse_variables
from rochallor.ports import Change, ClaimedJob, StoreConflict, Wanted
from rochallor.shell.known import Memory
from rochallor.shell.work import Ripen, Wishes, Write
from rochallor.stores.memory import MemoryStore
from rochallor.stores.memory.store import MemoryTransaction

FORK = {"id": "fork", "type": "PARALLEL_GATEWAY", "parallelNextSteps": ["left", "right"], "joinStep": "join"}
LEFT = {"id": "left", "type": "SERVICE_TASK", "nextStep": "join"}
RIGHT = {"id": "right", "type": "SERVICE_TASK", "nextStep": "join"}
JOIN = {"id": "join", "type": "JOIN_GATEWAY", "nextStep": "end"}
FIRST = {"id": "first", "type": "SERVICE_TASK", "nextStep": "second"}
SECOND = {"id": "second", "type": "SERVICE_TASK", "nextStep": "end"}
END = {"id": "end", "type": "END"}


@pytest.fixture
def loads(monkeypatch):
    """What stores are asked to load, in order."""
    seen = []
    load = MemoryTransaction.load

    async def watched(self, wanted):
        seen.append(wanted)
        return await load(self, wanted)

    monkeypatch.setattr(MemoryTransaction, "load", watched)
    return seen


@pytest.fixture
async def pair(houses):
    """Two engines on one store."""
    store = MemoryStore()
    return await houses(store), await houses(store)


async def done(house, job, **fields):
    await house.engine.complete_job(job.id, "w", lease_token=job.lease_token, **fields)


async def test_report_to_the_engine_that_gave_the_job_away_reads_nothing(house, loads):
    """From start to end a linear instance is read only when its engine has never seen it."""
    await house.upload(FIRST, SECOND, END)
    instance_id = await house.start()
    loads.clear()
    for step in ("first", "second"):
        [job] = await house.poll(step)
        await done(house, job)
    assert await house.status(instance_id) == "COMPLETED"
    assert {wanted for wanted in loads if wanted.instances or wanted.jobs} == set()


async def test_report_of_a_job_that_memory_has_never_heard_of_is_decided_by_the_store(pair):
    """An engine that remembers an older state accepts a report about a job which was made since, elsewhere."""
    here, there = pair
    await here.upload(FIRST, SECOND, END)
    instance_id = await here.start()
    [first] = await here.poll("first")
    await done(there, first)
    [second] = await here.poll("second")
    await done(here, second)
    assert await here.status(instance_id) == "COMPLETED"


async def test_repeated_report_is_late_although_memory_takes_the_job_for_open(pair):
    """A report that was taken elsewhere already is late here, and changes nothing."""
    here, there = pair
    await here.upload(FIRST, SECOND, END)
    instance_id = await here.start()
    [first] = await here.poll("first")
    await done(there, first, variables=b'{"by": "there"}')
    await done(here, first, variables=b'{"by": "here"}')
    assert json.loads(bytes((await here.engine.get_instance(instance_id)).variables)) == {"by": "there"}


async def test_branches_reported_to_different_engines_both_count(pair):
    """Each engine remembers the instance before the other's report; the join fires once, with both results."""
    here, there = pair
    await here.upload(FORK, LEFT, RIGHT, JOIN, END)
    instance_id = await here.start()
    [left], [right] = await here.poll("left"), await there.poll("right")
    await asyncio.gather(done(here, left, variables=b'{"l": 1}'), done(there, right, variables=b'{"r": 2}'))
    view = await here.engine.get_instance(instance_id)
    assert (view.status, json.loads(bytes(view.variables))) == ("COMPLETED", {"l": 1, "r": 2})


async def test_worker_limited_to_types_is_judged_by_what_is_stored(pair):
    """An outdated memory does not let a worker report a job of a type that it may not touch."""
    here, there = pair
    await here.upload(FIRST, SECOND, END)
    await here.start()
    [first] = await here.poll("first")
    await done(there, first)
    [second] = await here.poll("second")
    limited = Caller("limited", Role.WORKER, frozenset({"first"}))
    with pytest.raises(Forbidden):
        await here.engine.complete_job(second.id, "w", lease_token=second.lease_token, caller=limited)


async def test_batch_that_failed_is_read_again(houses, loads, monkeypatch):
    """After a transaction whose outcome nobody knows its instances are no longer taken for known."""
    house = await houses()
    await house.upload(FIRST, SECOND, END)
    instance_id = await house.start()
    [job] = await house.poll("first")

    async def lost(_self, _changes, **_options):
        raise Unavailable("the connection is gone")

    with monkeypatch.context() as broken:
        broken.setattr(MemoryTransaction, "save", lost)
        with pytest.raises(Unavailable):
            await done(house, job)
    loads.clear()
    await done(house, job)
    assert [{job.instance_id for job in wanted.reported} for wanted in loads if wanted.reported] == [{instance_id}]


async def test_report_that_memory_knows_nothing_of_locks_what_it_reads_only_after_a_race(pair, loads, monkeypatch):
    """Nobody waits for it at first. Whoever loses decides again on what is then locked, and so wins."""
    here, there = pair
    await here.upload(FIRST, SECOND, END)
    instance_id = await here.start()
    [first] = await here.poll("first")
    save, refused = MemoryTransaction.save, []

    async def overtaken(self, changes, **options):
        if not refused:
            refused.append(changes)
            raise StoreConflict("another engine was first")
        return await save(self, changes, **options)

    monkeypatch.setattr(MemoryTransaction, "save", overtaken)
    loads.clear()
    await done(there, first)
    job = parse_job_id(first.id)
    assert loads == [
        Wanted(reported=frozenset({job})),
        Wanted(instances=frozenset({instance_id}), jobs=frozenset({job})),
    ]
    assert len(await here.poll("second")) == 1


async def test_what_is_locked_for_one_work_is_not_read_for_another_without(house, loads):
    """A report in the batch of a cancellation sees the instance that is locked for that one."""
    await house.upload(FIRST, SECOND, END)
    instance_id = await house.start()
    [first] = await house.poll("first")
    house.engine.executor._memory = Memory()
    loads.clear()
    await asyncio.gather(house.engine.cancel_instance(instance_id), done(house, first))
    job = parse_job_id(first.id)
    assert loads == [Wanted(instances=frozenset({instance_id}), jobs=frozenset({job}))]
    assert await house.status(instance_id) == "CANCELLED"


async def test_a_batch_that_locks_anything_locks_at_once_what_its_reports_are_about(house, loads):
    """Or two engines with such batches would wait for each other."""
    await house.upload(FIRST, SECOND, END)
    cancelled, executor = await house.start(), house.engine.executor
    others = (
        (house.engine.cancel_instance(cancelled), {cancelled}),
        (executor.submit(Write(lambda _tx, _now_ms: asyncio.sleep(0))), set()),
        (executor.submit(Ripen()), set()),
    )
    for other, named in others:
        reported = await house.start()
        [job] = [job for job in await house.poll("first") if job.instance_id == reported]
        executor._memory = Memory()
        loads.clear()
        await asyncio.gather(done(house, job), other)
        assert loads == [Wanted(instances=frozenset({reported, *named}), jobs=frozenset({parse_job_id(job.id)}))]


def test_what_has_to_be_locked_is_not_remembered():
    """Who has lost a race decides on what is stored, even if a claim has told something of it meanwhile."""
    memory, wishes, job = Memory(), Wishes(), JobRef("i", 1, 1)
    memory.claimed([[handed_out("i")]])
    wishes.reports.add(job)
    assert wishes.without(memory, locked=False)[1].leases.keys() == {job}
    wanted, recalled = wishes.without(memory, locked=True)
    assert (wanted.instances, wanted.jobs, recalled.instances, recalled.leases) == ({"i"}, {job}, {}, {})


async def test_what_is_loaded_for_one_work_is_not_remembered_for_another(pair, loads):
    """It is newer, and the batch is decided once."""
    here, there = pair
    await here.upload(FORK, LEFT, RIGHT, JOIN, END)
    instance_id = await here.start()
    [left], [right] = await here.poll("left"), await here.poll("right")
    await done(there, right)
    loads.clear()
    await asyncio.gather(here.engine.cancel_instance(instance_id), done(here, left))
    assert [wanted.instances for wanted in loads] == [{instance_id}]
    assert await here.status(instance_id) == "CANCELLED"


async def test_engine_that_hands_out_a_job_has_seen_its_instance(pair, loads):
    """An instance that was started elsewhere is read with the claim, and not again for the report."""
    here, there = pair
    await here.upload(FIRST, SECOND, END)
    instance_id = await here.start()
    [first] = await there.poll("first")
    loads.clear()
    await done(there, first)
    assert {wanted for wanted in loads if wanted.instances or wanted.jobs} == set()
    assert await here.status(instance_id) == "ACTIVE"


async def test_claim_replaces_a_memory_that_is_older(pair, loads):
    """What is read with a claim counts more than what was seen before; the report needs no second look."""
    here, there = pair
    await here.upload(FIRST, SECOND, END)
    await here.start()
    [first] = await here.poll("first")
    await done(there, first)
    [second] = await here.poll("second")
    loads.clear()
    await done(here, second)
    assert {wanted for wanted in loads if wanted.instances or wanted.jobs} == set()


def handed_out(name, size=0, revision=1, seq=1):
    """Return a job of an instance with so many bytes of variables, as a claim gives it away."""
    variables = b'{"text": "%s"}' % (b"x" * size)
    state = Instance(name, "flow", 1, 0, revision=revision, variables=parse_variables(variables))
    state.open = {seq: OpenStep(seq, "s", StepType.SERVICE_TASK, 1, 0, job=OpenJob("t", 1, 3, 0))}
    return ClaimedJob(
        JobRef(name, seq, 1),
        "t",
        "s",
        "flow",
        1,
        None,
        3,
        0,
        0,
        None,
        0,
        1,
        "w",
        "lease",
        variables,
        revision,
        lambda: state,
    )


def test_memory_is_bounded_by_bytes_and_forgets_the_oldest():
    """Large variables push out what was seen longest ago, and a forgotten instance frees its bytes."""
    memory = Memory(limit_bytes=100_000)
    for number in range(10):
        memory.claimed([[handed_out(f"i{number}", 30_000)]])
    assert list(memory.names()) == ["i7", "i8", "i9"]


def test_same_instance_is_counted_once():
    """An instance that moves a thousand times takes the room of one."""
    memory = Memory(limit_bytes=100_000)
    memory.claimed([[handed_out("first", 100)]])
    for revision in range(1_000):
        memory.claimed([[handed_out("second", 30_000, revision)]])
    assert list(memory.names()) == ["first", "second"]


def test_instance_is_forgotten_with_its_last_job():
    """Only what can be reported is remembered: an instance whose jobs are all done, or out elsewhere, takes no room."""
    memory = Memory()
    job = handed_out("one")
    memory.claimed([[job]])
    memory.committed([Change(None, job.instance())])
    assert memory.names() == ["one"]
    after = job.instance().copy()
    after.open = {2: OpenStep(2, "next", StepType.SERVICE_TASK, 1, 0, job=OpenJob("t", 1, 3, 0))}
    memory.committed([Change(None, after), Change(None, Instance("two", "flow", 1, 0))])
    assert memory.names() == []


def test_what_is_given_back_is_not_recalled():
    """The instance takes room as long as another of its jobs is out."""
    memory = Memory()
    left, right = handed_out("one"), handed_out("one")
    right = replace(right, job=JobRef("one", 2, 1))
    memory.claimed([[left, right]])
    memory.given_back([left, handed_out("never seen")])
    assert memory.recall(left.job) is None
    assert memory.recall(right.job) is not None
    memory.given_back([right])
    assert memory.names() == []


def test_unknown_job_is_not_recalled():
    """What was never seen is not known."""
    assert Memory().recall(parse_job_id("01J00000000000000000000000-1-1")) is None
