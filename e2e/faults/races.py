"""Races without a kill: many callers want the same thing at the same moment, and there is one winner."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from rochallor.core import events as ev

from e2e.faults.ledger import job_ref
from e2e.faults.wire import Answer, Client
from e2e.faults.world import World

DUPLICATES = 64
CONTESTS = 12
TIMER_MS = 1_500
_TIMER = {"type": "TIMER", "duration": f"PT{TIMER_MS / 1000}S", "interrupting": True, "targetStepId": "end"}
_END = {"id": "end", "name": "end", "type": "END"}
RACE = {
    "id": "race",
    "name": "race",
    "steps": [{"id": "prize", "name": "prize", "type": "SERVICE_TASK", "retryCount": 1, "nextStep": "end"}, _END],
}
CONTEST = {
    "id": "contest",
    "name": "contest",
    "steps": [
        {"id": "cup", "name": "cup", "type": "SERVICE_TASK", "nextStep": "end", "boundaryEvents": [_TIMER]},
        _END,
    ],
}


async def duplicates(world: World) -> None:
    """One job is reported as done 64 times at once, over all engines: accepted once, late 63 times."""
    clients = [Client(world.ports[number % len(world.ports)]) for number in range(DUPLICATES)]
    await _post(clients[0], "definitions", RACE)
    await _post(clients[0], "instances", {"definitionId": "race"})
    [job] = await _claim(clients[0], "first", "prize", lease_s=60)
    body = {"workerId": "first", "outcomes": [_done(job)]}
    answers = await asyncio.gather(*(_post(client, "jobs/report", body) for client in clients))
    verdicts = Counter(answer.body["results"][0]["status"] for answer in answers)
    if verdicts != {"ACCEPTED": 1, "STALE": DUPLICATES - 1}:
        world.tally.doubled.append(f"{DUPLICATES} equal reports were answered {dict(verdicts)}")
    world.tally.faults["64 equal reports at once"] += 1
    _hang_up(clients)


async def two_workers(world: World) -> None:
    """A worker is slower than its lease, a second one has the job: both report at once, the second one counts."""
    clients = [Client(world.ports[number % len(world.ports)]) for number in range(2)]
    await _post(clients[0], "definitions", RACE)
    await _post(clients[0], "instances", {"definitionId": "race"})
    [slow] = await _claim(clients[0], "slow", "prize", lease_s=1)
    [quick] = await _claim(clients[1], "quick", "prize", lease_s=60)
    reports = [
        _post(client, "jobs/report", {"workerId": name, "outcomes": [_done(job)]})
        for client, name, job in ((clients[0], "slow", slow), (clients[1], "quick", quick))
    ]
    verdicts = [answer.body["results"][0]["status"] for answer in await asyncio.gather(*reports)]
    if verdicts != ["STALE", "ACCEPTED"]:
        world.tally.doubled.append(f"the slow and the quick worker were answered {verdicts}")
    world.tally.faults["two workers with one job"] += 1
    _hang_up(clients)


async def contests(world: World) -> None:
    """Completion, failure, cancellation and timer meet at one instance: one of them moves it, the others come late."""
    clients = [Client(world.ports[number % len(world.ports)]) for number in range(3 * CONTESTS)]
    await _post(clients[0], "definitions", CONTEST)
    # Some contests are over before the timer is due, some after; most are at the moment itself.
    contests = []
    for number in range(CONTESTS):
        job = await _cup(clients[0])
        contests.append(asyncio.create_task(_contest(world, job, clients[3 * number : 3 * number + 3], number)))
    await asyncio.gather(*contests)
    _hang_up(clients)


async def _cup(client: Client) -> dict[str, Any]:
    """Start a contest and claim its job; start another one where a slow machine lets the timer win before that."""
    while True:
        await _post(client, "instances", {"definitionId": "contest"})
        for job in await _claim(client, "first", "cup", lease_s=60):
            return job


async def _contest(world: World, job: dict[str, Any], clients: list[Client], number: int) -> None:
    after_s, first = (TIMER_MS - 150 + 30 * number) / 1000, number % 3
    instance_id = job["instanceId"]
    failure = {"errorMessage": "lost the cup", "retryable": False}
    lost = {"jobId": job["id"], "leaseToken": job["leaseToken"], "failed": failure}
    # The jobs were claimed a moment after their timers began; each contest begins near the end of its own timer.
    await asyncio.sleep(after_s)
    reports = {"workerId": "first", "outcomes": [_done(job)]}, {"workerId": "first", "outcomes": [lost]}
    calls = [
        clients[0].call("POST", "jobs/report", reports[0]),
        clients[1].call("POST", "jobs/report", reports[1]),
        clients[2].call("POST", f"instances/{instance_id}/cancel", {"reason": "rain"}),
    ]
    # Each of them is first in a third of the contests; the order of the answers stays.
    answers = await asyncio.gather(*(calls[first:] + calls[:first]))
    complete, fail, cancel = answers[-first:] + answers[:-first] if first else answers
    async with world.reads() as reads:
        events = [event for committed in await reads.history(instance_id) for event in committed.events]
        instance = await reads.instance(instance_id)
    assert instance is not None
    winners = {
        "COMPLETED": complete.body["results"][0]["status"] == "ACCEPTED",
        "FAILED": fail.body["results"][0]["status"] == "ACCEPTED",
        "CANCELLED": cancel.ok,
        "TIMER": any(isinstance(event, ev.TimerFired) for event in events),
    }
    won = [name for name, has_won in winners.items() if has_won]
    closed = sum(isinstance(event, ev.StepClosed) and event.seq == job_ref(job["id"]).seq for event in events)
    status = instance.status.value
    world.tally.faults[f"complete, fail, cancel and timer at once: {' and '.join(won).lower()} won"] += 1
    if len(won) != 1 or closed != 1 or status != won[0].replace("TIMER", "COMPLETED"):
        world.tally.doubled.append(f"{instance_id}: won by {won}, its step closed {closed} times, it is {status}")


async def _claim(client: Client, worker: str, job_type: str, *, lease_s: int, many: int = 1) -> list[dict[str, Any]]:
    poll = {"workerId": worker, "jobTypes": [job_type], "maxJobs": many, "leaseSeconds": lease_s, "waitMs": 10_000}
    jobs: list[dict[str, Any]] = (await _post(client, "jobs/poll", poll)).body["jobs"]
    return jobs


async def _post(client: Client, path: str, body: object) -> Answer:
    answer = await client.call("POST", path, body)
    if not answer.ok:
        raise RuntimeError(f"{path} was refused: {answer}")
    return answer


def _done(job: dict[str, Any]) -> dict[str, Any]:
    return {"jobId": job["id"], "leaseToken": job["leaseToken"], "completed": {}}


def _hang_up(clients: list[Client]) -> None:
    for client in clients:
        client.close()
