"""What REST tests share: an engine that only remembers, and a client that holds every answer to the contract."""

from __future__ import annotations

import inspect
import json
import re
from functools import cache

import httpx
import pytest
from jsonschema import Draft202012Validator
from msgspec import Raw
from rochallor.shell.engine import Engine
from rochallor.shell.settings import Settings
from rochallor.shell.views import (
    AuditEntry,
    AwaitView,
    DefinitionSummary,
    HistoryItem,
    InstanceView,
    JobView,
    OutcomeResult,
    Page,
    ReportView,
    UploadView,
    moment,
)
from rochallor.transports.rest import create_app
from rochallor_proto import contract

AT = moment(1_790_000_000_123)
INSTANCE = InstanceView(
    id="I1",
    definition_id="LOS::loan",
    definition_version=1,
    status="ACTIVE",
    current_step_ids=["score"],
    variables=Raw(b'{"amount":9007199254740993}'),
    started_at=AT,
    revision=7,
)
JOB = JobView(
    id="I1-1-1",
    instance_id="I1",
    step_id="score",
    step_execution_id="I1-1",
    job_type="score",
    retries_remaining=3,
    variables=Raw(b'{"amount":9007199254740993}'),
    lock_expires_at=AT,
    status="LOCKED",
    worker_id="w1",
    locked_at=AT,
    created_at=AT,
    lease_token="token",
    attempt=1,
    definition_id="LOS::loan",
    definition_version=1,
)
DEFINITION = b'{"id":"LOS::loan","version":1,"name":"Loan","steps":[{"id":"end","name":"End","type":"END"}]}'
HISTORY = HistoryItem(
    id="I1-1",
    instance_id="I1",
    step_id="score",
    step_type="SERVICE_TASK",
    attempt_number=1,
    status="RUNNING",
    started_at=AT,
    output=Raw(b'{"a":1}'),
)
AUDIT = AuditEntry(revision=1, instance_id="I1", actor="ada", kind="InstanceStarted", at=AT, detail=Raw(b"{}"))


def page_of(*items):
    return Page(items=list(items), page=0, page_size=20, total=len(items))


ANSWERS = {
    "upload_definition": UploadView(id="LOS::loan", version=1, name="Loan", uploaded_at=AT),
    "get_definition": DEFINITION,
    "list_definitions": page_of(DefinitionSummary(id="LOS::loan", version=1, name="Loan", uploaded_at=AT)),
    "start_instance": INSTANCE,
    "get_instance": INSTANCE,
    "get_history": [HISTORY],
    "get_audit": [AUDIT],
    "list_instances": page_of(INSTANCE),
    "cancel_instance": INSTANCE,
    "retry_step": INSTANCE,
    "await_instance": AwaitView(instance=INSTANCE, reached=False),
    "poll_jobs": [JOB],
    "report_jobs": ReportView(results=[OutcomeResult(job_id="I1-1-1", status="ACCEPTED")], jobs=[JOB]),
    "list_user_tasks": page_of(),
}


class RememberingEngine:
    """Has the operations of `Engine` by signature; keeps the arguments, gives the answers it was told to give."""

    def __init__(self) -> None:
        self.settings = Settings(max_body_bytes=2_000, max_definition_bytes=1_000)
        self.calls: list[tuple[str, dict[str, object]]] = []
        self.answers: dict[str, object] = dict(ANSWERS)

    def __getattr__(self, name):
        signature = inspect.signature(getattr(Engine, name))

        async def operation(*args, **kwargs):
            bound = signature.bind(self, *args, **kwargs).arguments
            self.calls.append((name, {key: value for key, value in bound.items() if key != "self"}))
            answer = self.answers.get(name)
            if isinstance(answer, Exception):
                raise answer
            return await answer() if callable(answer) else answer

        return operation


@pytest.fixture
def engine():
    return RememberingEngine()


@cache
def operations():
    """Return (method, path pattern, operation) of the OpenAPI document; fixed paths come before parameters."""
    found = []
    for template, methods in sorted(contract("openapi")["paths"].items(), key=lambda item: "{" in item[0]):
        pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", template))
        found += [(method.upper(), pattern, operation) for method, operation in methods.items()]
    return found


@cache
def validator(where):
    """Return a validator for the schema at a JSON text of it."""
    schema = {**json.loads(where), "components": contract("openapi")["components"]}
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def resolved(node):
    while "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[1]
        node = contract("openapi")["components"]["responses"][name]
    return node


def schema_for(request, status):
    """Return the schema of an answer, None when it has no body; unlisted refusals are plain errors."""
    path = request.url.raw_path.partition(b"?")[0].decode("latin-1")
    for method, pattern, operation in operations():
        if method == request.method.replace("HEAD", "GET") and pattern.fullmatch(path):
            if str(status) in operation["responses"]:
                response = resolved(operation["responses"][str(status)])
                media, content = next(iter(response.get("content", {}).items()), (None, {}))
                return media, content.get("schema")
            break
    assert status in {404, 405}, f"{request.method} {path} may not answer {status}"
    return "application/json", {"$ref": "#/components/schemas/Error"}


EVENT_STREAM = "text/event-stream"


async def check_answer(response):
    """Hold an answer to the contract."""
    await response.aread()
    media, schema = schema_for(response.request, response.status_code)
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers.get("content-type") == media
    if schema is None:
        assert response.content == b""
    elif response.request.method == "HEAD":
        return
    elif media == EVENT_STREAM:
        check_events(response.text)
    else:
        validator(json.dumps(schema)).validate(response.json())


def events_of(text):
    """Return the events of a stream as (id, data), the data decoded; comments are no events."""
    frames = [dict(line.split(": ", 1) for line in frame.split("\n")) for frame in text.split("\n\n") if frame]
    assert all(frame.keys() == {"id", "event", "data"} for frame in frames if "" not in frame), text
    return [(frame["id"], json.loads(frame["data"])) for frame in frames if "" not in frame]


def check_events(text):
    """Hold each event of a stream to the contract."""
    content = contract("openapi")["paths"]["/v1/instances/{id}/events"]["get"]["responses"]["200"]["content"]
    schema = validator(json.dumps(content[EVENT_STREAM]["x-event-data"]))
    for id_, data in events_of(text):
        schema.validate(data)
        assert id_ == str(data["revision"])


@pytest.fixture(name="check_answer")
def check_answer_fixture():
    return check_answer


@pytest.fixture(name="events_of")
def events_of_fixture():
    return events_of


@pytest.fixture(name="check_events")
def check_events_fixture():
    return check_events


@pytest.fixture
def client_of():
    """Give a client of an ASGI application; its answers are checked against the contract."""

    def make(app, **options):
        options.setdefault("event_hooks", {"response": [check_answer]})
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://engine", **options)

    return make


@pytest.fixture
async def client(engine, client_of):
    async with client_of(create_app(engine)) as client:
        yield client


@pytest.fixture
def refused(client):
    """Give a call that must be refused: returns the error body after checking status and word."""

    async def refuse(status, word, method, path, **options):
        response = await client.request(method, path, **options)
        body = response.json()
        assert (response.status_code, body["error"]) == (status, word), body
        assert body["message"] == body["reason"]
        return body

    return refuse
