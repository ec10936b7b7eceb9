"""What a replay forgives, and that it forgives no more than that."""

from __future__ import annotations

from typing import Any

import pytest
from rochallor_conformance.contract.operations import operations
from rochallor_conformance.oracles.comparing import Said, differences
from rochallor_conformance.oracles.mapped import sayable
from rochallor_conformance.replay.binding import Bindings

EARLY, LATE = "2026-01-01T00:00:00.000Z", "2026-11-20T09:00:00.5Z"
PROBLEM = {"code": "STEP_UNKNOWN", "pointer": "/steps/0", "message": "no"}
OWN_WORDS = {"code": "FIELD_TYPE", "pointer": "/workerId", "message": "expected a string"}


def _found(recorded: Any, live: Any, *, across: bool = False, said: str = "") -> list[str]:
    one = Said("rest", 200, recorded, {})
    other = Said("grpc", "OK", live, {}) if across else Said("rest", 200, live, {})
    return [
        each.pointer
        for each in differences(one, other, lambda text: text in said or text in said.replace(".000Z", "Z"))
    ]


SAME = [
    ("times differ", {"startedAt": EARLY}, {"startedAt": LATE}, False),
    ("times inside a sentence differ", {"detail": f"until {EARLY}"}, {"detail": f"until {LATE}"}, False),
    ("moments in ms differ", {"ready_at_ms": 1767225600000}, {"ready_at_ms": 1795000000000}, False),
    ("a message cannot tell 0 from absent", {"items": [], "total": 0}, {"items": []}, True),
    ("a Struct has doubles only", {"variables": {"n": 2**53 + 1}}, {"variables": {"n": float(2**53)}}, True),
]

DIFFERENT = [
    ("a text that is no time", {"startedAt": EARLY}, {"startedAt": "yesterday"}, False, "/startedAt"),
    ("the sentence around a time", {"detail": f"until {EARLY}"}, {"detail": f"since {EARLY}"}, False, "/detail"),
    ("a duration in ms", {"waited_ms": 100}, {"waited_ms": 200}, False, "/waited_ms"),
    ("a field less", {"id": "i", "revision": 1}, {"id": "i"}, False, "/revision"),
    ("a field more", {"id": "i"}, {"id": "i", "colour": "red"}, False, "/colour"),
    ("null for an empty list", {"jobs": []}, {"jobs": None}, False, "/jobs"),
    ("one item less", {"items": [1, 2]}, {"items": [1]}, False, "/items"),
    ("a boolean for a number", {"n": 1}, {"n": True}, False, "/n"),
    ("10.0 for 10", {"n": 10}, {"n": 10.0}, False, "/n"),
    ("absent on gRPC and no default", {"total": 3}, {}, True, "/total"),
    ("an empty value among the user's", {"variables": {"a": ""}}, {"variables": {}}, True, "/variables/a"),
    ("another whole number below 2^53", {"variables": {"n": 5}}, {"variables": {"n": 6}}, True, "/variables/n"),
]


@pytest.mark.parametrize(("why", "recorded", "live", "across"), SAME, ids=[row[0] for row in SAME])
def test_what_may_differ_is_no_difference(why, recorded, live, across) -> None:
    """Times, and what one transport cannot say, are forgiven."""
    assert _found(recorded, live, across=across) == [], why


@pytest.mark.parametrize(("why", "recorded", "live", "across", "at"), DIFFERENT, ids=[row[0] for row in DIFFERENT])
def test_what_may_not_differ_is_found(why, recorded, live, across, at) -> None:
    """The next-smaller difference to each that is forgiven is found, with its place."""
    assert _found(recorded, live, across=across) == [at], why


def test_how_long_a_lease_is_may_not_differ() -> None:
    """When a job was locked is chance; for how long was asked for."""
    recorded = {"lockedAt": "2026-01-01T00:00:00Z", "lockExpiresAt": "2026-01-01T00:01:00Z"}
    later = {"lockedAt": "2026-11-20T09:00:00.5Z", "lockExpiresAt": "2026-11-20T09:01:00.5Z"}
    assert _found(recorded, later) == []
    assert _found(recorded, {**later, "lockExpiresAt": "2026-11-20T09:00:30.5Z"}) == ["/lockExpiresAt"]


def test_an_engine_of_the_base_contract_may_lack_what_is_ours() -> None:
    """A field of ours may be missing there; one of the base contract may not."""
    recorded = Said("rest", 200, {"id": "i", "status": "ACTIVE", "revision": 1}, {})
    for live, places in (({"id": "i", "status": "ACTIVE"}, []), ({"id": "i", "revision": 1}, ["/status"])):
        found = differences(recorded, Said("rest", 200, live, {}), lambda _: False, base_only=True)
        assert [each.pointer for each in found] == places


