"""Defects of polls, leases, reports and retries."""

from __future__ import annotations

from typing import Final

from rochallor_conformance.mutants.patch import Edit, Patch

REPORTS: Final = "core.reports"
WRITES: Final = "stores.memory.writes"
ROWS: Final = "stores.projections"

REMEMBERS_CLOSED: Final = (
    Edit(
        "core.apply",
        "step = instance.open.pop(event.seq)",
        "step = CLOSED[instance.id, event.seq] = instance.open.pop(event.seq)",
    ),
    Edit("core.apply", "", "CLOSED = {}"),
)
"""Closed steps stay known, so that a report or a timer that comes too late finds what it is about."""

JUDGED: Final = "    verdict = judge(run.instance, command.job)\n    if verdict is Verdict.ACCEPTED and not _holds"


def _revived(kinds: str) -> Patch:
    """Return a patch that takes late reports of some kinds (an expression over `command`, `run`) as if in time."""
    revive = f"""    from rochallor.core.apply import CLOSED
    step = CLOSED.get((run.instance.id, command.job.seq))
    if step is not None and step.job and {kinds}:
        run.instance.open.setdefault(step.seq, step)
        return Verdict.ACCEPTED
"""
    return (*REMEMBERS_CLOSED, Edit(REPORTS, JUDGED, revive + JUDGED))


