"""The gRPC client against a server in this process: same calls, same dicts, same errors as REST."""

# Long because: every operation over gRPC beside its answer, against one small server.

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2, struct_pb2, timestamp_pb2
from google.protobuf.message import Message
from google.rpc import (  # pyright: ignore[reportMissingTypeStubs]  # generated, no type hints
    code_pb2,
    error_details_pb2,
    status_pb2,
)
from grpc_status import rpc_status  # type: ignore[import-untyped]  # has no type hints
from rochallor_proto import engine_pb2 as pb
from rochallor_proto import engine_pb2_grpc
from workflow_sdk import errors
from workflow_sdk.client.base import BaseEngineClient
from workflow_sdk.client.grpc import GrpcEngineClient
from workflow_sdk.client.rest import RestEngineClient

if TYPE_CHECKING:
    from ..conftest import FakeEngine

# The library has no type hints.
_to_status: Callable[[status_pb2.Status], grpc.Status] = rpc_status.to_status  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
BIG = 2**60 + 1


def _struct(**values: Any) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(values)
    return struct


def _at(text: str) -> timestamp_pb2.Timestamp:
    stamp = timestamp_pb2.Timestamp()
    stamp.FromDatetime(datetime.fromisoformat(text).replace(tzinfo=timezone.utc))
    return stamp


class Servicer(engine_pb2_grpc.WorkflowEngineServicer):
    """Answers every call with the response a test set for it, or fails with the status it set."""

    def __init__(self) -> None:
        self.target = ""
        self.responses: dict[str, Message] = {}
        self.requests: list[Any] = []  # each test knows the message of its call
        self.failures: dict[str, grpc.StatusCode | status_pb2.Status] = {}
        self.open = threading.Event()
        self.open.set()

    def answer(self, rpc: str, request: Message, context: grpc.ServicerContext) -> Message:
        self.requests.append(request)
        self.open.wait(10)
        failure = self.failures.get(rpc)
        if isinstance(failure, grpc.StatusCode):
            context.abort(failure, "a sentence")
        elif failure is not None:
            context.abort_with_status(_to_status(failure))
        if rpc in self.responses:
            return self.responses[rpc]
        empty: Message = getattr(pb, f"{rpc}Response")()
        return empty


def _method(rpc: str) -> Callable[[Servicer, Message, grpc.ServicerContext], Message]:
    return lambda self, request, context: self.answer(rpc, request, context)


for _rpc in pb.DESCRIPTOR.services_by_name["WorkflowEngine"].methods_by_name:
    setattr(Servicer, _rpc, _method(_rpc))


@pytest.fixture
def server() -> Iterator[Servicer]:
    servicer = Servicer()
    server = grpc.server(ThreadPoolExecutor(2))
    engine_pb2_grpc.add_WorkflowEngineServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]  # generated
    servicer.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield servicer
    servicer.open.set()
    server.stop(None).wait()


@pytest.fixture
def client(server: Servicer) -> Iterator[GrpcEngineClient]:
    with GrpcEngineClient(server.target) as client:
        yield client


