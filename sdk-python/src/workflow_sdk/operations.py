"""Every operation of the contract, described once: its REST half, its gRPC half, and how its answer is read.

The clients are thin faces over this table, so they cannot drift apart; an asynchronous face will read the same rows.
Here belong names and shapes. It would break if anything in here opened a connection.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from workflow_sdk import answers
from workflow_sdk.errors import InvalidVariables

Args = Mapping[str, Any]


@dataclass(frozen=True)
class Param:
    """One argument and where it travels.

    Args:
        arg: the argument's name in Python.
        where: `path`, `query`, `body`, `whole-body` or `revision` (an If-Match header).
        rest: its name in REST when that is not the argument in camelCase.
        proto: its field in the gRPC request when that is not the argument.

    """

    arg: str
    where: str
    rest: str = ""
    proto: str = ""

    @property
    def rest_name(self) -> str:
        """Name of the JSON field or query key."""
        return self.rest or camel(self.arg)

    @property
    def proto_name(self) -> str:
        """Name of the field in the gRPC request."""
        return self.proto or self.arg


@dataclass(frozen=True)
class RestRequest:
    """What to send; the client adds the base URL and a timeout."""

    method: str
    target: str
    headers: dict[str, str]
    content: bytes | None


@dataclass(frozen=True)
class Operation:
    """One operation.

    Args:
        name: the method's name on every client.
        method, path: REST; braces in the path name path parameters.
        rpc: gRPC method; empty where gRPC has none.
        params: the arguments.
        read: turns the answer's JSON into the result; both generations of answers are read here.
        unwrap: the field of the gRPC response that REST answers bare, empty when they match.
        items: the field of the gRPC response that REST calls `items`, empty when there is none.

    """

    name: str
    method: str
    path: str
    rpc: str
    params: tuple[Param, ...]
    read: Callable[[Any, Args], Any]
    unwrap: str = ""
    items: str = ""

    def rest_request(self, args: Args) -> RestRequest:
        """Return the REST request for these arguments. None and empty text mean absent and are not sent.

        Raises:
            InvalidVariables: something in the body is not JSON.

        """
        path = self.path
        query: dict[str, Any] = {}
        headers: dict[str, str] = {}
        body: Any = {} if any(param.where == "body" for param in self.params) else None
        for param in self.params:
            value = args.get(param.arg)
            if param.where == "path":
                path = path.replace("{" + param.arg + "}", quote(str(value), safe=""))
            elif param.where == "whole-body":
                body = {} if value is None else value
            elif value is None or value in ("", []):
                continue
            elif param.where == "query":
                query[param.rest_name] = value
            elif param.where == "revision":
                headers["If-Match"] = f'"{value}"'
            else:
                body[param.rest_name] = value
        target = f"{path}?{urlencode(query, doseq=True)}" if query else path
        return RestRequest(self.method, target, headers, None if body is None else to_json(body))


def camel(name: str) -> str:
    """Return `definition_id` as `definitionId`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def to_json(value: object) -> bytes:
    """Return JSON text.

    Raises:
        InvalidVariables: the value is not JSON (NaN and infinities are not).

    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        # UnicodeEncodeError (a lone surrogate) is a ValueError whose text quotes the value.
        reason = "text that is not Unicode" if isinstance(error, UnicodeError) else str(error)
        raise InvalidVariables(f"cannot be sent as JSON: {reason}") from None


def wait_seconds(args: Args) -> float:
    """Return for how long these arguments ask the engine to hold the call, which no timeout may cut short."""
    poll = args.get("poll") or {}
    return max(args.get("wait_ms") or 0, poll.get("waitMs") or 0) / 1000


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
            name="upload_definition",
            method="POST",
            path="/v1/definitions",
            rpc="UploadDefinition",
            params=(Param("definition", "whole-body"),),
            read=answers.uploaded,
        ),
        Operation(
            name="get_definition",
            method="GET",
            path="/v1/definitions/{definition_id}",
            rpc="GetDefinition",
            params=(Param("definition_id", "path", proto="id"),),
            read=answers.plain,
            unwrap="definition",
        ),
        Operation(
            name="get_definition_version",
            method="GET",
            path="/v1/definitions/{definition_id}/versions/{version}",
            rpc="GetDefinition",
            params=(Param("definition_id", "path", proto="id"), Param("version", "path")),
            read=answers.plain,
            unwrap="definition",
        ),
        Operation(
            name="list_definitions",
            method="GET",
            path="/v1/definitions",
            rpc="ListDefinitions",
            params=(Param("keyword", "query"), *_PAGES),
            read=answers.definition_page,
            items="definitions",
        ),
        # -- instances
        Operation(
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
            unwrap="instance",
        ),
        Operation(
            name="get_instance",
            method="GET",
            path="/v1/instances/{instance_id}",
            rpc="GetInstance",
            params=(_INSTANCE_BY_ID,),
            read=answers.instance,
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
            items="instances",
        ),
        Operation(
            name="get_instance_history",
            method="GET",
            path="/v1/instances/{instance_id}/history",
            rpc="GetInstanceHistory",
            params=(_INSTANCE_BY_ID,),
            read=answers.history,
            items="executions",
        ),
        Operation(
            name="get_instance_audit",
            method="GET",
            path="/v1/instances/{instance_id}/audit",
            rpc="GetInstanceAudit",
            params=(_INSTANCE_BY_ID,),
            read=answers.items,
            items="entries",
        ),
        Operation(
            name="await_instance",
            method="GET",
            path="/v1/instances/{instance_id}/await",
            rpc="AwaitInstance",
            params=(_INSTANCE_BY_ID, Param("wait_ms", "query"), Param("until", "query")),
            read=answers.awaited,
        ),
        Operation(
            name="cancel_instance",
            method="POST",
            path="/v1/instances/{instance_id}/cancel",
            rpc="CancelInstance",
            params=(_INSTANCE_BY_ID, Param("reason", "body"), _REVISION),
            read=answers.instance,
            unwrap="instance",
        ),
        Operation(
            name="retry_step",
            method="POST",
            path="/v1/instances/{instance_id}/steps/{step_id}/retry",
            rpc="RetryStep",
            params=(_INSTANCE, Param("step_id", "path"), Param("variables", "body"), _REVISION),
            read=answers.instance,
            unwrap="instance",
        ),
        # -- people and signals
        Operation(
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
        ),
        Operation(
            # Addressed a task by an id of its own; engines of today answer 404.
            name="complete_user_task",
            method="POST",
            path="/v1/user-tasks/{task_id}/complete",
            rpc="",
            params=(Param("task_id", "path"), Param("completed_by", "body"), Param("result", "body")),
            read=answers.nothing,
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
        ),
        Operation(
            name="complete_job",
            method="POST",
            path="/v1/jobs/{job_id}/complete",
            rpc="CompleteJob",
            params=(_JOB, _WORKER, Param("variables", "body", proto="variables_to_set"), _LEASE),
            read=answers.nothing,
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
        ),
        Operation(
            name="report_jobs",
            method="POST",
            path="/v1/jobs/report",
            rpc="ReportJobs",
            params=(_WORKER, Param("outcomes", "body"), Param("poll", "body")),
            read=answers.report,
        ),
    )
}
