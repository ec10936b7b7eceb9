"""The engine's operations, as a transport sees them."""

from __future__ import annotations

import asyncio
import json

import pytest
from rochallor.core.errors import BadRequest, BusinessKeyInUse, Conflict, NotFound, PayloadTooLarge
from rochallor.shell.requests import JobCompleted, JobFailed, JobOutcome, LeaseExtension, Poll, Report

TASK = {"id": "work", "type": "SERVICE_TASK", "retryCount": 1, "nextStep": "end"}
END = {"id": "end", "type": "END"}


async def test_main_job(house):
    """Upload, start, work, complete: the instance ends with the worker's variables."""
    await house.upload(TASK, END)
    instance_id = await house.start(variables=b'{"n": 10.0}')
    (job,) = await house.poll("work")
    assert (job.attempt, job.step_id, bytes(job.variables)) == (1, "work", b'{"n":10}')
    await house.engine.complete_job(job.id, "w", variables=b'{"done": true}')
    view = await house.engine.get_instance(instance_id)
    assert (view.status, json.loads(bytes(view.variables))) == ("COMPLETED", {"n": 10, "done": True})
    assert view.current_step_ids == []


async def test_history_tells_each_step(house):
    """History has one entry per step execution, in entry order, with what the step set."""
    await house.upload(TASK, END)
    instance_id = await house.start()
    (job,) = await house.poll("work")
    await house.engine.complete_job(job.id, "w", variables=b'{"x": 1}')
    first, last = await house.engine.get_history(instance_id)
    assert (first.step_id, first.status, bytes(first.output)) == ("work", "COMPLETED", b'{"x":1}')
    assert (last.step_id, last.step_type, last.status) == ("end", "END", "COMPLETED")


async def test_same_upload_is_same_version(house):
    """Equal content is the version that exists; other content is the next one; old content again is a new one."""
    versions = []
    for retries in (1, 1, 2, 1):
        body = {"id": "f", "name": "f", "steps": [{"name": "w", **TASK, "retryCount": retries}, {"name": "e", **END}]}
        versions.append((await house.engine.upload_definition(json.dumps(body).encode())).version)
    assert versions == [1, 1, 2, 3]


async def test_layout_only_change_is_no_version(house):
    """An editor's layout is replaced in place."""
    for x in (1, 2):
        await house.upload(TASK, END, metadata={"workflowModeller": {"x": x}})
    document = json.loads(await house.engine.get_definition("flow"))
    assert (document["version"], document["metadata"]["workflowModeller"]) == (1, {"x": 2})


async def test_instance_keeps_its_version(house):
    """A running instance is pinned; a later start takes the newest."""
    await house.upload(TASK, END)
    old = await house.start()
    await house.upload({**TASK, "jobType": "new"}, END)
    new = await house.start()
    assert [job.instance_id for job in await house.poll("work", "new")] == [old, new]


async def test_invalid_definition_lists_all_problems(house):
    """An upload that is wrong twice is told so twice, with pointers."""
    with pytest.raises(BadRequest) as refused:
        await house.upload({"id": "a", "type": "NOPE"}, {"id": "a", "type": "END"})
    assert {"STEP_TYPE_VALID", "STEP_ID_UNIQUE"} <= {detail.code for detail in refused.value.details}


async def test_oversized_definition_is_413(houses):
    """A definition over its limit is too large, not malformed."""
    house = await houses(max_definition_bytes=100)
    with pytest.raises(PayloadTooLarge):
        await house.upload(TASK, END, description="x" * 200)


async def test_chain_warning_names_missing_target(house):
    """A next workflow that is not uploaded yet is a warning, and gone once it is."""
    body = {
        "id": "a",
        "name": "a",
        "steps": [{"name": "e", **END}],
        "autoStartNextWorkflow": True,
        "nextWorkflowId": "b",
    }
    first = await house.engine.upload_definition(json.dumps(body).encode())
    await house.upload(END, id="b")
    second = await house.engine.upload_definition(json.dumps(body).encode())
    assert [warning.code for warning in first.warnings] == ["NEXT_WORKFLOW_UNKNOWN"]
    assert second.warnings == ()