PATCHES: Final[dict[str, Patch]] = {
    "unknown-job-500": (
        Edit("shell.checks", 'return NotFound(f"no job has the id', 'return RuntimeError(f"no job has the id'),
    ),
    "double-lease": (Edit(WRITES, "if not job.lease and not job.delayed and", "if not job.delayed and"),),
    "job-after-cancel": (
        Edit(ROWS, "if event.delivery and batch", 'if event.delivery and event.outcome != "CANCELLED" and batch'),
    ),
    "interrupting-timer-keeps-job": (
        Edit(ROWS, "if event.delivery and batch", 'if event.delivery and event.outcome != "FAILED" and batch'),
    ),
    "interrupting-timer-keeps-job+step": (
        Edit("core.lifecycle", 'run.close(step, "FAILED", reason=INTERRUPTED)', "pass"),
    ),
    "lease-seconds-ignored": (
        Edit(
            "shell.checks",
            "return max(1, min(seconds, settings.max_lease_s)) * 1000",
            "return settings.default_lease_s * 1000",
        ),
    ),
    "lease-seconds-ignored+default": (Edit("shell.checks", "return settings.default_lease_s * 1000", "return 5_000"),),
    "lease-seconds-ignored+range": (
        Edit("shell.checks", "return max(1, min(seconds, settings.max_lease_s)) * 1000", "return seconds * 1000"),
    ),
    "attempt-stuck": (Edit("shell.answers", "attempt=job.delivery", "attempt=1"),),
    "retry-not-decremented": (
        Edit(
            REPORTS,
            "retries_remaining=failed.job.retries_remaining - 1",
            "retries_remaining=failed.job.retries_remaining",
        ),
    ),
    "retry-reuses-job-id": (Edit(REPORTS, "delivery=failed.job.delivery + 1", "delivery=failed.job.delivery"),),
    "retry-reuses-job-id+expired": (Edit(REPORTS, "delivery=job.delivery + 1", "delivery=job.delivery"),),
    "fencing-missing": (Edit(REPORTS, "if verdict is Verdict.ACCEPTED and not _holds(run, command):", "if False:"),),
    "late-completion-applied": (
        Edit(
            REPORTS,
            JUDGED,
            "    step = run.instance.open.get(command.job.seq)\n"
            "    if isinstance(command, cmd.CompleteJob) and step is not None and step.job:\n"
            "        return Verdict.ACCEPTED\n" + JUDGED,
        ),
    ),
    "late-completion-applied+finished": _revived("isinstance(command, cmd.CompleteJob)"),
    "late-failure-resurrects": _revived("isinstance(command, cmd.FailJob) and run.instance.frozen is None"),
    "report-after-cancel-applied": _revived('run.instance.status == "CANCELLED"'),
    "repeated-failure-burns-retries": (
        Edit(
            REPORTS,
            "        return verdict, None\n    failed, step = _open(",
            "        if command.job.seq not in run.instance.open:\n            return verdict, None\n"
            "    failed, step = _open(",
        ),
    ),
    "report-all-or-nothing": (
        Edit(
            "shell.jobs",
            "return ReportView(results=results, jobs=self._views(claimed))",
            "if any(each.status != 'ACCEPTED' for each in results):\n"
            "            raise BadRequest('an outcome of the report was refused')\n"
            "        return ReportView(results=results, jobs=self._views(claimed))",
        ),
    ),
    "retry-unbounded": (
        Edit(REPORTS, "if not command.retryable or job.retries_remaining < 1:", "if not command.retryable:"),
    ),
    "retry-unbounded+final": (
        Edit(REPORTS, "if not command.retryable or job.retries_remaining < 1:", "if job.retries_remaining < 1:"),
    ),
    "retry-after-ignored": (
        Edit(
            REPORTS,
            "return retry_delay_ms(step, failed, job,",
            "return 0\n    return retry_delay_ms(step, failed, job,",
        ),
    ),
    "retry-after-ignored+for-ever": (
        Edit("core.steps.service_task", "if policy.give_up_after and now_ms", "if False and now_ms"),
    ),
    "delayed-retry-lost": (Edit(WRITES, "if job.delayed and job.row.ready_at_ms <= now_ms}", "if False}"),),
    "delivery-limit-missing": (Edit(REPORTS, "if job.expiries >= limit:", "if False:"),),
    "expired-lease-lost": (
        Edit(
            REPORTS,
            "if verdict is not Verdict.ACCEPTED or lease is None or lease.expires_at_ms > run.now_ms:",
            "if verdict:",
        ),
    ),
    "lease-expiry-burns-retry": (
        Edit(
            REPORTS,
            "retries_remaining=job.retries_remaining,",
            "retries_remaining=job.retries_remaining - 1,",
        ),
    ),
    "extension-ignored": (
        Edit(
            "shell.work",
            "if not ours or not await desk.tx.extend(self.job, Lease(held.worker_id, held.token, expires_at_ms)):",
            "if not ours:",
        ),
    ),
    "extension-ignored+old-end-said": (
        Edit(
            "shell.work",
            "desk.plans.append(expires_at_ms)\n        return expires_at_ms",
            "desk.plans.append(expires_at_ms)\n        return held.expires_at_ms",
        ),
    ),
    "extension-ignored+unsaid": (
        Edit("shell.jobs", 'status="ACCEPTED", lock_expires_at=moment(answer))', 'status="ACCEPTED")'),
    ),
    "output-schema-ignored": (Edit(REPORTS, "if step.outputs_schema is not None:", "if False:"),),
    "max-jobs-ignored": (
        Edit("shell.jobs", "max_jobs=min(wanted, self.settings.max_jobs)", "max_jobs=self.settings.max_jobs"),
    ),
    "max-jobs-ignored+many-refused": (
        Edit("shell.jobs", "if wanted < 0:", "if wanted < 0 or wanted > self.settings.max_jobs:"),
    ),
    "poll-ignores-types": (Edit(WRITES, " and job.row.job_type in job_types]", "]"),),
    "poll-newest-first": (Edit(WRITES, "key=lambda job: job.order", "key=lambda job: -job.order"),),
    "job-variables-of-creation": (
        Edit(
            WRITES,
            "            tables.jobs[place] = Job(next(self._places), row, row.delayed)",
            "            seen = encode_variables(tables.instances[place[0]].variables)\n"
            "            _MADE.setdefault(place[0], seen)\n"
            "            tables.jobs[place] = Job(next(self._places), row, row.delayed)",
        ),
        Edit(WRITES, "Snapshot(encode_variables(instance.variables),", "Snapshot(_MADE.get(instance_id, b'{}'),"),
        Edit(WRITES, "", "_MADE = {}"),
    ),
    "grpc-poll-without-variables": (
        Edit("transports.grpc.jobs", "message.step_id = view.step_id", 'message.step_id = ""'),
        Edit("transports.grpc.jobs", "fill_struct(message.variables, view.variables)", "pass"),
    ),
    "job-context-missing": (
        Edit("shell.answers", "business_key=claimed.business_key", "business_key=None"),
        Edit("shell.answers", "attempt=job.delivery", "attempt=0"),
    ),
    "job-context-missing+lock": (Edit("shell.answers", "worker_id=claimed.worker_id", 'worker_id=""'),),
    "job-context-missing+links": (
        Edit("shell.answers", "child_instance_id=instance.child_instance_id", "child_instance_id=None"),
    ),
    "job-context-missing+why": (
        Edit("shell.engine", "view.waiting_for = waiting_for(instance, await self._demand(instance))", "pass"),
    ),
    "job-context-missing+due": (
        Edit("shell.answers", "due_at=moment(due_ms) if due_ms is not None else None", "due_at=None"),
    ),
    "late-completion-applied+of-tasks": (
        *REMEMBERS_CLOSED,
        Edit(
            "core.lifecycle",
            "    task = _oldest_open(run, step)\n",
            "    from rochallor.core.apply import CLOSED\n"
            "    mine = (each for (name, _), each in CLOSED.items() if name == run.instance.id)\n"
            "    task = _oldest_open(run, step) or next((each for each in mine if each.step_id == step.id), None)\n"
            "    if task is not None:\n        run.instance.open.setdefault(task.seq, task)\n",
        ),
    ),
    "report-all-or-nothing+without-poll": (
        Edit("shell.jobs", "if request and report.poll else []", "if request is None and report.poll else []"),
    ),
    "report-all-or-nothing+failures-succeed": (
        Edit(
            "shell.jobs",
            "return failure.job, Do(failure)",
            "return failure.job, Do(self._complete(failure.job, worker_id, None, token, caller))",
        ),
    ),
}
