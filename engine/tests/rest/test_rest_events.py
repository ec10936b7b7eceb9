"""Server-sent events: an instance's revisions as they are committed, on a real engine over the memory store."""

from __future__ import annotations

import asyncio
import json

import pytest
from rochallor.shell.engine import Engine
from rochallor.stores.memory import MemoryStore
from rochallor.transports.rest import create_app

START_MS = 1_790_000_000_000
PATIENT_S = 10.0
REVIEW = {"id": "review", "name": "Review", "type": "USER_TASK", "nextStep": "settled"}
SETTLED = {"id": "settled", "name": "Settled", "type": "WAIT", "nextStep": "end"}
END = {"id": "end", "name": "End", "type": "END"}


class Still:
    """Time that stands still, chance that counts."""

    def __init__(self) -> None:
        self.last = 0

    def now_ms(self) -> int:
        return START_MS

    def bits(self, count: int) -> int:
        self.last += 1
        return self.last % (1 << count)


class Pauses:
    """Waits that end when a test says so; `asked` are their lengths in seconds."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._over: asyncio.Queue[None] = asyncio.Queue()

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        await self._over.get()

    def end_one(self) -> None:
        self._over.put_nowait(None)


class Listener:
    """A client of one event stream: the head, then part by part what is sent."""

    def __init__(self, app, path, headers=(), method="GET") -> None:
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers],
        }
        self._hung_up = asyncio.Event()
        self._asked = False
        self._sent: asyncio.Queue[dict] = asyncio.Queue()
        self._serving = asyncio.create_task(app(scope, self._receive, self._sent.put))

    async def _receive(self):
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._hung_up.wait()
        return {"type": "http.disconnect"}

    async def message(self):
        return await asyncio.wait_for(self._sent.get(), PATIENT_S)

    async def part(self):
        """Return the next piece of the body as text."""
        return (await self.message())["body"].decode()

    @property
    def silent(self):
        """Whether all that was sent has been taken."""
        return self._sent.empty()

    async def hang_up(self):
        """Close the connection; returns when the application has noticed."""
        self._hung_up.set()
        await asyncio.wait_for(self._serving, PATIENT_S)

    async def ended(self):
        """Return once the application has ended the answer by itself."""
        await asyncio.wait_for(self._serving, PATIENT_S)


@pytest.fixture
async def engine():
    still = Still()
    engine = Engine(MemoryStore(), clock=still, entropy=still)
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture
def pauses():
    return Pauses()


@pytest.fixture
def seen():
    """What the access log is told: (method, route, status)."""
    return []


@pytest.fixture
def app(engine, pauses, seen):
    return create_app(engine, pause=pauses, observe=lambda *told: seen.append(told[:3]))


@pytest.fixture
async def client(app, client_of):
    async with client_of(app) as client:
        yield client


@pytest.fixture
async def instance(client):
    """Start REVIEW, SETTLED, END; gives the instance's URL."""
    definition = {"id": "loan", "name": "Loan", "steps": [REVIEW, SETTLED, END]}
    await client.post("/v1/definitions", json=definition)
    started = await client.post("/v1/instances", json={"definitionId": "loan", "variables": {"a": [1, 2]}})
    return f"/v1/instances/{started.json()['id']}"


@pytest.fixture
async def finished(client, instance):
    """The same, at its end: three revisions."""
    await client.post(f"{instance}/user-tasks/review/complete", content=b'{"result": {"b": [\r\n 1,\n 2]}}')
    await client.post(f"{instance}/signals/settled")
    return instance


async def test_a_finished_instance_is_told_to_its_end(client, finished, events_of):
    """One event per revision, its id the revision; then the stream ends."""
    response = await client.get(f"{finished}/events")
    told = [(id_, data["status"], data["currentStepIds"]) for id_, data in events_of(response.text)]
    assert told == [("1", "WAITING", ["review"]), ("2", "WAITING", ["settled"]), ("3", "COMPLETED", [])]
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("asked", "missing"),
    [
        (("", {"last-event-id": "1"}), ["2", "3"]),
        (("?afterRevision=2", {}), ["3"]),
        (("?afterRevision=1", {"last-event-id": "2"}), ["3"]),
        (("?afterRevision=1", {"last-event-id": ""}), ["2", "3"]),
        (("", {"last-event-id": "0"}), ["1", "2", "3"]),
    ],
)
async def test_resuming_gives_exactly_the_missing_revisions(client, finished, events_of, asked, missing):
    """Last-Event-ID, or afterRevision where there is none, is where the stream goes on."""
    query, headers = asked
    response = await client.get(f"{finished}/events{query}", headers=headers)
    assert [id_ for id_, _ in events_of(response.text)] == missing