async def test_business_key_is_held_while_in_flight(house):
    """A key in use refuses the second start, and is free once the first instance has ended."""
    await house.upload(TASK, END)
    first = await house.start(business_key="k")
    with pytest.raises(BusinessKeyInUse, match="business key already in use"):
        await house.start(business_key="k")
    await house.engine.cancel_instance(first)
    assert await house.start(business_key="k")


async def test_business_key_race_in_one_batch_has_one_winner(house):
    """Two starts with one key that land in one batch: one wins, one is refused."""
    await house.upload(TASK, END)
    starts = await asyncio.gather(*(house.start(business_key="k") for _ in range(2)), return_exceptions=True)
    assert sum(isinstance(start, BusinessKeyInUse) for start in starts) == 1
    assert (await house.engine.list_instances(business_key="k")).total == 1


async def test_unknown_things_are_not_found(house):
    """Unknown definition, instance and job are NotFound, whatever their shape."""
    ghost = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    for attempt in (
        house.start("ghost"),
        house.engine.get_instance(ghost),
        house.engine.get_history(ghost),
        house.engine.get_audit(ghost),
        house.engine.get_definition("ghost"),
        house.engine.cancel_instance(ghost),
        house.engine.complete_job(f"{ghost}-1-1", "w"),
        house.engine.complete_job("nonsense", "w"),
        house.engine.fail_job(f"{ghost}-1-1", "w", message="", retryable=True),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_late_report_is_told_from_a_made_up_one(house):
    """A repeated completion succeeds; a delivery or step that never existed is not found, even when all is over."""
    await house.upload(TASK, END)
    instance_id = await house.start()
    (job,) = await house.poll("work")
    for _ in range(2):
        await house.engine.complete_job(job.id, "w")
    for never in (f"{instance_id}-1-2", f"{instance_id}-9-1", f"{instance_id}-2-1"):
        with pytest.raises(NotFound):
            await house.engine.complete_job(never, "w")


async def test_chain_starts_next_workflow_once(house):
    """Reaching END starts the next workflow with the variables and the key, and both know each other."""
    await house.upload(TASK, END, id="child")
    await house.upload(END, id="parent", autoStartNextWorkflow=True, nextWorkflowId="child")
    parent = await house.start("parent", business_key="k", variables=b'{"a":1}')
    await house.engine.sweeper.settled()
    child_id = (await house.engine.get_instance(parent)).child_instance_id
    child = await house.engine.get_instance(child_id)
    assert (child.parent_instance_id, child.business_key, bytes(child.variables)) == (parent, "k", b'{"a":1}')
    assert (await house.engine.list_instances(definition_id="child")).total == 1


async def test_chain_waits_for_its_target(house):
    """A chain whose target is missing stays, and goes on as soon as the target is uploaded."""
    await house.upload(END, id="parent", autoStartNextWorkflow=True, nextWorkflowId="child")
    parent = await house.start("parent")
    await house.engine.sweeper.settled()
    assert (await house.engine.get_instance(parent)).child_instance_id is None
    await house.upload(TASK, END, id="child")
    await house.pass_time(0)
    assert (await house.engine.get_instance(parent)).child_instance_id


async def test_chain_waits_for_the_key(house):
    """A chained child whose key is in use stays pending until the key is free."""
    await house.upload(TASK, END, id="child")
    await house.upload(END, id="parent", autoStartNextWorkflow=True, nextWorkflowId="child")
    holder = await house.start("child", business_key="k")
    parent = await house.start("parent", business_key="k")
    await house.engine.sweeper.settled()
    assert (await house.engine.get_instance(parent)).child_instance_id is None
    await house.engine.cancel_instance(holder)
    await house.pass_time(0)
    assert (await house.engine.get_instance(parent)).child_instance_id


async def test_timer_fires_when_due_and_not_before(house):
    """An interrupting timer moves the token at its time."""
    timer = {"type": "TIMER", "duration": "PT1M", "interrupting": True, "targetStepId": "late"}
    await house.upload({**TASK, "boundaryEvents": [timer]}, END, {"id": "late", "type": "END"})
    instance_id = await house.start()
    await house.pass_time(59_999)
    assert await house.status(instance_id) == "ACTIVE"
    await house.pass_time(1)
    history = await house.engine.get_history(instance_id)
    assert [(item.step_id, item.status) for item in history] == [("work", "FAILED"), ("late", "COMPLETED")]
    assert history[0].failure_reason == "interrupted by boundary timer"


async def test_expired_lease_is_redelivered_and_fenced(house):
    """After its lease a job is a new delivery for somebody else; the first worker's late result changes nothing."""
    await house.upload(TASK, END)
    instance_id = await house.start()
    (first,) = await house.poll("work", lease_seconds=5)
    await house.pass_time(5_000)
    (second,) = await house.poll("work")
    assert (second.attempt, second.retries_remaining) == (2, first.retries_remaining)
    await house.engine.complete_job(first.id, "w", lease_token=first.lease_token)
    assert await house.status(instance_id) == "ACTIVE"
    await house.engine.complete_job(second.id, "w", lease_token=second.lease_token)
    assert await house.status(instance_id) == "COMPLETED"


async def test_retry_after_delays_the_next_delivery(house):
    """A retryable failure with a delay is handed out again after it, with one retry less."""
    await house.upload(TASK, END)
    await house.start()
    (job,) = await house.poll("work")
    await house.engine.fail_job(job.id, "w", message="later", retryable=True, retry_after_ms=1_000)
    assert await house.poll("work") == []
    await house.pass_time(1_000)
    (again,) = await house.poll("work")
    assert (again.attempt, again.retries_remaining) == (2, 0)


async def test_failure_without_retries_fails_the_instance_and_retry_brings_it_back(house):
    """Out of retries the worker's message is the reason; a manual retry opens the step anew with its full budget."""
    await house.upload(TASK, END)
    instance_id = await house.start()
    (job,) = await house.poll("work")
    await house.engine.fail_job(job.id, "w", message="broken pipe", retryable=False)
    view = await house.engine.get_instance(instance_id)
    assert (view.status, view.failure_reason) == ("FAILED", "broken pipe")
    view = await house.engine.retry_step(instance_id, "work", variables=b'{"fixed":true}')
    assert (view.status, view.failure_reason, view.completed_at) == ("ACTIVE", None, None)
    (job,) = await house.poll("work")
    assert (job.retries_remaining, bytes(job.variables)) == (1, b'{"fixed":true}')


async def test_output_violation_fails_and_tells_the_worker(house):
    """A result against the step's schema fails the instance and refuses the call; its repeat is fine."""
    schema = {"properties": {"n": {"type": "integer"}}, "required": ["n"]}
    await house.upload({**TASK, "outputs_schema": schema}, END)
    instance_id = await house.start()
    (job,) = await house.poll("work")
    with pytest.raises(BadRequest, match="'n'"):
        await house.engine.complete_job(job.id, "w", variables=b'{"n":"no"}')
    assert await house.status(instance_id) == "FAILED"
    await house.engine.complete_job(job.id, "w", variables=b'{"n":"no"}')


async def test_user_task_and_signal(house):
    """A user task and a wait park the instance; their callers wake it and their data is merged."""
    await house.upload(
        {"id": "ask", "type": "USER_TASK", "nextStep": "hold"}, {"id": "hold", "type": "WAIT", "nextStep": "end"}, END
    )
    instance_id = await house.start()
    (task,) = (await house.engine.list_user_tasks(status="OPEN")).items
    assert (task.instance_id, task.step_id) == (instance_id, "ask")
    await house.engine.complete_user_task(instance_id, "ask", completed_by="ada", result=b'{"ok":true}')
    assert await house.status(instance_id) == "WAITING"
    await house.engine.signal_wait(instance_id, "hold", variables=b'{"sig":1}')
    assert await house.status(instance_id) == "COMPLETED"
    with pytest.raises(Conflict):
        await house.engine.signal_wait(instance_id, "hold")


async def test_report_answers_each_outcome_and_polls(house):
    """A batch of reports answers one by one, in order, and brings the next jobs along."""
    await house.upload({**TASK, "nextStep": "more"}, {"id": "more", "type": "SERVICE_TASK", "nextStep": "end"}, END)
    for _ in range(3):
        await house.start()
    first, second, third = await house.poll("work")
    outcomes = [
        JobOutcome(job_id=first.id, completed=JobCompleted()),
        JobOutcome(job_id=second.id, failed=JobFailed(error_message="no", retryable=True)),
        JobOutcome(job_id=third.id, extend=LeaseExtension(lease_seconds=60)),
        JobOutcome(job_id="nonsense", completed=JobCompleted()),
        JobOutcome(job_id=first.id),
    ]
    poll = Poll(worker_id="w", job_types=["work", "more"])
    answer = await house.engine.report_jobs(Report(worker_id="w", outcomes=outcomes, poll=poll), default_max_jobs=10)
    assert [result.status for result in answer.results] == ["ACCEPTED", "ACCEPTED", "ACCEPTED", "NOT_FOUND", "REJECTED"]
    assert sorted(job.job_type for job in answer.jobs) == ["more", "work"]
    assert answer.results[2].lock_expires_at is not None


async def test_the_poll_of_a_report_comes_after_all_its_outcomes(houses):
    """Also when they are too many for one batch, the jobs that they make are there for it."""
    house = await houses(batch_limit=1)
    await house.upload({**TASK, "nextStep": "more"}, {"id": "more", "type": "SERVICE_TASK", "nextStep": "end"}, END)
    for _ in range(3):
        await house.start()
    outcomes = [JobOutcome(job_id=job.id, completed=JobCompleted()) for job in await house.poll("work")]
    report = Report(worker_id="w", outcomes=outcomes, poll=Poll(worker_id="w", job_types=["more"]))
    answer = await house.engine.report_jobs(report, default_max_jobs=10)
    assert len(answer.jobs) == len(outcomes) == 3


async def test_await_returns_when_the_instance_ends(house):
    """A caller that awaits an instance is woken by its end."""
    await house.upload(TASK, END)
    instance_id = await house.start()
    waiting = asyncio.create_task(house.engine.await_instance(instance_id, wait_ms=30_000))
    (job,) = await house.poll("work")
    await house.engine.complete_job(job.id, "w")
    answer = await asyncio.wait_for(waiting, 5)
    assert (answer.reached, answer.instance.status) == (True, "COMPLETED")


async def test_audit_names_who_did_what(house, houses):
    """The audit has one entry per change with its actor; switched off it is empty."""
    await house.upload(TASK, END)
    instance_id = await house.start(actor="caller")
    await house.engine.cancel_instance(instance_id, reason="no need", actor="ops")
    entries = [(entry.kind, entry.actor, entry.revision) for entry in await house.engine.get_audit(instance_id)]
    assert entries == [("StartInstance", "caller", 1), ("CancelInstance", "ops", 2)]
    silent = await houses(audit_enabled=False)
    await silent.upload(TASK, END)
    assert await silent.engine.get_audit(await silent.start()) == []


async def test_pages(house):
    """Lists page from 0, default to 20, are cut at 200, and refuse what is negative."""
    await house.upload(TASK, END)
    for _ in range(3):
        await house.start()
    page = await house.engine.list_instances(page=1, page_size=2)
    assert (len(page.items), page.total, page.page, page.page_size) == (1, 3, 1, 2)
    assert (await house.engine.list_instances(page_size=1_000)).page_size == 200
    with pytest.raises(BadRequest):
        await house.engine.list_instances(page=-1)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda engine: engine.list_instances(status="BUSY"), "status"),
        (lambda engine: engine.list_user_tasks(status="BUSY"), "status"),
        (lambda engine: engine.get_instance("a\x00b"), "NUL"),
        (lambda engine: engine.start_instance("flow", business_key="k\x00"), "NUL"),
        (lambda engine: engine.start_instance("flow", business_key="k" * 2_000), "1024"),
        (lambda engine: engine.start_instance("flow", business_key="é" * 513), "takes 1026 bytes"),
        (lambda engine: engine.start_instance("flow", variables=b"[1]"), "object"),
        (lambda engine: engine.start_instance("flow", variables=b'{"a":NaN}'), "malformed"),
        (lambda engine: engine.poll_jobs(Poll(worker_id="w"), default_max_jobs=1), "jobTypes"),
        (lambda engine: engine.poll_jobs(Poll(worker_id="w", job_types=[""]), default_max_jobs=1), "jobTypes"),
        (lambda engine: engine.poll_jobs(Poll(job_types=["a"]), default_max_jobs=1), "workerId"),
        (
            lambda engine: engine.poll_jobs(Poll(worker_id="w", job_types=["a"], max_jobs=-1), default_max_jobs=1),
            "maxJobs",
        ),
    ],
)
async def test_bad_arguments_are_refused_with_a_sentence(house, call, says):
    """What cannot be meant is refused, and the sentence names it."""
    with pytest.raises(BadRequest, match=says):
        await call(house.engine)