def test_a_time_that_was_sent_comes_back_as_it_was() -> None:
    """A time of the user's own is a value; only the engine's times may differ."""
    assert _found({"dueAt": EARLY}, {"dueAt": LATE}, said=EARLY) == ["/dueAt"]
    assert _found({"dueAt": EARLY}, {"dueAt": "2026-01-01T00:00:00Z"}, said=EARLY, across=True) == []
    assert _found({"dueAt": EARLY}, {"dueAt": LATE}, said=EARLY + LATE, across=True) == ["/dueAt"]


@pytest.mark.parametrize(
    ("live", "places"),
    [
        (Said("rest", 409, {"error": "conflict", "message": "m"}, {}), ["status"]),
        (Said("rest", 200, {}, {}), ["status"]),
        (Said("grpc", "NOT_FOUND", {"message": "m", "reason": "NOT_FOUND", "details": []}, {}), []),
        (Said("grpc", "NOT_FOUND", {"message": "n", "reason": "NOT_FOUND", "details": []}, {}), ["/message"]),
        (Said("grpc", "FAILED_PRECONDITION", {"message": "m", "reason": "CONFLICT", "details": []}, {}), ["error"]),
    ],
)
def test_refusals_mean_the_same_error_over_both_transports(live, places) -> None:
    """Over one transport the status is the same; from one to the other the error code and the sentence are."""
    recorded = Said("rest", 404, {"error": "not-found", "message": "m", "reason": "m"}, {})
    assert [each.pointer for each in differences(recorded, live, lambda _: False)] == places


def test_each_transport_has_its_own_words_for_what_it_cannot_read() -> None:
    """REST speaks of JSON and gRPC of fields; a problem of the content has one wording."""

    def against(problem: dict[str, str]) -> list[str]:
        recorded = Said("rest", 400, {"error": "bad-request", "message": "x", "details": [problem]}, {})
        live = Said("grpc", "INVALID_ARGUMENT", {"message": "y", "reason": "BAD_REQUEST", "details": []}, {})
        return [each.pointer for each in differences(recorded, live, lambda _: False)]

    assert against(OWN_WORDS) == []
    assert against(PROBLEM) == ["/message", "/details"]


def test_a_header_of_the_contract_is_compared() -> None:
    """Over REST the kept headers are part of the answer."""
    one, other = Said("rest", 200, {}, {"etag": '"1"'}), Said("rest", 200, {}, {"etag": '"2"'})
    assert [each.pointer for each in differences(one, other, lambda _: False)] == ["headers/etag"]


def test_what_only_rest_has_is_left_out_in_its_own_message() -> None:
    """A job's `status` is REST's alone, an instance's is not: mapping.yaml says so for each message."""
    job = {"jobs": [{"id": "j", "status": "LOCKED", "workerId": "w", "variables": {"status": 1}}]}
    assert sayable(job, operations()["pollJobs"]) == {"jobs": [{"id": "j", "variables": {"status": 1}}]}
    instance = {"id": "i", "status": "ACTIVE", "variables": {}}
    assert sayable(instance, operations()["getInstance"]) == instance
    assert sayable({"items": [instance], "page": 0}, operations()["listInstances"]) == {"items": [instance]}


def test_ids_are_bound_where_answers_stand_side_by_side() -> None:
    """What the recorded engine made up becomes what the live one made up, also inside longer ids and sentences."""
    bindings = Bindings("recorded-ns", "live-ns")
    bindings.bind(
        {"id": "01OLD", "steps": [{"leaseToken": "old-token"}]}, {"id": "01NEW", "steps": [{"leaseToken": "t"}]}
    )
    assert bindings.live({"id": "01OLD-1-1", "path": "/v1/01OLD", "token": "old-token"}) == {
        "id": "01NEW-1-1",
        "path": "/v1/01NEW",
        "token": "t",
    }
    assert bindings.live("do-recorded-ns") == "do-live-ns"


def test_an_id_that_was_sent_is_never_bound() -> None:
    """A name of the user's own that comes back changed stays a difference."""
    bindings = Bindings("recorded-ns", "live-ns")
    bindings.say({"id": "loan"})
    bindings.bind({"id": "loan"}, {"id": "LOAN"})
    assert bindings.live("loan") == "loan"


def test_an_id_is_bound_once() -> None:
    """A second id for one recorded id, or one for two, is not bound and so stays a difference."""
    bindings = Bindings("recorded-ns", "live-ns")
    bindings.bind([{"id": "01A"}, {"id": "01A"}, {"id": "01B"}], [{"id": "01X"}, {"id": "01Y"}, {"id": "01X"}])
    assert bindings.live(["01A", "01B"]) == ["01X", "01B"]
