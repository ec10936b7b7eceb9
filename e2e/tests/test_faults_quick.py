"""The quick form of the fault suite: about ten kills on SQLite, races, a full disk. `tox -e faults` plays all of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
from rochallor.core import events as ev
from rochallor.core.events import Committed
from rochallor.core.ids import JobRef
from rochallor.core.model import Instance, InstanceStatus, StepType
from rochallor.ports import Dossier

from e2e.faults import kills, load, races, surroundings
from e2e.faults.ledger import Ledger, verify
from e2e.faults.places import SqlitePlace
from e2e.faults.process import Child
from e2e.faults.wire import Answer, Client
from e2e.faults.world import Tally, World

SEED = 20
ID = "01J00000000000000000000000"
JOB = JobRef(ID, 1, 1)


async def world_on(folder: Path, tally: Tally, seed: int = SEED) -> World:
    place = SqlitePlace(folder)
    return World(place, await place.fresh(), folder, tally, seed=seed, per_s=40)


async def test_ten_kills_lose_double_and_leave_nothing(tmp_path):
    """Whatever hop an engine dies at, under load: what was promised is there, once, and everything ends."""
    tally = Tally()
    async with await world_on(tmp_path, tally) as world:
        await kills.play(world, kills.schedule(Random(SEED), 10))
    assert tally.problems == []
    assert (tally.kills, tally.in_flight > 0, len(world.ledger.completed) > 0) == (10, True, True)


async def test_races_have_one_winner_and_a_full_disk_only_refuses(tmp_path):
    """Equal reports, rival workers, complete against fail, cancel and timer; then files that may not grow."""
    tally = Tally()
    async with await world_on(tmp_path, tally) as world:
        for race in (races.duplicates, races.two_workers, races.contests):
            await race(world)
        await surroundings.file_limit(world, tmp_path / "round-1.db")
    assert (tally.problems, tally.skipped) == ([], [])


async def test_a_process_that_writes_much_comes_to_its_end(tmp_path):
    """All that it writes is read and kept; with a full pipe it would stand still, and killed never count as dead."""
    log = tmp_path / "child.log"
    child = Child({}, log)
    await child.spawn("-c", "print('hello'); print('x' * 1_000_000)")
    assert await asyncio.wait_for(child.greeting, 20) == b"hello\n"
    assert await child.died(within_s=20)
    assert log.read_text() == "x" * 1_000_000 + "\n"


async def test_a_load_that_nobody_serves_gives_up(monkeypatch):
    """It says what it asked for and what it was told last."""
    monkeypatch.setattr(load, "GIVE_UP_S", 0.0)

    async def call(_client: object, _method: str, _path: str, _body: object) -> Answer:
        return Answer(503, None)

    monkeypatch.setattr(Client, "call", call)
    with pytest.raises(RuntimeError, match=r"definitions was not served .*status=503"):
        await load.Caller([1], 0, Ledger()).insist("definitions", {})


class Stored:
    """Reads that hold one instance with the record that a test gives it."""

    def __init__(self, *events: ev.AnyEvent, status: InstanceStatus = InstanceStatus.COMPLETED) -> None:
        instance = Instance(id=ID, definition_id="retry", definition_version=1, started_at_ms=0, status=status)
        entered = ev.StepEntered(seq=1, step_id="flaky", step_type=StepType.SERVICE_TASK, attempt=1)
        end = ev.StepEntered(seq=2, step_id="end", step_type=StepType.END, attempt=1)
        self._dossier = Dossier(instance, ("", 1), (Committed(ID, 1, 1000, "", "", (entered, *events, end)),))

    async def instance_ids(self, after: str, _limit: int) -> list[str]:
        return [] if after else [ID]

    async def dossiers(self, _instance_ids: object) -> list[Dossier]:
        return [self._dossier]


def closed(delivery: int = 1, outcome: str = "COMPLETED") -> ev.StepClosed:
    return ev.StepClosed(
        seq=1, step_id="flaky", step_type=StepType.SERVICE_TASK, entered_at_ms=0, outcome=outcome, delivery=delivery
    )


def expired() -> ev.JobExpired:
    return ev.JobExpired(seq=1, step_id="flaky", job_type="flaky", delivery=2, retries_remaining=0, ready_at_ms=0)


def promised(**promises: object) -> Ledger:
    ledger = Ledger()
    for name, promise in promises.items():
        setattr(ledger, name, promise)
    return ledger


FAITHFUL = Stored(closed())
CASES = {
    "all is as promised": (FAITHFUL, promised(started={ID: "retry"}, completed={JOB: 1}, answered={JOB: 999}), ""),
    "a start is gone": (FAITHFUL, promised(started={"01J00000000000000000000001": "retry"}), "lost"),
    "a completion is gone": (Stored(expired(), closed(2)), promised(completed={JOB: 1}), "lost"),
    "a completion was late": (Stored(expired(), closed(2)), promised(answered={JOB: 1001}), ""),
    "a completion was not late": (Stored(expired(), closed(2)), promised(answered={JOB: 999}), "lost"),
    "a failure is gone": (Stored(expired(), closed(2)), promised(failed={JOB: 1}), "lost"),
    "a task is open again": (FAITHFUL, promised(tasks={(ID, "approve")}), "lost"),
    "one delivery was accepted twice": (FAITHFUL, promised(completed={JOB: 2}), "doubled"),
    "a step completed twice": (Stored(closed(), closed()), promised(), "doubled"),
    "a step did not end": (Stored(status=InstanceStatus.ACTIVE), promised(), "stuck"),
    "an instance failed": (Stored(closed(), status=InstanceStatus.FAILED), promised(), "stuck"),
}


@pytest.mark.parametrize("case", CASES)
async def test_the_suite_sees_what_it_looks_for(case):
    """Each kind of broken promise is found by the comparison, and none is found where there is none."""
    reads, ledger, kind = CASES[case]
    verdict = await verify(reads, ledger)
    assert [name for name, sentences in verdict._asdict().items() if sentences] == ([kind] if kind else [])


def test_a_seed_is_a_schedule():
    """The same seed gives the same kills, another seed others; all hops come before one comes again."""
    plans = [kills.schedule(Random(seed), 60) for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]
    hops = [(kill.point, kill.kind) for kill in plans[0] if kill.point != kills.RANDOM]
    assert len(set(hops[: len(kills.HOPS)])) == min(len(hops), len(kills.HOPS))


def test_an_engine_that_cannot_start_says_so(tmp_path):
    """The driver does not take a broken engine for one that was killed."""
    from e2e.faults.process import Engine  # noqa: PLC0415 - only this test starts one by itself

    engine = Engine({}, tmp_path / "log")
    with pytest.raises(RuntimeError, match="WE_SQLITE_PATH"):
        asyncio.run(engine.start())
