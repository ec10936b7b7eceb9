"""Real clients: starters, workers, people. They go on whatever happens, and write down every promise they are given."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any

from e2e.faults.flows import FLOWS, JOB_TYPES, RETRIES, STARTED
from e2e.faults.ledger import Ledger, job_ref
from e2e.faults.wire import Answer, Client, Lost

LEASE_S = 2
PAUSE_S = 0.05
WORK_S = 0.02
"""How long a job takes: long enough that jobs are held when an engine dies."""
AGAIN = 429, 503
GIVE_UP_S = 120.0
"""So long nobody serves a request: longer than any fault that is played."""


class Caller:
    """A client of several engines, who turns to the next one when an engine is gone."""

    def __init__(self, ports: Sequence[int], first: int, ledger: Ledger) -> None:
        self._clients = [Client(port) for port in ports]
        self._at = first % len(ports)
        self._ledger = ledger

    async def call(self, method: str, path: str, body: object = None) -> Answer | None:
        """Return the answer, or None when there was none that counts."""
        try:
            answer = await self._clients[self._at].call(method, path, body)
        except Lost:
            self._ledger.lost_answers += 1
            self._at = (self._at + 1) % len(self._clients)
            return None
        if not answer.ok:
            self._ledger.refused[answer.status] += 1
        return answer

    async def insist(self, path: str, body: object) -> Answer:
        """Repeat a request until it is answered: reports are safe to repeat. Raises when nobody serves it at all."""
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + GIVE_UP_S
        while True:
            answer = await self.call("POST", path, body)
            if answer is not None and answer.status not in AGAIN:
                return answer
            if loop.time() >= give_up_s:
                raise RuntimeError(f"{path} was not served for {GIVE_UP_S:g} s; last: {answer or 'no answer'}")
            await asyncio.sleep(PAUSE_S)

    def close(self) -> None:
        """Hang up."""
        for client in self._clients:
            client.close()


class Load:
    """Everybody who calls. `on_answer` is told the kind of every request the moment its success is read.

    The numbers drawn from `seed` decide what is started; when things happen is up to the machine.
    """

    def __init__(self, ports: Sequence[int], ledger: Ledger, *, seed: int, workers: int = 4, per_s: float = 25) -> None:
        self.starting = True
        self.on_answer: Callable[[str], None] = lambda _kind: None
        self._ports = ports
        self._ledger = ledger
        self._random = Random(seed)  # noqa: S311 - a schedule, not a secret
        self._workers = workers
        self._per_s = per_s
        self._keys = 0
        self._callers: list[Caller] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Upload the definitions, then let everybody in."""
        uploader = self._caller(0)
        for flow in FLOWS:
            await uploader.insist("definitions", flow.definition)
        everybody: list[Coroutine[Any, Any, None]] = [self._start_instances(self._caller(0))]
        everybody += [self._work(self._caller(number), number) for number in range(self._workers)]
        everybody += [self._approve(self._caller(number), f"person-{number}") for number in range(2)]
        self._tasks = [asyncio.create_task(somebody) for somebody in everybody]

    async def stop(self) -> None:
        """Send everybody home; raises what went wrong with one of them."""
        for task in self._tasks:
            if not task.done():
                task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        for caller in self._callers:
            caller.close()
        for problem in ended:
            if isinstance(problem, Exception):
                raise problem

    def _caller(self, first: int) -> Caller:
        self._callers.append(Caller(self._ports, first, self._ledger))
        return self._callers[-1]

    async def _start_instances(self, caller: Caller) -> None:
        while True:
            await asyncio.sleep(1 / self._per_s)
            if not self.starting:
                continue
            flow = self._random.choice(STARTED)
            body: dict[str, Any] = {"definitionId": flow.id, "variables": {"n": self._random.randrange(100)}}
            if flow.has_key:
                self._keys += 1
                body["businessKey"] = f"key-{self._keys}"
            answer = await caller.call("POST", "instances", body)
            if answer is not None and answer.ok:
                self._ledger.started[answer.body["id"]] = flow.id
                self.on_answer("StartInstance")

    async def _work(self, caller: Caller, number: int) -> None:
        name = f"worker-{number}"
        poll = {"workerId": name, "jobTypes": JOB_TYPES, "maxJobs": 4, "leaseSeconds": LEASE_S, "waitMs": 500}
        report = self._report_together if number % 2 else self._report_each
        while True:
            answer = await caller.call("POST", "jobs/poll", poll)
            if answer is None or not answer.ok:
                await asyncio.sleep(PAUSE_S)
            elif answer.body["jobs"]:
                self.on_answer("Claim")
                for job in answer.body["jobs"]:
                    ref = job_ref(job["id"])
                    self._ledger.effects[ref.instance_id, ref.seq] += 1
                await asyncio.sleep(len(answer.body["jobs"]) * WORK_S)
                await report(caller, name, answer.body["jobs"])

    async def _report_together(self, caller: Caller, name: str, jobs: list[dict[str, Any]]) -> None:
        outcomes = [{"jobId": job["id"], "leaseToken": job["leaseToken"], **_outcome(job)} for job in jobs]
        answer = await caller.insist("jobs/report", {"workerId": name, "outcomes": outcomes})
        assert answer.ok, answer
        for job, result in zip(jobs, answer.body["results"], strict=True):
            if result["status"] == "ACCEPTED":
                told = self._ledger.failed if _fails(job) else self._ledger.completed
                told[job_ref(job["id"])] = told.get(job_ref(job["id"]), 0) + 1
        self.on_answer("CompleteJob")

    async def _report_each(self, caller: Caller, name: str, jobs: list[dict[str, Any]]) -> None:
        for job in jobs:
            told = {"workerId": name, "leaseToken": job["leaseToken"]}
            if _fails(job):
                answer = await caller.insist(f"jobs/{job['id']}/fail", {**told, **_outcome(job)["failed"]})
            else:
                answer = await caller.insist(f"jobs/{job['id']}/complete", {**told, **_outcome(job)["completed"]})
                self._ledger.answered[job_ref(job["id"])] = time.time_ns() // 1_000_000
            assert answer.ok, answer
            self.on_answer("FailJob" if _fails(job) else "CompleteJob")

    async def _approve(self, caller: Caller, name: str) -> None:
        while True:
            await asyncio.sleep(PAUSE_S)
            answer = await caller.call("GET", "user-tasks?status=OPEN&pageSize=20")
            for task in answer.body["items"] if answer is not None and answer.ok else ():
                path = f"instances/{task['instanceId']}/user-tasks/{task['stepId']}/complete"
                done = await caller.call("POST", path, {"completedBy": name, "result": {"approved": True}})
                if done is not None and done.ok:
                    self._ledger.tasks.add((task["instanceId"], task["stepId"]))
                    self.on_answer("CompleteUserTask")


def _fails(job: dict[str, Any]) -> bool:
    """The job `flaky` fails as long as its retries are not used up to a point."""
    return bool(job["jobType"] == "flaky" and job["retriesRemaining"] > 3 - RETRIES)


def _outcome(job: dict[str, Any]) -> dict[str, Any]:
    if _fails(job):
        return {"failed": {"errorMessage": "not yet", "retryable": True}}
    return {"completed": {"variables": {f"{job['jobType']}_by": job["id"]}}}