INSTANCE: dict[str, Any] = {
    "id": "i",
    "definitionId": "d",
    "definitionVersion": 2,
    "status": "FAILED",
    "currentStepIds": [],
    "variables": {"n": 10, "x": 1.5, "none": None, "list": [1, {"a": True}], "text": "t"},
    "startedAt": "2026-01-02T03:04:05.678Z",
    "completedAt": "2026-01-02T03:04:06.000Z",
    "failureReason": "why",
    "revision": 7,
}
INSTANCE_MESSAGE = pb.WorkflowInstance(
    id="i",
    definition_id="d",
    definition_version=2,
    status=pb.INSTANCE_STATUS_FAILED,
    variables=_struct(n=10, x=1.5, none=None, list=[1, {"a": True}], text="t"),
    started_at=_at("2026-01-02T03:04:05.678"),
    completed_at=_at("2026-01-02T03:04:06"),
    failure_reason="why",
    revision=7,
)
STEP: dict[str, Any] = {
    "id": "e",
    "instanceId": "i",
    "stepId": "s",
    "stepType": "USER_TASK",
    "attemptNumber": 1,
    "status": "RUNNING",
    "startedAt": "2026-01-02T03:04:05.678Z",
    "output": {},
}
STEP_MESSAGE = pb.StepExecution(
    id="e",
    instance_id="i",
    step_id="s",
    step_type=pb.STEP_TYPE_USER_TASK,
    attempt_number=1,
    status=pb.STEP_EXECUTION_STATUS_RUNNING,
    started_at=_at("2026-01-02T03:04:05.678"),
    output=_struct(),
)
TASK = {
    "id": "t",
    "instanceId": "i",
    "stepId": "s",
    "definitionId": "d",
    "definitionVersion": 1,
    "status": "OPEN",
    "name": "Review",
}
TASK_MESSAGE = pb.UserTask(
    id="t",
    instance_id="i",
    step_id="s",
    definition_id="d",
    definition_version=1,
    status=pb.USER_TASK_STATUS_OPEN,
    name="Review",
)
JOB = {
    "id": "j",
    "jobType": "a",
    "instanceId": "i",
    "stepId": "s",
    "stepExecutionId": "e",
    "retriesRemaining": 0,
    "variables": {"n": BIG},
    "leaseToken": "t",
    "attempt": 1,
}
JOB_MESSAGE = pb.Job(
    id="j",
    job_type="a",
    instance_id="i",
    step_id="s",
    step_execution_id="e",
    variables_json=json.dumps({"n": BIG}).encode(),
    lease_token="t",
    attempt=1,
)

Same = tuple[Callable[[BaseEngineClient], object], str, object, str, dict[str, Any]]
SAME: list[Same] = [
    # call, REST path and body, rpc and response
    (lambda c: c.get_instance("i"), "/v1/instances/i", INSTANCE, "GetInstance", {"instance": INSTANCE_MESSAGE}),
    (
        lambda c: c.get_instance_history("i"),
        "/v1/instances/i/history",
        {"items": [STEP]},
        "GetInstanceHistory",
        {"executions": [STEP_MESSAGE]},
    ),
    (
        lambda c: c.list_instances(status="FAILED", page=3, page_size=5),
        "/v1/instances?status=FAILED&page=3&pageSize=5",
        {"items": [INSTANCE], "page": 3, "pageSize": 5, "total": 16},
        "ListInstances",
        {"instances": [INSTANCE_MESSAGE], "total": 16},
    ),
    (
        lambda c: c.list_instances(),
        "/v1/instances?page=0&pageSize=20",
        {"items": [], "page": 0, "pageSize": 20, "total": 0},
        "ListInstances",
        {},
    ),
    (
        lambda c: c.list_definitions(),
        "/v1/definitions?page=0&pageSize=20",
        {"items": [{"id": "d", "version": 1, "name": "n"}], "page": 0, "pageSize": 20, "total": 1},
        "ListDefinitions",
        {"definitions": [pb.WorkflowDefinition(id="d", version=1, name="n", steps=[{"id": "s"}])], "total": 1},
    ),
    (
        lambda c: c.await_instance("i", wait_ms=0),
        "/v1/instances/i/await?waitMs=0",
        {"instance": INSTANCE, "reached": True},
        "AwaitInstance",
        {"instance": INSTANCE_MESSAGE, "reached": True},
    ),
    (
        lambda c: c.list_user_tasks(),
        "/v1/user-tasks?page=0&pageSize=20",
        {"items": [TASK], "page": 0, "pageSize": 20, "total": 1},
        "ListUserTasks",
        {
            "tasks": [TASK_MESSAGE],
            "total": 1,
        },
    ),
    (lambda c: c.poll_jobs("w", ["a"]), "/v1/jobs/poll", {"jobs": [JOB]}, "PollJobs", {"jobs": [JOB_MESSAGE]}),
    (
        lambda c: c.report_jobs("w", [{"jobId": "j", "completed": {"variables": {"n": BIG}}}]),
        "/v1/jobs/report",
        {"results": [{"jobId": "j", "status": "ACCEPTED"}], "jobs": [JOB]},
        "ReportJobs",
        {
            "results": [{"job_id": "j", "status": pb.JOB_OUTCOME_STATUS_ACCEPTED}],
            "jobs": [JOB_MESSAGE],
        },
    ),
    (lambda c: c.complete_job("j", "w", {}), "/v1/jobs/j/complete", None, "CompleteJob", {}),
    (
        lambda c: c.upload_definition({"id": "d", "name": "n", "steps": []}),
        "/v1/definitions",
        {"id": "d", "version": 3, "name": "n", "uploadedAt": "2026-01-02T03:04:05.678Z"},
        "UploadDefinition",
        {"id": "d", "version": 3, "uploaded_at": _at("2026-01-02T03:04:05.678")},
    ),
]


