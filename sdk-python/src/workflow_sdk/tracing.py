"""A span around every handler, under the job's own: `registry.use(traced)`. Needs `opentelemetry-api`.

The engine reports instance, step and job; a worker's spans belong under the job's, and what the handler calls under
the handler's. Without a configured tracer provider OpenTelemetry makes spans that cost nothing and go nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from workflow_sdk.handler.context import JobContext
    from workflow_sdk.handler.registry import CallNext

_PROPAGATOR = TraceContextTextMapPropagator()


async def traced(call_next: CallNext, ctx: JobContext) -> Any:
    """Run the handler inside a span `handler <job type>`; an exception is recorded on it and raised on."""
    parent = _PROPAGATOR.extract({"traceparent": ctx.traceparent})
    attributes: dict[str, str | int] = {
        "rochallor.job_id": ctx.id,
        "rochallor.job_type": ctx.job_type,
        "rochallor.instance_id": ctx.instance_id,
        "rochallor.step_id": ctx.step_id,
        "rochallor.attempt": ctx.attempt,
    }
    tracer = trace.get_tracer("workflow_sdk")
    with tracer.start_as_current_span(f"handler {ctx.job_type}", context=parent, attributes=attributes):
        return await call_next(ctx)
