"""Spans of handlers: under the job's span, with what a reader of traces looks for."""

from __future__ import annotations

from unittest.mock import MagicMock

import pytest
from workflow_sdk import HandlerRegistry, Runner

trace = pytest.importorskip("opentelemetry.trace")
sdk = pytest.importorskip("opentelemetry.sdk.trace")

from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402 - skipped without the library
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402
from workflow_sdk.tracing import traced  # noqa: E402

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
JOB = {"id": "j-1-1", "jobType": "charge", "instanceId": "i", "stepId": "pay", "attempt": 2, "variables": {}}


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch):
    """Dispatch a job to a traced handler; return its spans."""
    exporter, provider = InMemorySpanExporter(), sdk.TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)

    def dispatch(handler, **fields):
        registry = HandlerRegistry()
        registry.use(traced)
        registry.register("charge", handler)
        Runner(MagicMock(), registry, "w")._dispatch({**JOB, **fields})
        return exporter.get_finished_spans()

    return dispatch


def test_handler_s_span_is_under_its_job_s(finished) -> None:
    """Trace and parent are those of the job, and the span says which job it was."""
    (span,) = finished(lambda _ctx: None, traceparent=TRACEPARENT)
    assert (span.name, f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (
        "handler charge",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "00f067aa0ba902b7",
    )
    assert dict(span.attributes) == {
        "rochallor.job_id": "j-1-1",
        "rochallor.job_type": "charge",
        "rochallor.instance_id": "i",
        "rochallor.step_id": "pay",
        "rochallor.attempt": 2,
    }


def test_what_a_handler_does_is_under_its_span(finished) -> None:
    """A span that the handler makes is a child of the handler's, in a synchronous handler too."""

    def charge(_ctx: JobContext):
        with trace.get_tracer("mine").start_as_current_span("call the bank"):
            return {"paid": True}

    inner, outer = finished(charge, traceparent=TRACEPARENT)
    assert (inner.name, inner.parent.span_id) == ("call the bank", outer.context.span_id)


def test_failure_is_recorded_and_still_reported(finished) -> None:
    """A handler that raises has a span with the error."""

    def fail(_ctx: JobContext) -> None:
        raise ValueError("no card")

    (span,) = finished(fail)
    assert (span.status.is_ok, span.events[0].name, span.parent) == (False, "exception", None)
