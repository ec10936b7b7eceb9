"""Refusals over gRPC: each kind of error has its status and its details, and the server goes on."""

from __future__ import annotations

import logging

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from rochallor.core import errors
from rochallor.core.errors import Detail
from rochallor_proto import contract
from rochallor_proto import engine_pb2 as pb

CONTRACT = {row["code"]: row["grpc"] for row in contract("errors")["errors"]}
ERRORS = [
    errors.BadRequest,
    errors.NotFound,
    errors.Conflict,
    errors.BusinessKeyInUse,
    errors.Gone,
    errors.PayloadTooLarge,
    errors.TooManyRequests,
    errors.Unauthorized,
    errors.Forbidden,
    errors.Unavailable,
    errors.InternalError,
]


async def failure(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


def details(error):
    """The google.rpc details of an error, by type."""
    found = {}
    for packed in rpc_status.from_call(error).details:
        kind = getattr(error_details_pb2, packed.TypeName().rsplit(".", 1)[1])
        found[kind.DESCRIPTOR.name] = message = kind()
        packed.Unpack(message)
    return found


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.code)
async def test_every_error_has_the_status_of_the_contract(engine, house, kind):
    """The contract's table decides the status; the reason is its code, and metrics see the same."""
    engine.script["get_instance"] = kind("what, and what to do")
    error = await failure(house.stub.GetInstance(pb.GetInstanceRequest(id="i")))
    assert (error.code().name, error.details()) == (CONTRACT[kind.code], "what, and what to do")
    assert details(error)["ErrorInfo"].reason == kind.code.upper().replace("-", "_")
    assert house.seen == [("GetInstance", CONTRACT[kind.code])]


async def test_details_name_the_place(engine, stub):
    """Every problem arrives with code, pointer and sentence."""
    engine.script["upload_definition"] = errors.BadRequest(
        "2 problems", details=(Detail("NAME_REQUIRED", "/name", "m"),)
    )
    error = await failure(stub.UploadDefinition(pb.UploadDefinitionRequest()))
    violation = details(error)["BadRequest"].field_violations[0]
    assert (violation.reason, violation.field, violation.description) == ("NAME_REQUIRED", "/name", "m")


async def test_a_thousand_problems_still_arrive(engine, stub):
    """Headers have a limit, so a long list ends with how many more there are."""
    problems = tuple(Detail("EXPR_SYNTAX", f"/steps/{n}", "ä" * 200) for n in range(1_000))
    engine.script["upload_definition"] = errors.BadRequest("é" * 5_000, details=problems)
    error = await failure(stub.UploadDefinition(pb.UploadDefinitionRequest()))
    violations = details(error)["BadRequest"].field_violations
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violations[-1].reason == "MORE_PROBLEMS"
    assert violations[-1].description.startswith(f"{1_000 - len(violations) + 1} more")


async def test_a_full_queue_says_when_to_come_back(engine, stub):
    """RetryInfo carries the delay."""
    engine.script["start_instance"] = errors.TooManyRequests("full", retry_after_ms=1_500)
    error = await failure(stub.StartInstance(pb.StartInstanceRequest(definition_id="d")))
    assert details(error)["RetryInfo"].retry_delay.ToMilliseconds() == 1_500


async def test_a_bug_is_logged_and_not_told(engine, house, caplog):
    """The caller learns nothing of the inside; the log has everything; the next call is served."""
    engine.script["get_instance"] = RuntimeError("SELECT secret FROM /etc/passwd")
    with caplog.at_level(logging.ERROR):
        error = await failure(house.stub.GetInstance(pb.GetInstanceRequest(id="i")))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in error.details() + str(error.trailing_metadata())
    assert "SELECT secret" in caplog.text
    await house.stub.SignalWait(pb.SignalWaitRequest())


@pytest.mark.parametrize(
    "raw",
    [b"\xff\xff\xff", b"\x0a\x02\xff\xfe", b"\x12\x7fa", b"\x0a"],
    ids=["garbage", "not UTF-8", "cut off", "no length"],
)
async def test_broken_bytes_are_the_callers_fault(house, raw):
    """What is no message is INVALID_ARGUMENT, and the server goes on."""
    call = house.channel.unary_unary("/workflow.v1.WorkflowEngine/StartInstance")
    error = await failure(call(raw))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "StartInstance" in error.details()
    await house.stub.SignalWait(pb.SignalWaitRequest())


async def test_a_message_nested_beyond_protobuf_is_refused(house):
    """Bytes that nest a thousand messages are refused, not recursed into."""
    value = b""
    for _ in range(1_000):
        value = b"\x0a" + _length(value) + value  # ListValue.values
        value = b"\x32" + _length(value) + value  # Value.list_value
    fields = b"\x0a\x01a\x12" + _length(value) + value
    struct = b"\x0a" + _length(fields) + fields
    raw = b"\x1a" + _length(struct) + struct
    error = await failure(house.channel.unary_unary("/workflow.v1.WorkflowEngine/StartInstance")(raw))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


def _length(data: bytes) -> bytes:
    size, out = len(data), bytearray()
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes([*out, size])


async def test_a_message_over_the_limit_is_refused(engine, house):
    """Beyond the body limit and its envelope nothing is read, and the server goes on."""
    request = pb.CompleteJobRequest(variables_json=b"x" * (engine.settings.max_body_bytes + 2 * 1024 * 1024))
    error = await failure(house.stub.CompleteJob(request))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await house.stub.SignalWait(pb.SignalWaitRequest())


async def test_a_body_at_the_limit_arrives(engine, stub):
    """The server's limit is above the body limit, whose check is the engine's."""
    request = pb.CompleteJobRequest(variables_json=b"x" * engine.settings.max_body_bytes)
    await stub.CompleteJob(request)
    assert engine.last[0] == "complete_job"


@pytest.mark.parametrize("method", ["/workflow.v1.WorkflowEngine/Nonsense", "/no.Service/At", "/x"])
async def test_an_unknown_method_is_unimplemented(house, method):
    """So a client of a later contract can fall back."""
    error = await failure(house.channel.unary_unary(method)(b""))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("rpc", "request_message"),
    [
        ("ListInstances", pb.ListInstancesRequest(status=99)),
        ("ListUserTasks", pb.ListUserTasksRequest(status=99)),
        ("AwaitInstance", pb.AwaitInstanceRequest(id="i", until=[99])),
        ("UploadDefinition", pb.UploadDefinitionRequest(definition={"steps": [{"id": "a", "type": 99}]})),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_an_unknown_enum_number_is_refused(engine, stub, rpc, request_message):
    """A number of a newer contract is INVALID_ARGUMENT, and the engine is not asked."""
    error = await failure(getattr(stub, rpc)(request_message))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "99 is no" in error.details()
    assert engine.calls == []


async def test_numbers_that_json_does_not_have_are_refused(engine, stub):
    """NaN and infinity name their place."""
    request = pb.StartInstanceRequest(definition_id="d", variables={"a": {"b/c": [1, float("nan")]}})
    error = await failure(stub.StartInstance(request))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details(error)["BadRequest"].field_violations[0].field == "/variables/a/b~1c/1"
    assert engine.calls == []