@pytest.mark.parametrize("same", SAME, ids=[f"{each[3]}-{i}" for i, each in enumerate(SAME)])
def test_both_transports_give_the_same_result(
    engine: FakeEngine, server: Servicer, client: GrpcEngineClient, same: Same
) -> None:
    """What the engine says over gRPC reads exactly like what it says over REST."""
    call, path, body, rpc, response = same
    engine.answer(path, 200, body)
    server.responses[rpc] = getattr(pb, f"{rpc}Response")(**response)
    with RestEngineClient(engine.url) as rest:
        assert call(client) == call(rest)


def test_a_poll_asks_for_exact_variables(server: Servicer, client: GrpcEngineClient) -> None:
    """Jobs come with their variables as JSON, so that integers are exact."""
    client.poll_jobs("w", ["a"], 5, wait_ms=100, lease_seconds=9)
    assert server.requests == [
        pb.PollJobsRequest(
            worker_id="w", job_types=["a"], max_jobs=5, wait_ms=100, lease_seconds=9, json_variables=True
        )
    ]


def test_a_fenced_result_travels_as_json(server: Servicer, client: GrpcEngineClient) -> None:
    """With a lease token the engine is ours, so a result keeps integers beyond 2^53."""
    client.complete_job("j", "w", {"n": BIG}, lease_token="t")
    assert server.requests[0].variables_json == f'{{"n":{BIG}}}'.encode()
    assert not server.requests[0].HasField("variables_to_set")


def test_a_result_for_an_older_engine_travels_as_struct(server: Servicer, client: GrpcEngineClient) -> None:
    """Without a token the engine may skip variables_json, so the Struct it knows is used."""
    client.complete_job("j", "w", {"n": 1})
    assert server.requests[0].variables_to_set == _struct(n=1)
    assert server.requests[0].variables_json == b""


def test_a_number_that_would_be_rounded_does_not_leave(server: Servicer, client: GrpcEngineClient) -> None:
    """Where gRPC has only doubles, a larger integer is refused instead of changed."""
    with pytest.raises(errors.InvalidVariables, match=r"^/variables/a/1: .*use REST"):
        client.start_instance("d", {"a": [1, BIG]})
    assert server.requests == []


@pytest.mark.parametrize("token", ["", "t"])
def test_variables_nested_too_deeply_do_not_leave(server: Servicer, client: GrpcEngineClient, token: str) -> None:
    """As a Struct or as JSON: what cannot be written is refused as variables, before anything is sent."""
    deep: dict[str, object] = {}
    for _ in range(100_000):
        deep = {"x": deep}
    with pytest.raises(errors.InvalidVariables, match=r"nested too deeply; flatten it$"):
        client.complete_job("j", "w", deep, lease_token=token)
    assert server.requests == []


def test_variables_that_an_older_engine_leaves_out_are_read_from_the_instance(
    server: Servicer, client: GrpcEngineClient
) -> None:
    """A job that comes without variables is completed with its instance's."""
    server.responses["PollJobs"] = pb.PollJobsResponse(jobs=[pb.Job(id="j", job_type="a", instance_id="i")])
    server.responses["GetInstance"] = pb.GetInstanceResponse(instance=INSTANCE_MESSAGE)
    assert client.poll_jobs("w", ["a"])[0]["variables"] == INSTANCE["variables"]


