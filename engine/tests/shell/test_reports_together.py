"""Reports that come together, with a poll: each is answered for itself, and no job is handed out unheard."""

from __future__ import annotations

import asyncio

import pytest
from rochallor.core.errors import BadRequest, Conflict, InternalError, TooManyRequests, Unavailable, WorkflowError
from rochallor.shell.requests import JobCompleted, JobOutcome, Poll, Report
from rochallor.shell.work import Do

TASK = {"id": "work", "type": "SERVICE_TASK", "nextStep": "end"}
END = {"id": "end", "type": "END"}


@pytest.fixture
async def house(house):
    await house.upload(TASK, END)
    for _ in range(3):
        await house.start()
    return house


def report(jobs):
    outcomes = [JobOutcome(job_id=job.id, completed=JobCompleted()) for job in jobs]
    return Report(worker_id="w", outcomes=outcomes, poll=Poll(worker_id="w", job_types=["work"]))


def failing(monkeypatch, job, error):
    """Let the report about one job, or each, end in an error."""
    perform = Do.perform

    async def fails(self, desk):
        if job is None or self.command.instance_id == job.instance_id:
            raise error
        return await perform(self, desk)

    monkeypatch.setattr(Do, "perform", fails)


async def test_one_that_is_refused_does_not_touch_the_others(house, monkeypatch):
    """It is rejected with the reason; the others count, and the jobs polled along are handed out."""
    jobs = await house.poll("work", max_jobs=2)
    failing(monkeypatch, jobs[0], BadRequest("no"))
    answer = await house.engine.report_jobs(report(jobs), default_max_jobs=10)
    assert [result.status for result in answer.results] == ["REJECTED", "ACCEPTED"]
    assert answer.results[0].message
    assert len(answer.jobs) == 1


@pytest.mark.parametrize("error", [InternalError("a bug"), ZeroDivisionError(), Conflict("lost a race")])
async def test_one_that_ends_by_no_fault_of_its_own_is_not_rejected(house, monkeypatch, error):
    """Its worker would drop a finished result. The call fails and is made again; what the others did counts."""
    jobs = await house.poll("work", max_jobs=2)
    with monkeypatch.context() as broken:
        failing(broken, jobs[0], error)
        with pytest.raises(InternalError if isinstance(error, ZeroDivisionError) else type(error)):
            await house.engine.report_jobs(report(jobs), default_max_jobs=10)
    answer = await house.engine.report_jobs(report(jobs), default_max_jobs=10)
    assert [result.status for result in answer.results] == ["ACCEPTED", "STALE"]
    assert len(answer.jobs) == 1


@pytest.mark.parametrize("error", [Unavailable("away"), TooManyRequests("later")])
async def test_what_is_to_be_sent_again_leaves_no_job_locked(house, monkeypatch, error):
    """Nobody hears of the jobs that were polled along, so the next poll has them."""
    jobs = await house.poll("work", max_jobs=2)
    settled = house.engine._settled

    async def passing(outcome, job):
        if job.instance_id == jobs[0].instance_id:
            raise error
        return await settled(outcome, job)

    with monkeypatch.context() as broken:
        broken.setattr(house.engine, "_settled", passing)
        with pytest.raises(type(error)):
            await house.engine.report_jobs(report(jobs), default_max_jobs=10)
    assert len(await house.poll("work", wait_ms=30_000)) == 1
    answer = await house.engine.report_jobs(report(jobs), default_max_jobs=10)
    assert [result.status for result in answer.results] == ["STALE", "STALE"]


async def test_who_hangs_up_before_the_answer_is_complete_keeps_no_job(house, monkeypatch):
    """The jobs polled along were claimed; what became of an outcome was still being looked up."""
    jobs = await house.poll("work", max_jobs=2)
    asked = asyncio.Event()

    async def for_ever(*_):
        asked.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as slow:
        slow.setattr(house.engine, "_settled", for_ever)
        call = asyncio.create_task(house.engine.report_jobs(report(jobs), default_max_jobs=10))
        await asyncio.wait_for(asked.wait(), 5)
        call.cancel()
        await asyncio.wait([call])
    assert call.cancelled()
    assert len(await house.poll("work", wait_ms=30_000)) == 1


async def test_a_poll_that_fails_leaves_no_outcome_unheard(house, monkeypatch):
    """The call fails, and its outcomes are not left behind as errors that nobody has looked at."""
    enqueue, answers = house.engine.executor.enqueue, []
    jobs = await house.poll("work", max_jobs=2)
    failing(monkeypatch, None, InternalError("a bug"))

    def noted(work):
        answers.append(enqueue(work))
        return answers[-1]

    async def refused(*_, **__):
        raise Unavailable("away")

    monkeypatch.setattr(house.engine.executor, "enqueue", noted)
    monkeypatch.setattr(house.engine.executor.polls, "claim", refused)
    with pytest.raises(WorkflowError):
        await house.engine.report_jobs(report(jobs), default_max_jobs=10)
    await asyncio.wait(answers)
    assert [answer._log_traceback for answer in answers] == [False, False]  # by this asyncio knows
