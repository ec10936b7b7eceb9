"""The same commands give the same history, whatever the store."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace
from rochallor.core import commands as cmd
from rochallor.core.apply import fold
from rochallor.core.errors import WorkflowError
from rochallor.core.variables import parse_variables
from rochallor.ports import InstanceFilter, StoreConflict, UserTaskFilter

SHAPES = ("straight", "timed", "approval", "wide", "chained")


class Tape:
    """A seeded run of random commands, most of them sensible; `log` is all that came of it."""

    def __init__(self, world, seed):
        self.world, self.chance, self.log = world, random.Random(seed), []
        self.ids, self.held, self.failed, self.claimed = [], [], [], []

    async def play(self, length):
        reports = [self.complete, self.complete, self.fail, self.decide]
        moves = [self.start, self.claim, self.hang_up, *reports, self.stop, self.retry]
        await self.start()
        for _ in range(length):
            self.world.now_ms += self.chance.choice((0, 1, 50, 300))
            move = self.chance.choice(moves)
            try:
                self.log.append((move.__name__, await move()))
            except (WorkflowError, StoreConflict) as refusal:
                self.log.append((move.__name__, type(refusal), str(refusal)))
            await self.sweep()

    async def start(self):
        key = self.chance.choice((None, None, "k1", "k2"))
        payload = b'{"n": %d, "text": "\\u0000%s"}' % (self.chance.randrange(9), b"x" * self.chance.randrange(50))
        name = self.chance.choice(SHAPES)
        instance = await self.world.start(name, payload, business_key=key)
        self.ids.append(instance.id)
        return instance

    async def claim(self):
        types = self.chance.choice((("a",), ("b", "a")))
        jobs = await self.world.claim(
            *types, max_jobs=self.chance.randrange(1, 5), lease_ms=2_000, max_bytes=self.chance.choice((30, 10_000))
        )
        self.held += [claimed.job for claimed in jobs]
        self.claimed = jobs
        return [replace(claimed, instance=claimed.instance()) for claimed in jobs]

    async def hang_up(self):
        return await self.world.give_back(*self.claimed)

    async def complete(self):
        payload = b'{"r": %d}' % self.chance.randrange(9)
        return self.held and await self.world.complete(self.some_job(), payload)

    async def fail(self):
        delay_ms = self.chance.choice((None, None, 900))
        if not self.held:
            return None
        instance = await self.world.fail(self.some_job(), delay_ms)
        if instance.status.value == "FAILED":
            self.failed.append(instance.id)
        return instance

    async def decide(self):
        command = cmd.CompleteUserTask(
            instance_id=self.some_id(), step_id="ok", completed_by="ann", result=parse_variables(b'{"ok": true}')
        )
        return await self.world.do(command)

    async def stop(self):
        if self.chance.random() < 0.8:
            return None
        return await self.world.do(cmd.CancelInstance(instance_id=self.some_id()))

    async def retry(self):
        instance_id = self.chance.choice(self.failed) if self.failed else self.some_id()
        return await self.world.do(cmd.RetryStep(instance_id=instance_id, step_id=self.chance.choice("aab")))

    def some_job(self):
        """Return a job that was claimed, now and then one that has been reported before."""
        job = self.chance.choice(self.held)
        if self.chance.random() < 0.9:
            self.held.remove(job)
        return job

    def some_id(self):
        return self.chance.choice(self.ids[-15:])

    async def sweep(self):
        """Do what time has made due, as the engine would, up to three things of each kind."""
        due = await self.world.store.due(self.world.now_ms, 3)
        self.log.append(due)
        for instance_id, seq, index in due.timers:
            await self.world.do(cmd.FireTimer(instance_id=instance_id, seq=seq, index=index))
        for job in due.leases:
            await self.world.do(cmd.ExpireLease(instance_id=job.instance_id, job=job))
        for parent_id, *_ in due.chains:
            await self.world.do(cmd.LinkChild(instance_id=parent_id, child_instance_id=self.world.new_id()))
        if due.ripe:
            async with self.world.store.transaction() as tx:
                self.log.append(await tx.ripen(self.world.now_ms))


async def everything(world):
    """Return all that readers can see."""
    reads = world.store.reads
    ids = await reads.instance_ids("", 10_000)
    return {
        "instances": await reads.instances(InstanceFilter(), 10_000, 0),
        "history": {instance_id: await reads.history(instance_id) for instance_id in ids},
        "tasks": await reads.user_tasks(UserTaskFilter(), 10_000, 0),
        "backlog": await reads.backlog(world.now_ms),
    }


@pytest.mark.parametrize(("seed", "length"), [(1, 300), (2, 300), (4, 1_000)])
async def test_the_stores_cannot_be_told_apart(worlds, seed, length):
    """A tape of random commands has the same answers, refusals, due times, lists and histories on every store."""
    memory, *others = [Tape(world, seed) for world in worlds]
    await memory.play(length)
    for other in others:
        await other.play(length)
        assert other.log == memory.log
        assert await everything(other.world) == await everything(memory.world)


@pytest.mark.parametrize("seed", [3])
async def test_every_history_of_a_tape_adds_up_to_its_instance(worlds, seed):
    """After any commands, folding an instance's stored events gives its stored state."""
    _, world, _ = worlds
    tape = Tape(world, seed)
    await tape.play(500)
    kinds = set()
    for instance_id in tape.ids:
        history = await world.store.reads.history(instance_id)
        kinds.update(type(event).__name__ for record in history for event in record.events)
        assert fold(history) == await world.store.reads.instance(instance_id)
    assert len(kinds) > 15, "the tape has become too tame to prove anything"
