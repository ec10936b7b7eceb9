# `_dispatch` is the shortest way through a whole runner.
# pyright: reportPrivateUsage=false
"""Spans of handlers: under the job's span, with what a reader of traces looks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol
from unittest.mock import MagicMock

import pytest
from workflow_sdk import HandlerRegistry, JobContext, Runner

if TYPE_CHECKING:
    from opentelemetry import trace
    from opentelemetry.sdk import trace as sdk
else:
    trace = pytest.importorskip("opentelemetry.trace")
    sdk = pytest.importorskip("opentelemetry.sdk.trace")

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from workflow_sdk.tracing import traced

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
JOB: dict[str, Any] = {
    "id": "j-1-1",
    "jobType": "charge",
    "instanceId": "i",
    "stepId": "pay",
    "attempt": 2,
    "variables": {},
}


class Finished(Protocol):
    """Dispatches a job to a handler and returns the spans that ended."""

    def __call__(self, handler: Callable[[JobContext], object], **fields: Any) -> tuple[sdk.ReadableSpan, ...]: ...


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch) -> Finished:
    """Dispatch a job to a traced handler; return its spans."""
    exporter, provider = InMemorySpanExporter(), sdk.TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)

    def dispatch(handler: Callable[[JobContext], object], **fields: Any) -> tuple[sdk.ReadableSpan, ...]:
        registry = HandlerRegistry()
        registry.use(traced)
        registry.register("charge", handler)
        Runner(MagicMock(), registry, "w")._dispatch({**JOB, **fields})
        return exporter.get_finished_spans()

    return dispatch


def test_handler_s_span_is_under_its_job_s(finished: Finished) -> None:
    """Trace and parent are those of the job, and the span says which job it was."""
    (span,) = finished(lambda _ctx: None, traceparent=TRACEPARENT)
    assert span.context is not None
    assert span.parent is not None
    assert (span.name, f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (
        "handler charge",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "00f067aa0ba902b7",
    )
    assert dict(span.attributes or {}) == {
        "rochallor.job_id": "j-1-1",
        "rochallor.job_type": "charge",
        "rochallor.instance_id": "i",
        "rochallor.step_id": "pay",
        "rochallor.attempt": 2,
    }


def test_what_a_handler_does_is_under_its_span(finished: Finished) -> None:
    """A span that the handler makes is a child of the handler's, in a synchronous handler too."""

    def charge(_ctx: JobContext) -> dict[str, Any]:
        with trace.get_tracer("mine").start_as_current_span("call the bank"):
            return {"paid": True}

    inner, outer = finished(charge, traceparent=TRACEPARENT)
    assert inner.parent is not None
    assert outer.context is not None
    assert (inner.name, inner.parent.span_id) == ("call the bank", outer.context.span_id)


def test_failure_is_recorded_and_still_reported(finished: Finished) -> None:
    """A handler that raises has a span with the error."""

    def fail(_ctx: JobContext) -> None:
        raise ValueError("no card")

    (span,) = finished(fail)
    assert (span.status.is_ok, span.events[0].name, span.parent) == (False, "exception", None)