async def test_a_clock_that_jumps_wakes_the_sweeper(house, monkeypatch):
    """A timer planned an hour ahead fires when the clock jumps there, although nobody calls the engine."""
    monkeypatch.setattr("rochallor.shell.sweeper._LOOK_MS", 5)
    timer = {"type": "TIMER", "duration": "PT1H", "interrupting": True, "targetStepId": "late"}
    await house.upload({**TASK, "boundaryEvents": [timer]}, END, {"id": "late", "type": "END"})
    instance_id = await house.start()
    house.clock.at_ms += 3_600_000
    assert (await house.engine.await_instance(instance_id, wait_ms=10_000)).reached


@pytest.mark.parametrize(
    ("worker_id", "retry_after_ms"), [("", None), ("w", -1)], ids=["no worker", "a negative delay"]
)
async def test_failure_that_is_wrong_in_itself_is_that_before_its_job_is_unknown(house, worker_id, retry_after_ms):
    """A caller who sent two mistakes hears of the one that no other job would mend."""
    with pytest.raises(BadRequest):
        await house.engine.fail_job("nonsense", worker_id, message="m", retryable=True, retry_after_ms=retry_after_ms)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"completed": JobCompleted(), "failed": JobFailed()}, "REJECTED"),
        ({}, "REJECTED"),
        ({"failed": JobFailed(retry_after_ms=-1)}, "REJECTED"),
        ({"completed": JobCompleted()}, "NOT_FOUND"),
        ({"failed": JobFailed()}, "NOT_FOUND"),
        ({"extend": LeaseExtension(lease_seconds=5)}, "NOT_FOUND"),
    ],
    ids=["two parts", "no part", "a negative delay", "completed", "failed", "extended"],
)
async def test_outcome_that_is_wrong_in_itself_is_that_before_its_job_is_unknown(house, fields, status):
    """The same in a batch of reports; an outcome that is right says that there is no such job."""
    report = Report(worker_id="w", outcomes=[JobOutcome(job_id="nonsense", **fields)])
    answer = await house.engine.report_jobs(report, default_max_jobs=1)
    assert [result.status for result in answer.results] == [status]
