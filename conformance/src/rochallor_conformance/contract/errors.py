"""errors.yaml, the way back: from what a transport said to the error codes it may mean."""

from __future__ import annotations

from typing import Any

from rochallor_proto import contract


def codes() -> frozenset[str]:
    """Return every error code of the contract."""
    return frozenset(row["code"] for row in contract("errors")["errors"])


def codes_of_http(status: int, word: str | None) -> frozenset[str]:
    """Return the codes that an HTTP status and the `error` of its body may mean; without a word, any of the status."""
    return frozenset(row["code"] for row in _rows() if row["http"] == status and word in (None, row["error"]))


def codes_of_grpc(status: str, reason: str | None) -> frozenset[str]:
    """Return the codes that a gRPC status and its ErrorInfo reason may mean; without a reason, any of the status."""
    wanted = reason and reason.lower().replace("_", "-")
    named = frozenset(row["code"] for row in _rows() if row["grpc"] == status and row["code"] == wanted)
    if named or reason:
        return named
    return frozenset(row["code"] for row in _rows() if row["grpc"] == status)


def _rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = contract("errors")["errors"]
    return rows
