"""Spans of a running engine: one tree per instance, in the trace of whoever started it, over both doors."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import urllib.request
from types import SimpleNamespace

import grpc
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, TraceIdRatioBased
from opentelemetry.trace import StatusCode
from rochallor.serve import Server
from rochallor.serve.lines import StreamLines, as_json
from rochallor.serve.otel import Tracer
from rochallor.serve.spans import span_id, trace_of
from rochallor.serve.tracing import tracing_of
from rochallor.shell.clocks import SystemClock
from rochallor_proto import engine_pb2 as pb
from rochallor_proto import engine_pb2_grpc
from structlog.testing import capture_logs
from workflow_sdk.client.grpc import GrpcEngineClient
from workflow_sdk.client.rest import RestEngineClient
from workflow_sdk.handler.context import context_of

TRACE_ID, CALLER_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = f"00-{TRACE_ID}-{CALLER_ID}-01"
UNSAMPLED = f"00-{TRACE_ID}-{CALLER_ID}-00"
TWO_STEPS = {
    "id": "order",
    "name": "Order",
    "steps": [
        {"id": "pay", "name": "Pay", "type": "SERVICE_TASK", "jobType": "charge", "retryCount": 1, "nextStep": "ship"},
        {"id": "ship", "name": "Ship", "type": "SERVICE_TASK", "nextStep": "end"},
        {"id": "end", "name": "End", "type": "END"},
    ],
}
WAITS = {
    "id": "waits",
    "name": "Waits",
    "steps": [
        {"id": "hold", "name": "Hold", "type": "WAIT", "nextStep": "end"},
        {"id": "end", "name": "End", "type": "END"},
    ],
}


class RestDoor:
    """The few calls of a workflow's life, over REST."""

    def __init__(self, server: Server) -> None:
        self._url = f"{server.addresses.rest}/v1"

    async def post(self, path: str, body: object, traceparent: str | None = None) -> dict:
        headers = {"content-type": "application/json"} | ({"traceparent": traceparent} if traceparent else {})
        request = urllib.request.Request(f"{self._url}/{path}", json.dumps(body).encode(), headers)

        def ask() -> dict:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.loads(answer.read() or b"{}")

        return await asyncio.to_thread(ask)

    async def upload(self, definition: dict) -> None:
        await self.post("definitions", definition)

    async def start(self, definition_id: str, traceparent: str | None = None) -> str:
        return (await self.post("instances", {"definitionId": definition_id}, traceparent))["id"]

    async def poll(self, job_type: str) -> SimpleNamespace:
        answer = await self.post("jobs/poll", {"workerId": "w", "jobTypes": [job_type]})
        (job,) = answer["jobs"]
        return SimpleNamespace(id=job["id"], traceparent=job.get("traceparent", ""))

    async def complete(self, job_id: str, traceparent: str | None = None) -> None:
        await self.post(f"jobs/{job_id}/complete", {"workerId": "w"}, traceparent)

    async def fail(self, job_id: str, *, retryable: bool) -> None:
        body = {"workerId": "w", "errorMessage": "card declined", "retryable": retryable}
        await self.post(f"jobs/{job_id}/fail", body)

    async def signal(self, instance_id: str, traceparent: str) -> None:
        await self.post(f"instances/{instance_id}/signals/hold", {}, traceparent)


class GrpcDoor(RestDoor):
    """The same over gRPC, but for the upload."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self._target = server.addresses.grpc

    async def call(self, rpc: str, request: object, traceparent: str | None = None) -> object:
        async with grpc.aio.insecure_channel(self._target) as channel:
            stub = engine_pb2_grpc.WorkflowEngineStub(channel)
            metadata = (("traceparent", traceparent),) if traceparent else ()
            return await getattr(stub, rpc)(request, metadata=metadata)

    async def start(self, definition_id: str, traceparent: str | None = None) -> str:
        request = pb.StartInstanceRequest(definition_id=definition_id)
        return (await self.call("StartInstance", request, traceparent)).instance.id

    async def poll(self, job_type: str) -> SimpleNamespace:
        (job,) = (await self.call("PollJobs", pb.PollJobsRequest(worker_id="w", job_types=[job_type]))).jobs
        return SimpleNamespace(id=job.id, traceparent=job.traceparent)

    async def complete(self, job_id: str, traceparent: str | None = None) -> None:
        await self.call("CompleteJob", pb.CompleteJobRequest(job_id=job_id, worker_id="w"), traceparent)

    async def signal(self, instance_id: str, traceparent: str) -> None:
        request = pb.SignalWaitRequest(instance_id=instance_id, wait_step_id="hold")
        await self.call("SignalWait", request, traceparent)


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
async def traced(start_server, exporter) -> Server:
    """A server that reports its spans to `exporter`."""
    return await start_server(tracing=Tracer(SimpleSpanProcessor(exporter)))


@pytest.fixture(params=[RestDoor, GrpcDoor], ids=["rest", "grpc"])
def door(request, traced) -> RestDoor:
    return request.param(traced)


def hexes(context) -> tuple[str, str]:
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def tree(spans) -> dict[str, str | None]:
    """Return each span's name with its parent's: `caller` for the caller's span, None for no parent."""
    names = {span.context.span_id: span.name for span in spans} | {int(CALLER_ID, 16): "caller"}
    return {span.name: names[span.parent.span_id] if span.parent else None for span in spans}


