"""The log's two frequent lines, as they are written by a real engine."""

import asyncio
import io
import json

import msgspec
import pytest
from rochallor.config import Config
from rochallor.serve.lines import NoLines, RequestLine, StepLine, StreamLines, as_json, as_text, rfc3339
from rochallor.serve.logs import lines_of, wants_json
from rochallor.shell.clocks import SystemClock

LOG_AT_MS = 1_767_225_600_042
STEP = StepLine(rfc3339(LOG_AT_MS), "I1", "hello", 3, "greet", "SERVICE_TASK", "I1-1", 1)
REQUEST = RequestLine(rfc3339(LOG_AT_MS), "rest", "POST", "/v1/instances", 201, 1.25)


@pytest.fixture
def stream():
    return io.BytesIO()


@pytest.fixture
async def logged(start_server, stream):
    """Return a server that logs, and a function that returns its lines of one event."""
    lines = StreamLines(stream, as_json, SystemClock())
    server = await start_server(lines=lines)

    def entries(event):
        lines.flush()
        parsed = map(json.loads, stream.getvalue().splitlines())
        return [entry for entry in parsed if entry["event"] == event]

    return server, entries


async def test_every_step_entered_has_a_line(logged, remote, hello):
    """A step that is dispatched is logged with everything that names it."""
    server, entries = logged
    await remote(server).post("definitions", **hello)
    started = await remote(server).post("instances", definitionId="hello")
    (line,) = entries("step dispatched")
    assert line.pop("time").endswith("Z")
    assert line == {
        "instance_id": started["id"],
        "definition_id": "hello",
        "definition_version": 1,
        "step_id": "greet",
        "step_type": "SERVICE_TASK",
        "step_execution_id": f"{started['id']}-1",
        "attempt": 1,
        "level": "info",
        "event": "step dispatched",
    }


async def test_a_request_has_a_line_with_its_pattern(logged, remote, hello):
    """The route is the pattern: ids do not make a million routes."""
    server, entries = logged
    await remote(server).post("definitions", **hello)
    started = await remote(server).post("instances", definitionId="hello")
    await remote(server).get("instances", started["id"])
    (*_, line) = entries("request")
    assert (line["method"], line["route"], line["status"]) == ("GET", "/v1/instances/{id}", 200)


async def test_successful_polls_have_no_line(logged, remote):
    """Idle workers do not fill the log."""
    server, entries = logged
    await remote(server).post("jobs", "poll", workerId="w", jobTypes=["greet"])
    assert entries("request") == []


async def test_refused_polls_have_a_line(logged, remote):
    """A worker that asks wrongly shows."""
    server, entries = logged
    with pytest.raises(Exception, match="jobTypes"):
        await remote(server).post("jobs", "poll", workerId="w")
    assert [line["status"] for line in entries("request")] == [400]


async def test_lines_of_one_turn_are_one_write(stream):
    """What a busy loop writes in one turn goes out together."""
    lines = StreamLines(stream, as_json, SystemClock())
    lines.request("rest", "GET", "/healthz", 200, 0.001)
    lines.request("rest", "GET", "/healthz", 200, 0.001)
    assert stream.getvalue() == b""
    await asyncio.sleep(0)
    assert stream.getvalue().count(b"\n") == 2


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (STEP, b"00:00:00.042 step     greet                    SERVICE_TASK     hello v3 I1\n"),
        (REQUEST, b"00:00:00.042 request  201 POST /v1/instances 1.2 ms\n"),
    ],
)
def test_a_person_reads_text(line, text):
    """On a terminal a line is made for eyes."""
    assert as_text(line) == text


def test_a_person_reads_whose_line_it_is():
    """With WE_WORKERS, the worker's number stands beside the time."""
    assert as_text(msgspec.structs.replace(REQUEST, worker=2)).startswith(b"00:00:00.042 #2 request  201 ")


@pytest.mark.parametrize(("level", "kind"), [("debug", StreamLines), ("info", StreamLines), ("warning", NoLines)])
def test_above_info_there_are_no_such_lines(level, kind, stream):
    """Both lines are of level info."""
    assert type(lines_of(Config(log_level=level), SystemClock(), stream, json=True)) is kind


@pytest.mark.parametrize(
    ("configured", "terminal", "json"),
    [(None, True, False), (None, False, True), ("json", True, True), ("console", False, False)],
)
def test_the_form_follows_the_reader(configured, terminal, json):
    """Lines are JSON unless a terminal is watching, or as configured."""
    assert wants_json(Config(log_format=configured), terminal=terminal) is json
