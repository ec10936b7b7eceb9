"""Spans to OpenTelemetry. The only module that imports it, and imported only where it is asked for.

Spans are handed to the SDK finished, with the ids that `spans.py` gives them: its tracer would choose its own, and want
to hold every span from beginning to end, which may be weeks and several engines apart.
"""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from rochallor.ports import ClaimedJob
from rochallor.serve.spans import Span, Trace, span_id, spans_of, trace_of
from rochallor.shell.desk import Desk

_SCOPE = InstrumentationScope("rochallor")
_NS_PER_MS = 1_000_000
_SAMPLED, _DROPPED = TraceFlags(TraceFlags.SAMPLED), TraceFlags(TraceFlags.DEFAULT)


class Tracer:
    """Reports what commits have finished to a span processor; sampler and resource are the environment's by default."""

    def __init__(
        self, processor: SpanProcessor, *, sampler: Sampler | None = None, resource: Resource | None = None
    ) -> None:
        self._processor = processor
        self._sampler = sampler or TracerProvider(shutdown_on_exit=False).sampler
        self._resource = resource or _resource()

    def committed(self, desk: Desk) -> None:
        """Report the spans that a committed batch has finished."""
        for change, cause in zip(desk.changes, desk.causes, strict=True):
            trace = trace_of(change.after.id, change.after.traceparent)
            if self._samples(trace):
                for span in spans_of(change, cause):
                    self._processor.on_end(self._finished(trace, span))

    def traceparent_of(self, claimed: ClaimedJob) -> str:
        """Return what a worker's spans belong under: the span of the delivery it is given."""
        trace = trace_of(claimed.job.instance_id, claimed.traceparent)
        return f"00-{trace.trace_id:032x}-{span_id(str(claimed.job)):016x}-{self._samples(trace):02x}"

    def close(self) -> None:
        """Send what has gathered; waits for the collector, so not for the event loop's thread."""
        self._processor.shutdown()

    def _samples(self, trace: Trace) -> bool:
        """Return the sampler's decision, which is the same each time and in every engine: it goes by the trace's id."""
        parent = None
        if trace.parent_id is not None:
            flags = _SAMPLED if trace.sampled else _DROPPED
            remote = SpanContext(trace.trace_id, trace.parent_id, is_remote=True, trace_flags=flags)
            parent = set_span_in_context(NonRecordingSpan(remote), Context())
        return self._sampler.should_sample(parent, trace.trace_id, "instance").decision is Decision.RECORD_AND_SAMPLE

    def _finished(self, trace: Trace, span: Span) -> ReadableSpan:
        return ReadableSpan(
            span.name,
            context=_context(trace.trace_id, span.span_id),
            parent=_context(trace.trace_id, span.parent_id) if span.parent_id is not None else None,
            resource=self._resource,
            attributes=span.attributes,
            links=[Link(_remote(span.link))] if span.link else (),
            kind=SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR, span.error) if span.error is not None else Status(),
            start_time=span.start_ms * _NS_PER_MS,
            end_time=span.end_ms * _NS_PER_MS,
            instrumentation_scope=_SCOPE,
        )


def tracer_to_collector() -> Tracer:
    """Return a tracer that sends batches over OTLP/HTTP, set up by the standard `OTEL_…` variables."""
    return Tracer(BatchSpanProcessor(OTLPSpanExporter()))


def _resource() -> Resource:
    named = Resource.create()
    unnamed = str(named.attributes.get(SERVICE_NAME, "")).startswith("unknown_service")
    return named.merge(Resource({SERVICE_NAME: "rochallor"})) if unnamed else named


def _context(trace_id: int, number: int) -> SpanContext:
    return SpanContext(trace_id, number, is_remote=False, trace_flags=_SAMPLED)


def _remote(traceparent: str) -> SpanContext:
    _, trace_id, parent_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(parent_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