async def test_a_workflow_is_one_tree_under_its_callers_span(door, exporter):
    """Instance, steps and jobs hang under one another, and all under the span of whoever started it."""
    await door.upload(TWO_STEPS)
    await door.start("order", CALLER)
    for job_type in ("charge", "ship"):
        await door.complete((await door.poll(job_type)).id)
    spans = exporter.get_finished_spans()
    assert {hexes(span.context)[0] for span in spans} == {TRACE_ID}
    assert tree(spans) == {
        "instance order": "caller",
        "step pay": "instance order",
        "job charge": "step pay",
        "step ship": "instance order",
        "job ship": "step ship",
        "step end": "instance order",
    }


async def test_a_worker_is_told_the_span_of_its_delivery(door, exporter):
    """What the handler does under the job's traceparent belongs under the span that the engine reports for the job."""
    await door.upload(TWO_STEPS)
    await door.start("order", CALLER)
    job = await door.poll("charge")
    await door.complete(job.id)
    (reported,) = [span for span in exporter.get_finished_spans() if span.name == "job charge"]
    trace_id, number = hexes(reported.context)
    assert job.traceparent == f"00-{trace_id}-{number}-01"


@pytest.mark.parametrize("kind", [RestEngineClient, GrpcEngineClient])
async def test_a_handler_of_the_sdk_finds_the_trace_in_its_context(traced, kind):
    """`ctx["traceparent"]` is the job's, over either door."""
    door = RestDoor(traced)
    await door.upload(TWO_STEPS)
    await door.start("order", CALLER)
    address = traced.addresses.rest if kind is RestEngineClient else traced.addresses.grpc
    with kind(address) as client:
        (job,) = await asyncio.to_thread(client.poll_jobs, "w", ["charge"])
    assert context_of(job)["traceparent"] == f"00-{TRACE_ID}-{span_id(job['id']):016x}-01"


async def test_an_instance_that_nobody_traces_has_a_trace_of_its_own(door, exporter):
    """Started without a traceparent, an instance is the root of a trace that has its id."""
    await door.upload(TWO_STEPS)
    instance_id = await door.start("order")
    job = await door.poll("charge")
    await door.complete(job.id)
    trace_id = f"{trace_of(instance_id, None).trace_id:032x}"
    assert {hexes(span.context)[0] for span in exporter.get_finished_spans()} == {trace_id}
    assert job.traceparent.startswith(f"00-{trace_id}-")


async def test_who_signals_is_linked(door, exporter):
    """A signal from another trace is a link of the step it ended."""
    await door.upload(WAITS)
    await door.signal(await door.start("waits"), CALLER)
    links = {span.name: [hexes(link.context) for link in span.links] for span in exporter.get_finished_spans()}
    assert links == {"step hold": [(TRACE_ID, CALLER_ID)], "step end": [], "instance waits": []}


async def test_who_completes_a_job_is_linked(door, exporter):
    """A worker's own span is a link of the delivery it reported."""
    await door.upload(TWO_STEPS)
    await door.start("order")
    await door.complete((await door.poll("charge")).id, CALLER)
    links = {span.name: [hexes(link.context) for link in span.links] for span in exporter.get_finished_spans()}
    assert links == {"job charge": [(TRACE_ID, CALLER_ID)], "step pay": []}


async def test_each_delivery_has_a_span_and_a_failure_says_why(traced, exporter):
    """A retry is another span under the same step, and errors are marked as such up to the instance."""
    door = RestDoor(traced)
    await door.upload(TWO_STEPS)
    await door.start("order", CALLER)
    await door.fail((await door.poll("charge")).id, retryable=True)
    await door.fail((await door.poll("charge")).id, retryable=False)
    told = [
        (span.name, span.attributes.get("rochallor.delivery"), span.status.status_code, span.status.description)
        for span in exporter.get_finished_spans()
    ]
    assert told == [
        ("job charge", 1, StatusCode.ERROR, "card declined"),
        ("instance order", None, StatusCode.ERROR, "card declined"),
        ("job charge", 2, StatusCode.ERROR, "card declined"),
        ("step pay", None, StatusCode.ERROR, "card declined"),
    ]


async def test_a_span_lasts_as_long_as_its_work(start_server, exporter):
    """A span begins when its work was entered and ends when it was done, by the engine's clock."""
    clock = SimpleNamespace(now_ms=lambda: 1_767_225_600_000)
    server = await start_server(tracing=Tracer(SimpleSpanProcessor(exporter)), clock=clock)
    await RestDoor(server).upload(WAITS)
    instance_id = await RestDoor(server).start("waits")
    clock.now_ms = lambda: 1_767_225_600_250
    await RestDoor(server).signal(instance_id, CALLER)
    lengths = {span.name: (span.end_time - span.start_time) / 1e6 for span in exporter.get_finished_spans()}
    assert lengths == {"step hold": 250, "step end": 0, "instance waits": 250}