async def test_nothing_more_to_come_is_204(client, finished):
    """A browser that reconnects after the last revision is told to stop."""
    assert (await client.get(f"{finished}/events", headers={"last-event-id": "3"})).status_code == 204


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {"last-event-id": "abc"}),
        ("", {"last-event-id": "-1"}),
        ("?afterRevision=1.5", {}),
        ("?afterRevision=", {}),
        ("", {"last-event-id": "4"}),
        ("", {"last-event-id": "99999999999999999999"}),
    ],
)
async def test_a_bad_place_to_resume_is_400(client, finished, query, headers):
    """What is no revision of this instance is refused before the stream begins."""
    response = await client.get(f"{finished}/events{query}", headers=headers)
    assert (response.status_code, response.json()["error"]) == (400, "bad-request")


async def test_an_unknown_instance_is_404(client):
    """There is no stream of nothing."""
    assert (await client.get("/v1/instances/nobody/events")).status_code == 404


async def test_line_ends_inside_of_data_do_not_break_an_event(client, finished, events_of):
    """Variables with line ends between their values arrive whole."""
    response = await client.get(f"{finished}/events", headers={"last-event-id": "1"})
    _, data = events_of(response.text)[0]
    assert data["changes"][0]["detail"]["output"] == {"b": [1, 2]}
    assert "\r" not in response.text


async def test_a_commit_is_told_to_who_listens(app, client, instance, events_of, check_events):
    """A listener gets what is there, then each change when it is committed, and at the end the end."""
    listener = Listener(app, f"{instance}/events")
    head = await listener.message()
    assert (head["status"], dict(head["headers"])[b"content-type"]) == (200, b"text/event-stream")
    parts = [await listener.part()]
    await client.post(f"{instance}/user-tasks/review/complete")
    parts.append(await listener.part())
    await client.post(f"{instance}/signals/settled")
    parts.append(await listener.part())
    await listener.ended()
    assert await listener.part() == ""
    for number, part in enumerate(parts, 1):
        check_events(part)
        assert [id_ for id_, _ in events_of(part)] == [str(number)]


async def test_a_quiet_stream_has_a_heartbeat(app, pauses, instance, events_of):
    """Every 15 seconds a comment, which is no event, for whoever takes silence for death."""
    listener = Listener(app, f"{instance}/events", [("last-event-id", "1")])
    await listener.message()
    for _ in range(2):
        pauses.end_one()
        part = await listener.part()
        assert (part.startswith(":"), part.endswith("\n\n"), events_of(part)) == (True, True, [])
    await listener.hang_up()
    assert set(pauses.asked) == {15.0}


async def test_an_ended_stream_has_no_heartbeat(app, pauses, finished):
    """After the end nothing is sent any more."""
    listener = Listener(app, f"{finished}/events", [("last-event-id", "2")])
    await listener.ended()
    pauses.end_one()
    await asyncio.sleep(0)
    sent = [await listener.message() for _ in range(3)]
    assert (sent[-1], listener.silent) == ({"type": "http.response.body", "body": b""}, True)


async def test_a_stream_ends_when_its_client_goes(app, engine, instance, seen):
    """A client that hangs up leaves nobody waiting behind, and the log has its line then."""
    listener = Listener(app, f"{instance}/events")
    await listener.message()
    await listener.part()
    before = list(seen)
    await listener.hang_up()
    assert not engine.executor.watchers._events
    assert (before[-1][1], seen[-1]) == ("/v1/instances", ("GET", "/v1/instances/{id}/events", 200))


async def test_a_stream_ends_when_the_engine_stops(app, engine, instance):
    """A stopping engine ends its streams properly; clients reconnect to another one."""
    listener = Listener(app, f"{instance}/events")
    await listener.message()
    await listener.part()
    engine.live.end()
    assert await listener.message() == {"type": "http.response.body", "body": b""}
    await listener.ended()


async def test_a_stopped_engine_is_503(engine, client, instance):
    """No new stream is begun while the engine goes down."""
    engine.live.end()
    assert (await client.get(f"{instance}/events")).status_code == 503


async def test_a_bug_in_a_stream_ends_it_and_is_logged(app, engine, instance, monkeypatch, caplog):
    """What goes wrong in the middle of a stream ends it; the log has the rest."""
    listener = Listener(app, f"{instance}/events")
    await listener.message()
    await listener.part()

    async def broken(*_arguments):
        raise ZeroDivisionError

    monkeypatch.setattr(engine.store.reads, "history", broken)
    engine.executor.watchers.release()
    assert await listener.part() == ""
    assert "stream ended by a bug" in caplog.text


async def test_head_of_a_stream_is_its_headers(client, instance):
    """HEAD does not wait for anything."""
    response = await client.head(f"{instance}/events")
    assert (response.status_code, response.headers["content-type"], response.content) == (
        200,
        "text/event-stream",
        b"",
    )


async def test_an_open_instance_tells_why_it_waits(client, instance):
    """One instance by id says what its steps wait for; lists do not, and a finished one has nothing to say."""
    (waiting,) = (await client.get(instance)).json()["waitingFor"]
    assert (waiting["kind"], waiting["stepId"]) == ("USER_TASK", "review")
    assert "waitingFor" not in (await client.get("/v1/instances")).json()["items"][0]
    await client.post(f"{instance}/cancel", content=json.dumps({}))
    assert "waitingFor" not in (await client.get(instance)).json()