def test_a_job_whose_variables_cannot_be_had_is_left_to_its_lease(server: Servicer, client: GrpcEngineClient) -> None:
    """A handler never runs on an empty map that should not be empty."""
    server.responses["PollJobs"] = pb.PollJobsResponse(jobs=[pb.Job(id="j", job_type="a", instance_id="i")])
    server.failures["GetInstance"] = grpc.StatusCode.NOT_FOUND
    assert client.poll_jobs("w", ["a"]) == []


DEFINITION = {
    "id": "d",
    "version": 1,
    "name": "n",
    "autoStartNextWorkflow": True,
    "nextWorkflowId": "e",
    "steps": [
        {"id": "a", "name": "A", "type": "DECISION", "conditionalNextSteps": {"z > 1": "b", "a > 1": "c"}},
        {
            "id": "b",
            "name": "B",
            "type": "SERVICE_TASK",
            "nextStep": "c",
            "jobType": "job",
            "retryCount": 3,
            "boundaryEvents": [{"type": "TIMER", "duration": "PT1S", "interrupting": False, "targetStepId": "c"}],
            "outputs_schema": {"properties": {"x": {"type": "integer"}}},
            "retryPolicy": {"initialDelay": "PT1S", "multiplier": 2.0},
        },
        {
            "id": "t",
            "name": "T",
            "type": "DECISION_TABLE",
            "nextStep": "c",
            "decisionTable": {"rules": [{"when": {"z": "x > 1", "a": ""}, "outputs": {"y": 1, "b": "${x}"}}]},
            "hitPolicy": "F",
        },
        {"id": "c", "name": "C", "type": "END"},
    ],
    "metadata": {"workflowModeller": {"x": 1}},
    "input_schema": {"required": ["x"]},
}


def test_a_definition_survives_the_round_trip_in_the_authors_order(server: Servicer, client: GrpcEngineClient) -> None:
    """What was uploaded comes back the same, the order of conditions and table columns included."""
    client.upload_definition(DEFINITION)
    server.responses["GetDefinition"] = pb.GetDefinitionResponse(definition=server.requests[0].definition)
    assert json.dumps(client.get_definition("d"), sort_keys=False) == json.dumps(DEFINITION)


def test_an_order_that_the_author_gave_beside_the_map_wins(server: Servicer, client: GrpcEngineClient) -> None:
    """Conditions as a list are sent as they are, and not a second time from the map."""
    ordered = [{"expression": "b", "nextStep": "x"}, {"expression": "a", "nextStep": "y"}]
    step = {"id": "s", "conditionalNextSteps": {"a": "y", "b": "x"}, "orderedConditions": ordered}
    client.upload_definition({"id": "d", "steps": [step], "inputSchema": {"required": ["x"]}})
    sent = server.requests[0].definition
    assert [each.expression for each in sent.steps[0].ordered_conditions] == ["b", "a"]
    assert sent.input_schema.fields["required"].list_value.values[0].string_value == "x"


def test_a_bare_map_of_an_older_engine_is_read_in_a_stable_order(server: Servicer, client: GrpcEngineClient) -> None:
    """Conditions without an order come in lexicographic order."""
    step = pb.WorkflowStep(id="a", type=pb.STEP_TYPE_DECISION, conditional_next_steps={"z": "b", "a": "c"})
    server.responses["GetDefinition"] = pb.GetDefinitionResponse(definition=pb.WorkflowDefinition(steps=[step]))
    assert list(client.get_definition("d")["steps"][0]["conditionalNextSteps"]) == ["a", "z"]


