"""What "Observe an engine" shows is what an engine does: series, lines, spans."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from rochallor.serve.lines import RequestLine, StepLine

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "observe.md").read_text()
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
DEFINITION = {"id": "short", "name": "Short", "steps": [{"id": "end", "name": "End", "type": "END"}]}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def post(url: str, body: object) -> None:
    headers = {"content-type": "application/json", "traceparent": TRACEPARENT}
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=10).close()


def test_alerts_are_about_series_that_exist():
    """Every series in an alert's expression is in the reference, with the labels that are used."""
    reference = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    listed = dict(re.findall(r"^\| `(\w+)` \| \w+ \| (.*?) \|", reference, re.MULTILINE))
    _, rules = map(yaml.safe_load, blocks("yaml"))
    for rule in rules["groups"][0]["rules"]:
        (name,) = re.findall(r"\b(?:rochallor|engine|workflow)_\w+", rule["expr"])
        assert name.removesuffix("_bucket") in listed
        labels = re.findall(r"(\w+)=|\$labels\.(\w+)", json.dumps(rule))
        assert all(f"`{one or other}`" in listed[name] for one, other in labels)


@pytest.mark.parametrize(("shown", "kind"), [*zip(blocks("json"), (StepLine, RequestLine), strict=True)])
def test_lines_are_shown_as_they_are_written(shown, kind):
    """A log line on the page has the fields of the real one, in their order; `worker` is for one of several."""
    assert tuple(json.loads(shown)) == tuple(field for field in kind.__struct_fields__ if field != "worker")


def test_a_handler_continues_the_trace_of_its_job(monkeypatch):
    """The page's handler makes its span under the one that its job names."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    names: dict = {}
    exec(blocks("python")[0], names)
    assert names["charge"]({"traceparent": TRACEPARENT}) == {"paid": True}
    (span,) = exporter.get_finished_spans()
    assert f"00-{span.parent.trace_id:032x}-{span.parent.span_id:016x}-01" == TRACEPARENT


class Collector(HTTPServer):
    """Takes what is sent to an OpenTelemetry collector, and keeps the spans."""

    def __init__(self) -> None:
        self.spans: list = []
        super().__init__(("127.0.0.1", 0), _Receiver)


class _Receiver(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/v1/traces" and self.headers["content-encoding"] is None:
            request = ExportTraceServiceRequest.FromString(body)
            self.server.spans += [
                span for told in request.resource_spans for scope in told.scope_spans for span in scope.spans
            ]
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_about: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector():
    server = Collector()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_collector_gets_the_spans(collector, tmp_path):
    """With the page's variable set, an engine has sent all its spans by the time it has stopped."""
    (variable, shown) = re.findall(r"export (\w+)=(\S+)", PAGE)[0]
    environment = os.environ | {
        variable: shown.replace("localhost:4318", f"127.0.0.1:{collector.server_port}"),
        "WE_SQLITE_PATH": str(tmp_path / "engine.db"),
        **{f"WE_{door}_PORT": "0" for door in ("REST", "GRPC", "METRICS")},
    }
    command = [sys.executable, "-m", "rochallor", "serve"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        rest = next(json.loads(line)["rest"] for line in process.stderr if '"ready"' in line)
        post(f"{rest}/v1/definitions", DEFINITION)
        post(f"{rest}/v1/instances", {"definitionId": "short"})
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert [(span.name, span.trace_id.hex()) for span in collector.spans] == [
        ("step end", TRACEPARENT[3:35]),
        ("instance short", TRACEPARENT[3:35]),
    ]
