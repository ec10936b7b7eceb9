"""Each oracle notices what it is there for, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from rochallor_conformance.oracles import Scene, findings
from rochallor_conformance.transports.exchange import Exchange

INSTANCE = {
    "id": "i", "definitionId": "d", "definitionVersion": 1, "status": "ACTIVE", "currentStepIds": ["do"],
    "variables": {}, "startedAt": "2026-11-20T09:00:00Z", "revision": 2,
}  # fmt: skip
ENDED = {**INSTANCE, "status": "COMPLETED", "currentStepIds": [], "completedAt": "2026-11-20T09:00:01Z", "revision": 3}
JOB = {
    "id": "i-1-1", "jobType": "t", "instanceId": "i", "stepId": "do", "stepExecutionId": "i-1", "retriesRemaining": 0,
    "variables": {}, "status": "LOCKED", "workerId": "w", "lockedAt": "2026-11-20T09:00:00Z", "attempt": 1,
    "lockExpiresAt": "2026-11-20T09:00:30Z", "createdAt": "2026-11-20T09:00:00Z", "leaseToken": "tok",
    "definitionId": "d", "definitionVersion": 1,
}  # fmt: skip
CHANGED = {**INSTANCE, "variables": {"x": 2}, "revision": 3}
AGAIN = {**JOB, "id": "i-1-2", "lockedAt": "2026-11-20T09:00:10Z"}


def _scene(*answers: tuple[str, Any], status: int = 200, **more: Any) -> Scene:
    exchanges = [
        Exchange(
            number=index,
            transport="rest",
            operation=operation,
            target="POST /v1/jobs/i-1-1/complete" if operation == "completeJob" else operation,
            status=status,
            response=body,
            is_ok=status < 400,
            sent=index * 2,
            answered=index * 2 + 1,
            response_headers={"content-type": "application/json"},
        )
        for index, (operation, body) in enumerate(answers)
    ]
    return Scene(exchanges=exchanges, **more)


GOOD = [
    [("getInstance", INSTANCE), ("getInstance", ENDED)],
    [("pollJobs", {"jobs": [JOB]}), ("failJob", None), ("pollJobs", {"jobs": [AGAIN]})],
    [("getInstance", INSTANCE), ("pollJobs", {"jobs": [JOB]}), ("completeJob", None), ("getInstance", CHANGED)],
    [("completeJob", None), ("getInstance", ENDED), ("completeJob", None), ("getInstance", ENDED)],
    [("pollJobs", {"jobs": [JOB]}), ("pollJobs", {"jobs": [{**AGAIN, "lockedAt": "2026-11-20T09:00:31Z"}]})],
]

WITHOUT_REVISION = {name: value for name, value in INSTANCE.items() if name != "revision"}

BAD = [
    ("wire", "'revision' is a required property", [("getInstance", WITHOUT_REVISION)]),
    ("wire", "unexpected", [("getInstance", {**INSTANCE, "colour": "red"})]),
    ("wire", "None is not of type 'array'", [("pollJobs", {"jobs": None})]),
    ("lifecycle", "although nobody retried it", [("getInstance", ENDED), ("getInstance", {**INSTANCE, "revision": 4})]),
    ("lifecycle", "revision 3 back to 2", [("getInstance", {**INSTANCE, "revision": 3}), ("getInstance", INSTANCE)]),
    ("lifecycle", "still at ['do']", [("getInstance", {**ENDED, "currentStepIds": ["do"]})]),
    ("lifecycle", "lacks completedAt", [("getInstance", {**INSTANCE, "status": "COMPLETED", "currentStepIds": []})]),
    ("lifecycle", "changed its", [("getInstance", INSTANCE), ("getInstance", {**INSTANCE, "definitionVersion": 2})]),
    ("leases", "handed out twice", [("pollJobs", {"jobs": [JOB]}), ("failJob", None), ("pollJobs", {"jobs": [JOB]})]),
    ("leases", "while i-1-1 was held", [("pollJobs", {"jobs": [JOB]}), ("pollJobs", {"jobs": [AGAIN]})]),
    ("leases", "although its instance had ended", [("getInstance", ENDED), ("pollJobs", {"jobs": [JOB]})]),
    (
        "repeats",
        "changed the variables of i",
        [
            ("pollJobs", {"jobs": [JOB]}),
            ("completeJob", None),
            ("getInstance", INSTANCE),
            ("completeJob", None),
            ("getInstance", CHANGED),
        ],
    ),
    ("leaks", "a token in it", [("getInstance", {**INSTANCE, "variables": {"x": "s3cret-token"}})]),
]


@pytest.mark.parametrize("answers", GOOD)
def test_oracles_are_silent_about_what_is_right(answers) -> None:
    """A lawful story draws no sentence."""
    assert [each for each in findings(_scene(*answers)) if each[0] != "wire"] == []


@pytest.mark.parametrize(("oracle", "words", "answers"), BAD)
def test_an_oracle_notices(oracle, words, answers) -> None:
    """An unlawful story draws the sentence of its oracle."""
    found = list(findings(_scene(*answers, secrets=["s3cret-token"])))
    assert any(name == oracle and words in sentence for name, sentence in found), found


@pytest.mark.parametrize(("status", "noticed"), [(404, True), (500, True), (403, False), (413, False)])
def test_a_completion_that_is_refused_the_second_time_is_noticed(status: int, noticed) -> None:
    """A repeated report of a completed job is refused for what is wrong with the request, and for nothing else."""
    scene = _scene(("completeJob", None), ("completeJob", None))
    second = scene.exchanges[1]
    second.status, second.is_ok = status, False
    assert ("repeats" in [name for name, _ in findings(scene)]) is noticed


@pytest.mark.parametrize(
    "message", ["UNIQUE constraint failed: x", 'File "/srv/a.py"', "SELECT id FROM jobs WHERE x", "panic: nil map"]
)
def test_the_inside_of_an_engine_is_noticed(message: str) -> None:
    """SQL and stack traces in a refusal are a leak."""
    scene = _scene(("getInstance", {"error": "internal-error", "message": message, "reason": message}), status=500)
    assert "leaks" in [name for name, _ in findings(scene)]


def test_an_answer_of_a_wrong_shape_is_told_and_no_crash() -> None:
    """Where a field is missing that an oracle stands on, the shape is the finding."""
    nameless = {name: value for name, value in INSTANCE.items() if name != "status"}
    found = list(findings(_scene(("getInstance", nameless), ("pollJobs", {"jobs": [JOB]}))))
    assert any(name == "wire" and "'status' is a required property" in sentence for name, sentence in found)


@pytest.mark.parametrize(("etag", "noticed"), [('"2"', False), ('"1"', True), ("2", True), ('W/"2"', True)])
def test_an_etag_that_is_not_the_revision_is_noticed(etag: str, noticed) -> None:
    """An answer that has an ETag and a revision says the same with both."""
    scene = _scene(("getInstance", INSTANCE))
    scene.exchanges[0].response_headers["etag"] = etag
    found = [sentence for name, sentence in findings(scene) if name == "wire"]
    assert any("the ETag is the revision in quotes" in sentence for sentence in found) is noticed


def test_an_engine_of_the_base_contract_may_lack_what_is_ours() -> None:
    """Without our additions nothing of ours is asked for."""
    assert list(findings(_scene(("getInstance", WITHOUT_REVISION), base_only=True))) == []


def _doors(rest: Any, grpc: Any, *, refused: str = "") -> list[str]:
    """Return what the oracle says of one instance, seen from both sides."""
    seen = Exchange(number=1, transport="rest", operation="getInstance", target="GET x", status=200, is_ok=True)
    other = Exchange(number=2, transport="grpc", operation="getInstance", target="GetInstance", status="OK", is_ok=True)
    seen.response, other.response = rest, grpc
    if refused:
        other.status, other.is_ok = refused, False
    return [sentence for name, sentence in findings(Scene(exchanges=[], sights=[(seen, other)])) if name == "doors"]


@pytest.mark.parametrize(
    "grpc",
    [
        INSTANCE,
        {**INSTANCE, "variables": {}, "businessKey": ""},
        {name: value for name, value in INSTANCE.items() if name != "variables"},
        {**INSTANCE, "revision": 2.0},
    ],
    ids=["the same", "an empty text", "nothing instead of an empty map", "a double"],
)
def test_what_grpc_cannot_say_otherwise_is_the_same(grpc: Any) -> None:
    """Defaults and doubles are how the wire is, and no difference."""
    assert _doors(INSTANCE, grpc) == []


@pytest.mark.parametrize(
    ("grpc", "words"),
    [
        ({**INSTANCE, "status": "COMPLETED"}, "/status is 'ACTIVE' over REST, and 'COMPLETED' over gRPC"),
        ({**INSTANCE, "startedAt": "2026-11-20T09:00:01Z"}, "/startedAt is"),
        ({**INSTANCE, "variables": {"x": None}}, "/variables/x is"),
        ({**INSTANCE, "currentStepIds": ["other"]}, "/currentStepIds/0 is 'do'"),
    ],
    ids=["status", "time", "null", "step"],
)
def test_doors_that_disagree_are_noticed(grpc: Any, words: str) -> None:
    """With the place, and what each says."""
    assert any(words in sentence for sentence in _doors(INSTANCE, grpc))


def test_a_door_that_refuses_what_the_other_gives_is_noticed() -> None:
    """With both statuses."""
    assert _doors(INSTANCE, None, refused="NOT_FOUND") == ["GET x was answered 200 over REST, and NOT_FOUND over gRPC"]
