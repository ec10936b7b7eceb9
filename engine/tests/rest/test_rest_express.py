"""The straight way: hot requests that arrive whole are answered past ASGI, and nobody can see that they were."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from rochallor.core.errors import Conflict
from rochallor.serve.listener import Listener
from rochallor.transports.rest import create_app

PATIENT_S = 10.0
DONE = b'{"workerId":"w","variables":{"a":1}}'
POLL = b'{"workerId":"w","jobTypes":["a"]}'
START = b'{"definitionId":"LOS::loan"}'


def request(line, body=b"", *headers, length=True):
    lines = [f"{line} HTTP/1.1", "host: x", *headers]
    if body and length:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class Counting:
    """An application whose hot requests are counted."""

    def __init__(self, app):
        self.app = app
        self.max_body_bytes = app.max_body_bytes
        self.straight = 0

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)

    def express(self, method, path):
        attend = self.app.express(method, path)
        self.straight += attend is not None
        return attend


@pytest.fixture
async def said(engine):
    """Give a function that sends bytes to two listeners, with and without a straight way; returns both answers."""
    listeners = []

    async def ask(*parts, **options):
        answers = []
        for straight in (True, False):
            app = Counting(create_app(engine, **options))
            listener = Listener(app, grace_s=1, hot=app if straight else None)
            listeners.append(listener)
            await listener.start("127.0.0.1", 0)
            answers.append((await exchanged(listener.port, parts), list(engine.calls)))
            engine.calls.clear()
            ask.straight = app.straight if straight else ask.straight
        return answers

    ask.straight = 0
    yield ask
    await asyncio.gather(*(listener.stop() for listener in listeners))


async def exchanged(port, parts):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in (*parts, LAST):
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0)
    said = await asyncio.wait_for(reader.read(), PATIENT_S)
    writer.close()
    return [line for line in said.split(b"\r\n") if not line.startswith(b"date: ")]


JSON = "content-type: application/json"
LAST = request("GET /healthz", b"", "connection: close")
HOT = {
    "complete": request("POST /v1/jobs/I1-1-1/complete", DONE, JSON),
    "poll": request("POST /v1/jobs/poll", POLL, JSON),
    "start": request("POST /v1/instances", START, JSON),
    "get": request("GET /v1/instances/I1"),
    "escaped": request("GET /v1/instances/LOS%3A%3Aa%2Fb"),
    "no type": request("POST /v1/instances", START),
    "wrong type": request("POST /v1/instances", START, "content-type: text/plain"),
    "json of a kind": request("POST /v1/instances", START, "content-type: application/problem+json; charset=utf-8"),
    "not json": request("POST /v1/instances", b'{"definitionId":', JSON),
    "not utf-8": request("GET /v1/instances/%ff"),
    "no body": request("POST /v1/instances", b"", JSON),
    "traced": request("POST /v1/instances", START, f"traceparent: 00-{'a' * 32}-{'b' * 16}-01"),
    "last of a connection": request("POST /v1/instances", START, "connection: close"),
}
UNUSUAL = {
    "query": request("GET /v1/instances/I1?x=1"),
    "head": request("HEAD /v1/instances/I1"),
    "wrong method": request("DELETE /v1/instances/I1"),
    "no route": request("POST /v1/jobs/poll/more", POLL),
    "no id": request("GET /v1/instances/"),
    "cold": request("GET /v1/instances/I1/history"),
    "chunks": request(
        "POST /v1/instances", b"1c\r\n%b\r\n0\r\n\r\n" % START, "transfer-encoding: chunked", length=False
    ),
    "twice": request("POST /v1/instances", START, "traceparent: a", "traceparent: b"),
    "from a page": request("POST /v1/instances", START, "origin: https://app.example"),
    "expects": request("POST /v1/instances", START, "expect: 100-continue"),
    "too large": request("POST /v1/instances", b"x" * 2_001),
    "whole address": request("GET http://x/v1/instances/I1"),
}


@pytest.mark.parametrize("name", HOT)
async def test_hot_requests_are_answered_as_over_asgi(said, name):
    """The same bytes but for the date, and the same call of the engine."""
    straight, asgi = await said(HOT[name])
    assert straight == asgi
    assert said.straight == 1


@pytest.mark.parametrize("name", UNUSUAL)
async def test_unusual_requests_go_their_usual_way(said, name):
    """What the straight way does not know is left to ASGI, and answered."""
    straight, asgi = await said(UNUSUAL[name], cors_origins=["https://app.example"])
    assert straight == asgi
    assert straight[0][0].startswith(b"HTTP/1.1 ")
    assert said.straight == 0


async def test_requests_of_both_kinds_share_a_connection(said):
    """One after the other, all at once, and byte by byte: as many answers, in their order."""
    sent = b"".join([*HOT.values()][:5] + [*UNUSUAL.values()][:3] + [*HOT.values()][:5])
    for parts in ([sent], [sent[at : at + 7] for at in range(0, len(sent), 7)]):
        straight, asgi = await said(*parts)
        assert straight == asgi
        assert len(straight[1]) == 5 + 2 + 5  # a DELETE reaches no operation


async def test_an_old_client_is_hung_up_on(said):
    """HTTP/1.0 gets its answer, and then the end of the connection."""
    straight, asgi = await said(HOT["get"].replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert straight == asgi
    assert b"connection: close" in straight[0]


async def test_refusals_are_those_of_the_engine(said, engine):
    """What an operation refuses, and what it gets wrong, have the contract's form on either way."""
    for answer in (Conflict("not now"), ZeroDivisionError("a bug")):
        engine.answers["start_instance"] = answer
        straight, asgi = await said(HOT["start"])
        assert straight == asgi
        assert said.straight == 1


async def test_a_connection_rests_for_as_long_as_it_may(engine, monkeypatch):
    """One that has been answered and asks nothing more is closed; until then it may be used again."""
    monkeypatch.setattr("rochallor.serve.listener.KEEP_ALIVE_S", 0.2)
    app = create_app(engine)
    listener = Listener(app, grace_s=1, hot=app)
    await listener.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    for _ in range(2):
        writer.write(HOT["complete"])
        assert b"204" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENT_S)
    assert await asyncio.wait_for(reader.read(), PATIENT_S) == b""
    writer.close()
    await listener.stop()


async def turned_away(port):
    """Connect until that is refused; whoever stood in the queue when the door closed was reset, and knocks again."""
    async with asyncio.timeout(PATIENT_S):
        while True:
            with suppress(ConnectionResetError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
            await asyncio.sleep(0.01)


async def test_a_stopping_listener_lets_a_request_end(engine):
    """Whoever is being answered when it stops hears the answer, and that the connection ends."""
    go_on, begun = asyncio.Event(), asyncio.Event()

    async def slowly():
        begun.set()
        await go_on.wait()

    engine.answers["complete_job"] = slowly
    app = create_app(engine)
    listener = Listener(app, grace_s=20, hot=app)
    await listener.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(HOT["complete"])
    await begun.wait()
    stopping = asyncio.create_task(listener.stop())
    with pytest.raises(ConnectionRefusedError):
        await turned_away(listener.port)
    go_on.set()
    assert b"connection: close" in await asyncio.wait_for(reader.read(), PATIENT_S)
    await stopping
    writer.close()
