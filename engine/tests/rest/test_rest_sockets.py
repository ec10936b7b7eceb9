"""The same on real sockets: what only an HTTP server in between can show."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import httpx
import pytest
import uvicorn
from rochallor.serve.listener import Listener
from rochallor.transports.rest import create_app

PATIENT_S = 10.0
POLL = b'{"workerId":"w","jobTypes":["a"],"waitMs":30000}'


@contextlib.asynccontextmanager
async def by_uvicorn(app):
    """Serve an application on a free port of the loopback, as any ASGI server would; give the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        await serving


@contextlib.asynccontextmanager
async def by_ourselves(app):
    """Serve it as the engine does, its hot routes past ASGI; give the port."""
    listener = Listener(app, grace_s=1, hot=app)
    await listener.start("127.0.0.1", 0)
    try:
        yield listener.port
    finally:
        await listener.stop()


@pytest.fixture(params=[by_uvicorn, by_ourselves])
def served(request):
    return request.param


@pytest.fixture
async def port(engine, served):
    async with served(create_app(engine)) as port:
        yield port


@contextlib.asynccontextmanager
async def connected(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def answer_of(reader):
    """Read one answer: status and body."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENT_S)
    lines = head.decode("latin-1").lower().split("\r\n")
    length = next((int(line.split(":")[1]) for line in lines if line.startswith("content-length:")), 0)
    return int(lines[0].split()[1]), await reader.readexactly(length)


def request(path, body=b"", *, method="POST", headers=()):
    lines = [f"{method} {path} HTTP/1.1", "host: x", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def test_chunked_signal_is_read(port, engine):
    """A variable map may come in chunks, without a declared length."""

    async def chunks():
        for part in (b'{"amo', b'unt"', b":5}"):
            yield part

    async with httpx.AsyncClient() as client:
        response = await client.post(f"http://127.0.0.1:{port}/v1/instances/I1/signals/w", content=chunks())
    assert response.status_code == 204
    assert engine.calls[0][1]["variables"] == b'{"amount":5}'


async def test_slow_body_keeps_nobody_waiting(port):
    """While one client takes its time over a body, others are answered; then it is answered too."""
    async with connected(port) as (slow, tell), connected(port) as (quick, ask):
        tell.write(request("/v1/instances", b'{"defin', headers=["content-length: 20"]))
        ask.write(request("/healthz", method="GET"))
        assert (await answer_of(quick))[0] == 200
        tell.write(b'itionId":"a"}')
        assert (await answer_of(slow))[0] == 201


async def test_ids_with_slashes_keep_their_route(port, engine):
    """A percent-encoded slash is part of the id, on the wire as in the books."""
    async with connected(port) as (reader, writer):
        writer.write(request("/v1/instances/LOS%3A%3Aa%2Fb?x=1", method="GET"))
        assert (await answer_of(reader))[0] == 200
    assert engine.calls == [("get_instance", {"instance_id": "LOS::a/b"})]


async def test_oversized_body_is_refused_before_it_is_sent(port, engine):
    """A declared length over the limit is 413 before the first byte; the connection can be used on."""
    async with connected(port) as (reader, writer):
        writer.write(request("/v1/instances", headers=["content-length: 5000"]))
        status, body = await answer_of(reader)
        assert (status, b"too-large" in body) == (413, True)
        writer.write(b"x" * 5000 + request("/healthz", method="GET"))
        assert (await answer_of(reader))[0] == 200
    assert engine.calls == []


@pytest.mark.parametrize("header", ["transfer-encoding: chunked", "content-length: 999999999"])
async def test_endless_body_costs_the_connection(port, engine, header):
    """A body without a sensible end is 413 as soon as it is over the limit, and the connection is closed."""
    async with connected(port) as (reader, writer):
        chunk = b"fff\r\n" + b"x" * 0xFFF + b"\r\n" if "chunked" in header else b""
        writer.write(request("/v1/instances", chunk, headers=[header]))
        assert (await answer_of(reader))[0] == 413
        assert await asyncio.wait_for(reader.read(), PATIENT_S) == b""
    assert engine.calls == []


@pytest.mark.parametrize(
    ("operation", "sent"),
    [
        ("poll_jobs", request("/v1/jobs/poll", POLL, headers=[f"content-length: {len(POLL)}"])),
        ("await_instance", request("/v1/instances/I1/await?waitMs=30000", method="GET")),
    ],
)
async def test_wait_ends_when_the_client_goes(engine, served, operation, sent):
    """A client that hangs up during a long poll takes its wish with it."""
    begun, cancelled, seen = asyncio.Event(), asyncio.Event(), []

    async def wait_for_ever():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    engine.answers[operation] = wait_for_ever
    async with served(create_app(engine, observe=lambda *told: seen.append(told[2]))) as port:
        async with connected(port) as (_, writer):
            writer.write(sent)
            await asyncio.wait_for(begun.wait(), PATIENT_S)
        await asyncio.wait_for(cancelled.wait(), PATIENT_S)
    assert seen == [499]


async def test_client_that_leaves_in_the_middle_of_a_body_is_forgotten(engine, served):
    """Half a body and a hang-up reach neither the engine nor the log of errors."""
    seen, told = [], asyncio.Event()

    def observe(*what):
        seen.append(what[2])
        told.set()

    async with served(create_app(engine, observe=observe)) as port:
        async with connected(port) as (_, writer):
            writer.write(request("/v1/instances", b'{"defin', headers=["content-length: 20"]))
            await writer.drain()
            writer.write_eof()
        await asyncio.wait_for(told.wait(), PATIENT_S)
    assert (seen, engine.calls) == ([499], [])


async def test_stopping_server_is_no_client_that_left(engine):
    """A wait that the server itself cancels is not taken for a client that went away."""
    begun = asyncio.Event()

    async def wait_for_ever():
        begun.set()
        await asyncio.Event().wait()

    seen = []
    engine.answers["await_instance"] = wait_for_ever
    transport = httpx.ASGITransport(create_app(engine, observe=lambda *told: seen.append(told)))
    async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
        asking = asyncio.create_task(client.get("/v1/instances/I1/await?waitMs=1000"))
        await begun.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert seen == []


async def test_websockets_are_closed_and_lifespan_is_answered(engine):
    """A server's other questions have an answer too: no websocket here, and ready when asked."""
    app, sent = create_app(engine), []

    async def send(message):
        sent.append(message["type"])

    questions = iter(["lifespan.startup", "lifespan.shutdown"])

    async def ask():
        return {"type": next(questions)}

    await app({"type": "websocket", "path": "/v1/instances"}, ask, send)
    await app({"type": "lifespan", "app": app, "state": {}}, ask, send)
    assert sent == ["websocket.close", "lifespan.startup.complete", "lifespan.shutdown.complete"]
