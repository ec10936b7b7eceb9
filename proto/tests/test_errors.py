"""The error table is complete and does not contradict itself."""

from __future__ import annotations

from typing import Any

import grpc

Json = dict[str, Any]
KEYS = {"code", "error", "http", "grpc", "kind", "retryable", "retryAfter", "when"}


def test_rows_have_all_columns(errors: list[Json]) -> None:
    """No row leaves a column to be guessed."""
    assert all(row.keys() == KEYS for row in errors)


def test_codes_are_unique(errors: list[Json]) -> None:
    """A code is the key of its row."""
    codes = [row["code"] for row in errors]
    assert len(set(codes)) == len(codes)


def test_statuses_exist(errors: list[Json]) -> None:
    """Statuses are names of gRPC's own, and REST statuses are errors."""
    assert {row["grpc"] for row in errors} <= {None, *grpc.StatusCode.__members__}
    assert all(400 <= row["http"] < 600 for row in errors)


def test_only_the_business_key_shares_its_word(errors: list[Json]) -> None:
    """The word in a body is the row's code, but for the two kinds of conflict."""
    assert [row["code"] for row in errors if row["error"] != row["code"]] == ["business-key-in-use"]


def test_one_kind_per_status(errors: list[Json]) -> None:
    """A REST client that knows only the status finds the kind of error to raise."""
    kinds = {(row["http"], row["kind"]) for row in errors}
    assert len(kinds) == len({row["http"] for row in errors})


def test_whoever_says_when_to_retry_may_be_retried(errors: list[Json]) -> None:
    """Retry-After is promised only where trying again can help."""
    assert all(row["retryable"] for row in errors if row["retryAfter"])


def test_the_table_of_statuses(errors: list[Json]) -> None:
    """The pairs of REST and gRPC status that clients of both transports rely on."""
    assert {row["code"]: (row["http"], row["grpc"]) for row in errors} == {
        "bad-request": (400, "INVALID_ARGUMENT"),
        "unauthorized": (401, "UNAUTHENTICATED"),
        "forbidden": (403, "PERMISSION_DENIED"),
        "not-found": (404, "NOT_FOUND"),
        "method-not-allowed": (405, None),
        "conflict": (409, "FAILED_PRECONDITION"),
        "business-key-in-use": (409, "ALREADY_EXISTS"),
        "gone": (410, "FAILED_PRECONDITION"),
        "too-large": (413, "RESOURCE_EXHAUSTED"),
        "unsupported-format": (415, None),
        "too-many-requests": (429, "RESOURCE_EXHAUSTED"),
        "internal-error": (500, "INTERNAL"),
        "unavailable": (503, "UNAVAILABLE"),
    }
