"""What the harness's tests share: the corpus, and an engine of our own to be judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rochallor_conformance.cases.book import Book, read_book
from rochallor_conformance.cli import code_of
from rochallor_conformance.contract.places import contract_folder
from rochallor_conformance.report.records import Report, read_report
from rochallor_stub import EngineStub


@pytest.fixture(scope="session")
def book() -> Book:
    return read_book(contract_folder())


@pytest.fixture(scope="session")
def stub() -> Iterator[EngineStub]:
    with EngineStub() as engine:
        yield engine


@pytest.fixture
def judge(tmp_path: Path) -> Callable[..., tuple[int, Report]]:
    """Judge an engine that runs; return the exit code and the report."""

    def run(engine: EngineStub, *arguments: str) -> tuple[int, Report]:
        report = tmp_path / "report.ndjson"
        target = f"engine:{engine.url},grpc={engine.grpc_target}"
        code = code_of(["run", "--target", target, "--report", str(report), *arguments])
        return code, read_report(report)

    return run


@pytest.fixture
def result() -> Callable[..., dict[str, Any]]:
    """Make a line of a report."""

    def make(case: str = "job-one", status: str = "passed", message: str = "it differs", **more: Any) -> dict[str, Any]:
        failure = {"failure": {"message": message}} if status in ("failed", "known") else {}
        facts = {"case": case, "title": "A promise.", "area": "job", "level": "MUST", "transport": "rest", "ms": 1.0}
        return {"type": "result", **facts, "requirements": [], "status": status, **failure, **more}

    return make