@pytest.mark.parametrize(
    ("definition", "code", "pointer"),
    [
        ({"nme": "x"}, "UNKNOWN_FIELD", "/nme"),
        ({"steps": [{"type": "TASK"}]}, "STEP_TYPE_VALID", "/steps/0/type"),
        ({"steps": [{"retryCount": "three"}]}, "FIELD_INVALID", "/steps/0/retryCount"),
        ({"steps": {"id": "a"}}, "FIELD_INVALID", "/steps"),
    ],
)
def test_a_mistake_that_the_message_cannot_carry_is_a_bad_request(
    client: GrpcEngineClient, definition: dict[str, Any], code: str, pointer: str
) -> None:
    """A field or value that gRPC has no place for is refused as REST's engine would."""
    with pytest.raises(errors.BadRequest) as caught:
        client.upload_definition(definition)
    assert [(each["code"], each["pointer"]) for each in caught.value.details] == [(code, pointer)]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, errors.BadRequest),
        (grpc.StatusCode.NOT_FOUND, errors.NotFound),
        (grpc.StatusCode.FAILED_PRECONDITION, errors.Conflict),
        (grpc.StatusCode.ALREADY_EXISTS, errors.BusinessKeyInUse),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, errors.TooManyRequests),
        (grpc.StatusCode.UNAUTHENTICATED, errors.Unauthorized),
        (grpc.StatusCode.PERMISSION_DENIED, errors.Forbidden),
        (grpc.StatusCode.UNIMPLEMENTED, errors.NotOffered),
        (grpc.StatusCode.UNAVAILABLE, errors.Unavailable),
        (grpc.StatusCode.INTERNAL, errors.InternalError),
        (grpc.StatusCode.UNKNOWN, errors.InternalError),
    ],
    ids=lambda each: getattr(each, "name", None) or each.__name__,
)
def test_status_becomes_its_kind(
    server: Servicer, client: GrpcEngineClient, status: grpc.StatusCode, kind: type[errors.EngineClientError]
) -> None:
    """A bare status raises the class that REST would have raised."""
    server.failures["GetInstance"] = status
    with pytest.raises(kind) as caught:
        client.get_instance("i")
    assert (type(caught.value), caught.value.message) == (kind, "a sentence")


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("GONE", errors.Gone),
        ("gone", errors.Gone),
        ("BUSINESS_KEY_IN_USE", errors.BusinessKeyInUse),
        ("CONFLICT", errors.Conflict),
    ],
)
def test_the_details_say_which_of_two_errors_with_one_status(
    server: Servicer, client: GrpcEngineClient, reason: str, kind: type[errors.EngineClientError]
) -> None:
    """ErrorInfo tells apart what shares a gRPC status."""
    info = _packed(error_details_pb2.ErrorInfo(reason=reason))
    server.failures["PollJobs"] = status_pb2.Status(code=code_pb2.FAILED_PRECONDITION, message="m", details=[info])
    with pytest.raises(kind) as caught:
        client.poll_jobs("w", ["a"])
    assert type(caught.value) is kind


def test_an_error_carries_all_the_engine_said(server: Servicer, client: GrpcEngineClient) -> None:
    """Violations and the time to wait arrive with the error."""
    violation = {"field": "/name", "description": "a name", "reason": "NAME_REQUIRED"}
    details = [
        error_details_pb2.BadRequest(field_violations=[violation]),
        error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=1, nanos=500_000_000)),
    ]
    server.failures["UploadDefinition"] = status_pb2.Status(
        code=code_pb2.INVALID_ARGUMENT, message="m", details=[_packed(each) for each in details]
    )
    with pytest.raises(errors.BadRequest) as caught:
        client.upload_definition({})
    assert caught.value.details == [{"code": "NAME_REQUIRED", "pointer": "/name", "message": "a name"}]
    assert caught.value.retry_after == 1.5


def test_a_refused_connection_was_never_sent() -> None:
    """When nobody listens, the error says that the request did not leave."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        client = GrpcEngineClient(f"127.0.0.1:{closed.getsockname()[1]}")
        with client, pytest.raises(errors.ConnectionFailed) as caught:
            client.get_instance("i")
    assert (caught.value.sent, caught.value.status_code) == (False, 0)


def test_a_call_that_takes_too_long_may_have_been_sent(server: Servicer) -> None:
    """A deadline that passes leaves open what the engine did."""
    server.open.clear()
    with GrpcEngineClient(server.target, timeout=0.05) as client, pytest.raises(errors.ConnectionFailed) as caught:
        client.get_instance("i")
    assert caught.value.sent


def test_an_operation_without_a_grpc_half_says_so(client: GrpcEngineClient) -> None:
    """The deprecated task route exists only over REST."""
    with (
        pytest.warns(DeprecationWarning, match="dropped"),
        pytest.raises(errors.NotOffered, match="complete_user_task_step"),
    ):
        client.complete_user_task("t")
