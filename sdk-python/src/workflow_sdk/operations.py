"""Every operation of the contract, one row each, from which all four clients are made so that they cannot drift apart.

Here belong rows; what a row means is in `operation`.
"""

from __future__ import annotations

from workflow_sdk import answers
from workflow_sdk.operation import Operation, Param

_INSTANCE_BY_ID = Param("instance_id", "path", proto="id")
_INSTANCE = Param("instance_id", "path")
_REVISION = Param("expected_revision", "revision")
_PAGES = (Param("page", "query"), Param("page_size", "query"))
_WORKER = Param("worker_id", "body")
_JOB = Param("job_id", "path")
_LEASE = Param("lease_token", "body")

OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        # -- definitions
        Operation(
            # Uploading the same again gives the same version.
            name="upload_definition",
            method="POST",
            path="/v1/definitions",
            rpc="UploadDefinition",
            params=(Param("definition", "whole-body"),),
            read=answers.uploaded,
            repeat="freely",
        ),
        Operation(
            name="get_definition",
            method="GET",
            path="/v1/definitions/{definition_id}",
            rpc="GetDefinition",
            params=(Param("definition_id", "path", proto="id"),),
            read=answers.plain,
            repeat="freely",
            unwrap="definition",
        ),
        Operation(
            name="get_definition_version",
            method="GET",
            path="/v1/definitions/{definition_id}/versions/{version}",
            rpc="GetDefinition",
            params=(Param("definition_id", "path", proto="id"), Param("version", "path")),
            read=answers.plain,
            repeat="freely",
            unwrap="definition",
        ),
        Operation(
            name="list_definitions",
            method="GET",
            path="/v1/definitions",
            rpc="ListDefinitions",
            params=(Param("keyword", "query"), *_PAGES),
            read=answers.definition_page,
            repeat="freely",
            items="definitions",
        ),
        # -- instances
        Operation(
            # Not even with a business key: the first may have started, and ended, before the second arrives.
            name="start_instance",
            method="POST",
            path="/v1/instances",
            rpc="StartInstance",
            params=(
                Param("definition_id", "body"),
                Param("definition_version", "body"),
                Param("variables", "body"),
                Param("business_key", "body"),
            ),
            read=answers.instance,
            repeat="unless-sent",
            unwrap="instance",
        ),
        Operation(
            name="get_instance",
            method="GET",
            path="/v1/instances/{instance_id}",
            rpc="GetInstance",
            params=(_INSTANCE_BY_ID,),
            read=answers.instance,
            repeat="freely",
            unwrap="instance",
        ),
        Operation(
            name="list_instances",
            method="GET",
            path="/v1/instances",
            rpc="ListInstances",
            params=(
                Param("definition_id", "query"),
                Param("status", "query"),
                Param("business_key", "query"),
                *_PAGES,
            ),
            read=answers.instance_page,
            repeat="freely",
            items="instances",
        ),
        Operation(
            name="get_instance_history",
            method="GET",
            path="/v1/instances/{instance_id}/history",
            rpc="GetInstanceHistory",
            params=(_INSTANCE_BY_ID,),
            read=answers.history,
            repeat="freely",
            items="executions",
        ),
        Operation(
            name="get_instance_audit",
            method="GET",
            path="/v1/instances/{instance_id}/audit",
            rpc="GetInstanceAudit",
            params=(_INSTANCE_BY_ID,),
            read=answers.items,
            repeat="freely",
            ours=True,
            items="entries",
        ),
        Operation(
            name="await_instance",
            method="GET",
            path="/v1/instances/{instance_id}/await",
            rpc="AwaitInstance",
            params=(_INSTANCE_BY_ID, Param("wait_ms", "query"), Param("until", "query")),
            read=answers.awaited,
            repeat="freely",
            ours=True,
        ),
        Operation(
            name="watch_instance",
            method="GET",
            path="/v1/instances/{instance_id}/events",
            rpc="WatchInstance",
            params=(_INSTANCE_BY_ID, Param("after", "query", rest="afterRevision", proto="after_revision")),
            read=answers.plain,
            repeat="freely",
            ours=True,
            stream=True,
        ),
        Operation(
            name="cancel_instance",
            method="POST",
            path="/v1/instances/{instance_id}/cancel",
            rpc="CancelInstance",
            params=(_INSTANCE_BY_ID, Param("reason", "body"), _REVISION),
            read=answers.instance,
            repeat="unless-sent",
            unwrap="instance",
        ),
        Operation(
            name="retry_step",
            method="POST",
            path="/v1/instances/{instance_id}/steps/{step_id}/retry",
            rpc="RetryStep",
            params=(_INSTANCE, Param("step_id", "path"), Param("variables", "body"), _REVISION),
            read=answers.instance,
            repeat="unless-sent",
            unwrap="instance",
        ),
        # -- people and signals
        Operation(
            # The contract lets a task be completed again, but in a loop the second call may meet the next round's task.
            name="complete_user_task_step",
            method="POST",
            path="/v1/instances/{instance_id}/user-tasks/{step_id}/complete",
            rpc="CompleteUserTask",
            params=(
                _INSTANCE,
                Param("step_id", "path", proto="user_task_step_id"),
                Param("completed_by", "body"),
                Param("result", "body"),
                _REVISION,
            ),
            read=answers.nothing,
            repeat="unless-sent",
        ),
        Operation(
            # Addressed a task by an id of its own; engines of today answer 404.
            name="complete_user_task",
            method="POST",
            path="/v1/user-tasks/{task_id}/complete",
            rpc="",
            params=(Param("task_id", "path"), Param("completed_by", "body"), Param("result", "body")),
            read=answers.nothing,
            repeat="unless-sent",
        ),
        Operation(
            name="list_user_tasks",
            method="GET",
            path="/v1/user-tasks",
            rpc="ListUserTasks",
            params=(
                Param("instance_id", "query"),
                Param("definition_id", "query"),
                Param("status", "query"),
                *_PAGES,
            ),
            read=answers.page,
            repeat="freely",
            ours=True,
            items="tasks",
        ),
        Operation(
            name="signal_wait",
            method="POST",
            path="/v1/instances/{instance_id}/signals/{wait_step_id}",
            rpc="SignalWait",
            params=(
                _INSTANCE,
                Param("wait_step_id", "path"),
                Param("variables", "whole-body"),
                _REVISION,
            ),
            read=answers.nothing,
            repeat="unless-sent",
        ),
        # -- jobs
        Operation(
            name="poll_jobs",
            method="POST",
            path="/v1/jobs/poll",
            rpc="PollJobs",
            params=(
                _WORKER,
                Param("job_types", "body"),
                Param("max_jobs", "body"),
                Param("lease_seconds", "body"),
                Param("wait_ms", "body"),
            ),
            read=answers.jobs,
            repeat="by-worker",
        ),
        Operation(
            name="complete_job",
            method="POST",
            path="/v1/jobs/{job_id}/complete",
            rpc="CompleteJob",
            params=(_JOB, _WORKER, Param("variables", "body", proto="variables_to_set"), _LEASE),
            read=answers.nothing,
            repeat="by-worker",
        ),
        Operation(
            name="fail_job",
            method="POST",
            path="/v1/jobs/{job_id}/fail",
            rpc="FailJob",
            params=(
                _JOB,
                _WORKER,
                Param("error_message", "body"),
                Param("retryable", "body"),
                _LEASE,
                Param("retry_after_ms", "body"),
                Param("error_code", "body"),
            ),
            read=answers.nothing,
            repeat="by-worker",
        ),
        Operation(
            name="report_jobs",
            method="POST",
            path="/v1/jobs/report",
            rpc="ReportJobs",
            params=(_WORKER, Param("outcomes", "body"), Param("poll", "body")),
            read=answers.report,
            repeat="by-worker",
            ours=True,
        ),
    )
}
