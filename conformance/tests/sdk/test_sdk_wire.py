"""What an SDK sent reads the same over both transports, and the oracles see what no single case looks for."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import Any

import pytest
from rochallor_conformance.contract.operations import operations
from rochallor_conformance.sdk.oracles import ORACLES, Record, findings
from rochallor_conformance.sdk.wire import HARNESS_HEADER, Sent, sent_by_sdk
from rochallor_stub import EngineStub
from workflow_sdk import GrpcEngineClient, RestEngineClient
from workflow_sdk.errors import EngineClientError

CALLS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # method -> what Python says, what a case sees
    "get_instance": ({"id": "a/b c"}, {"id": "a/b c"}),
    "get_definition": ({"definition_id": "d", "version": 7}, {"id": "d", "version": 7}),
    "list_instances": ({"status": "ACTIVE", "page": 2, "page_size": 5}, {"status": "ACTIVE", "page": 2, "pageSize": 5}),
    "await_instance": ({"instance_id": "x", "wait_ms": 1, "until": ["FAILED"]},
                       {"id": "x", "waitMs": 1, "until": ["FAILED"]}),
    "cancel_instance": ({"id": "x", "reason": "r", "expected_revision": 3}, {"id": "x", "reason": "r", "If-Match": 3}),
    "signal_wait": ({"instance_id": "x", "wait_step_id": "w", "variables": {"a": {"b": None}}},
                    {"instanceId": "x", "waitStepId": "w", "variables": {"a": {"b": None}}}),
    "complete_job": ({"job_id": "j", "worker_id": "w", "variables": {"n": 1}, "lease_token": "t"},
                     {"id": "j", "workerId": "w", "variables": {"n": 1}, "leaseToken": "t"}),
    "fail_job": ({"job_id": "j", "worker_id": "w", "error_message": "m", "retryable": False},
                 {"id": "j", "workerId": "w", "errorMessage": "m", "retryable": False}),
    "retry_step": ({"instance_id": "x", "step_id": "s", "variables": {"n": 1}},
                   {"id": "x", "stepId": "s", "variables": {"n": 1}}),
}  # fmt: skip


def journal(engine: EngineStub) -> list[dict[str, Any]]:
    return [json.loads(line) for line in engine.journal.ndjson().splitlines()]


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("transport", ["rest", "grpc"])
def test_arguments_read_alike(stub, method, transport) -> None:
    """A request over REST and the same over gRPC have the same arguments, by REST's names."""
    stub.journal.clear()
    said, seen = CALLS[method]
    client = RestEngineClient(stub.url) if transport == "rest" else GrpcEngineClient(stub.grpc_target)
    with client, suppress(EngineClientError):  # nothing of that name is there; the request is what counts
        getattr(client, method)(**said)
    [sent] = sent_by_sdk(journal(stub))
    assert {name: value for name, value in sent.args.items() if value != []} == seen
    assert operations()[sent.operation]


def test_the_harness_is_not_the_sdk(stub) -> None:
    """Requests that the harness marked are none of the SDK's."""
    stub.journal.clear()
    with RestEngineClient(stub.url) as client:
        client._http.headers[HARNESS_HEADER] = "1"
        client.list_definitions()
    assert (len(stub.journal), sent_by_sdk(journal(stub))) == (1, [])


def sent(operation: str = "completeJob", **more: Any) -> Sent:
    facts = {"number": 1, "transport": "grpc", "target": operation, "body": None, "headers": {}, "status": "OK",
             "response": None, "outcome": "answered", "faults": [], "args": {"id": "j", "workerId": "w"}}  # fmt: skip
    return Sent(**{**facts, "operation": operation, **more})


def poll(number: int = 1, jobs: tuple[str, ...] = ("j",), asked: int | None = 1, room: str = "w") -> Sent:
    response = {"jobs": [{"id": job, "leaseToken": f"lease-of-{job}"} for job in jobs]}
    args = {"workerId": room} | ({} if asked is None else {"maxJobs": asked})
    return sent("pollJobs", number=number, args=args, response=response)


def record(*entries: Sent, **more: Any) -> Record:
    return Record(**{"sent": list(entries), "jobs": [], "rooms": {"w": 1}, "stderr": "", **more})


BEARER = f"bearer sha256:{hashlib.sha256(b's3').hexdigest()[:12]}"
FAILED = {"status": "UNAVAILABLE"}
JOB = {"event": "job", "worker": "w", "token": "1", "job": {"id": "j"}}


@pytest.mark.parametrize(
    ("name", "good", "bad", "words"),
    [
        ("shapes", record(sent()), record(sent("", target="POST /v1/dreams")), "is no request of the contract"),
        ("claims", record(poll(), sent(number=2), poll(3)), record(poll(), poll(2)), "room for 1 jobs, 0 of it free"),
        ("claims", record(poll(asked=9), rooms={"w": 9}), record(poll(asked=0), rooms={"w": 9}), "and asks for 10"),
        ("claims", record(poll(), rooms={"w": 10}), record(poll(asked=None), rooms={"w": 9}), "and asks for 10"),
        ("reports", record(sent(**FAILED), sent()), record(sent(), sent()), "although its completeJob had been ack"),
        ("reports", record(sent(status="INVALID_ARGUMENT"), sent("failJob")), record(sent(**FAILED), sent("failJob")),
         "failJob for job j after a completeJob that ended with UNAVAILABLE"),
        ("handlers", record(poll(), jobs=[JOB]), record(poll(), jobs=[JOB, JOB]), "given to a handler 2 times"),
        ("handlers", record(), record(jobs=[JOB]), "which the engine did not hand out"),
        ("logs", record(poll(), stderr="job j"), record(poll(), stderr="took lease-of-j"), "a lease token is in"),
        ("logs", record(secrets=["s3"]), record(secrets=["s3"], stderr="Bearer s3"), "the bearer token is in the log"),
        ("bearers", record(sent(credentials=BEARER), secrets=["s3"]), record(sent(), secrets=["s3"]),
         "completeJob was sent without authorization"),
        ("bearers", record(sent()), record(sent(credentials=BEARER.removeprefix("bearer ")), secrets=["s3"]),
         f"not {BEARER}"),
    ],
)  # fmt: skip
def test_an_oracle_tells_good_from_bad(name, good, bad, words) -> None:
    """Each oracle lets what is right pass and says in a sentence what is not."""
    assert list(findings(good)) == []
    assert [oracle for oracle, _ in findings(bad)] == [name]
    assert words in next(ORACLES[name](bad))