@pytest.mark.parametrize(
    ("sampler", "caller", "flags"), [(None, UNSAMPLED, "00"), (ALWAYS_OFF, None, "00"), (None, CALLER, "01")]
)
async def test_what_is_not_sampled_is_not_reported_and_workers_are_told(start_server, exporter, sampler, caller, flags):
    """The caller's decision counts, then the sampler's; workers inherit it."""
    server = await start_server(tracing=Tracer(SimpleSpanProcessor(exporter), sampler=sampler))
    door = RestDoor(server)
    await door.upload(TWO_STEPS)
    await door.start("order", caller)
    job = await door.poll("charge")
    await door.complete(job.id)
    assert job.traceparent[-2:] == flags
    assert bool(exporter.get_finished_spans()) is (flags == "01")


def test_engines_agree_on_what_is_sampled(exporter):
    """A sampler that takes a share of all traces takes the same ones everywhere."""
    first, second = (Tracer(SimpleSpanProcessor(exporter), sampler=TraceIdRatioBased(0.5)) for _ in range(2))
    traces = [trace_of(f"01J0000000{number:016d}", None) for number in range(9_999_999_999_999_900, 10**16)]
    assert [first._samples(trace) for trace in traces] == [second._samples(trace) for trace in traces]


async def test_an_engine_without_tracing_hands_the_callers_trace_on(start_server):
    """Spans of the worker then belong directly under those of the caller."""
    server = await start_server()
    for door in (RestDoor(server), GrpcDoor(server)):
        await door.upload(TWO_STEPS)
        await door.start("order", CALLER)
        assert (await door.poll("charge")).traceparent == CALLER


async def test_without_any_trace_a_job_has_none(start_server):
    """Nobody traces: the field is left out, and empty over gRPC."""
    server = await start_server()
    for door in (RestDoor(server), GrpcDoor(server)):
        await door.upload(TWO_STEPS)
        await door.start("order", "no traceparent")
        assert (await door.poll("charge")).traceparent == ""


async def test_a_trace_outlives_the_engine(start_server, exporter, tmp_path):
    """What one engine began, the next one on the same store finishes: in the trace and under the span of the caller."""
    first = await start_server(tmp_path / "engine.db")
    await RestDoor(first).upload(WAITS)
    instance_id = await RestDoor(first).start("waits", CALLER)
    await first.stop()
    second = await start_server(tmp_path / "engine.db", tracing=Tracer(SimpleSpanProcessor(exporter)))
    await RestDoor(second).signal(instance_id, CALLER)
    spans = exporter.get_finished_spans()
    assert tree(spans) == {"step hold": "instance waits", "step end": "instance waits", "instance waits": "caller"}
    assert {span.context.span_id for span in spans} >= {span_id(instance_id), span_id(f"{instance_id}-1")}


async def test_log_lines_name_the_trace(start_server):
    """Steps have the trace of their instance, requests the one of their caller."""
    stream = io.BytesIO()
    lines = StreamLines(stream, as_json, SystemClock())
    server = await start_server(lines=lines)
    for door in (RestDoor(server), GrpcDoor(server)):
        await door.upload(WAITS)
        await door.start("waits", CALLER)
    lines.flush()
    written = [json.loads(line) for line in stream.getvalue().splitlines()]
    told = [(line.get("step_id") or line["route"], line.get("trace_id")) for line in written]
    assert told == [
        ("/v1/definitions", None),
        ("hold", TRACE_ID),
        ("/v1/instances", TRACE_ID),
        ("/v1/definitions", None),
        ("hold", TRACE_ID),
        ("StartInstance", TRACE_ID),
    ]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "TRUE"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
)
def test_without_a_collector_that_it_can_talk_to_nothing_is_traced(environment):
    """No collector named, switched off, or another protocol."""
    assert tracing_of(environment) is None


def test_a_collector_in_the_environment_switches_tracing_on():
    """The standard variable is enough."""
    tracing = tracing_of({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"})
    assert isinstance(tracing, Tracer)
    tracing.close()


def test_opentelemetry_is_not_loaded_unless_asked_for():
    """An engine without a collector starts without the library, installed or not."""
    script = (
        "import sys, rochallor.cli, rochallor.serve; print([name for name in sys.modules if 'opentelemetry' in name])"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


def test_a_missing_library_is_a_warning(monkeypatch):
    """The environment asks for spans and the extra is not installed: the engine says so and runs without."""
    monkeypatch.setitem(sys.modules, "rochallor.serve.otel", None)
    with capture_logs() as told:
        assert tracing_of({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}) is None
    assert [entry["log_level"] for entry in told] == ["warning"]
