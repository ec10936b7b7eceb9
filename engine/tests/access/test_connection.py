"""What one HTTP connection may use up: time, headers, bodies, unread answers, and how many there may be."""

from __future__ import annotations

import asyncio
import json
import resource
from contextlib import asynccontextmanager

import pytest
from rochallor.serve.connection import Limits, spare_descriptors
from rochallor.serve.listener import Listener

PATIENT_S = 20.0
QUICK = Limits(head_s=0.1, body_s=0.1, unread_s=0.1, head_bytes=2_000, headers=10, bodies_bytes=100_000)
AWAKE = QUICK._replace(head_s=0.5)
"""Who says nothing at all in time gets no answer; this is more than this process stands still before its first byte."""

FAR_S = 60.0
HEAD = b"POST / HTTP/1.1\r\nhost: x\r\n"


async def echo(_scope, receive, send):
    """Read the body to its end, answer with its length; hang up without an answer when the client is gone."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = b"%d" % size
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def flood(_scope, _receive, send):
    """Answer without end."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(2_000):
        await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def served():
    """Start listeners; give a function that returns the port of one with limits."""
    listeners = []

    async def start(limits, app=echo):
        listener = Listener(app, grace_s=1, limits=limits)
        listeners.append(listener)
        await listener.start("127.0.0.1", 0)
        return listener.port

    yield start
    for listener in listeners:
        await listener.stop()


@asynccontextmanager
async def connected(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def said(port, *parts):
    """Return all that the engine says to these bytes until it closes."""
    async with connected(port) as (reader, writer):
        for part in parts:
            writer.write(part)
        try:
            return await asyncio.wait_for(reader.read(), PATIENT_S)
        except ConnectionResetError:
            return b""


def refusal(answer):
    """Return status and word of an answer, after holding it to the contract's form."""
    head, _, body = answer.partition(b"\r\n\r\n")
    told = json.loads(body)
    assert told["message"] == told["reason"]
    assert b"connection: close" in head.lower()
    assert b"content-length: %d" % len(body) in head.lower()
    return int(head.split()[1]), told["error"], told["message"]


async def test_who_says_nothing_is_let_go(served):
    """A connection without a request is closed, and there is nothing to answer."""
    assert await said(await served(QUICK)) == b""


@pytest.mark.parametrize("part", [b"P", HEAD, HEAD + b"x: "])
async def test_a_head_has_its_time(served, part):
    """Slow loris: a head that does not come to its end is given up."""
    status, word, message = refusal(await said(await served(AWAKE), part))
    assert (status, word) == (400, "bad-request")
    assert "not there within 0.5 s" in message


@pytest.mark.parametrize("part", [b"content-length: 9\r\n\r\nx", b"transfer-encoding: chunked\r\n\r\n1\r\nx\r\n"])
async def test_a_body_has_its_time(served, part):
    """A body that does not come to its end is given up."""
    port = await served(QUICK._replace(head_s=FAR_S))
    assert refusal(await said(port, HEAD + part))[:2] == (400, "bad-request")


async def test_dripping_does_not_buy_time(served):
    """The time is for the whole head: a byte now and then is no progress."""
    port = await served(AWAKE)
    async with connected(port) as (reader, writer):

        async def drip():
            while True:
                writer.write(b"x")
                await asyncio.sleep(0.02)

        writer.write(HEAD)
        dripping = asyncio.create_task(drip())
        answer = await asyncio.wait_for(reader.read(), PATIENT_S)
        dripping.cancel()
    assert refusal(answer)[:2] == (400, "bad-request")


async def test_the_next_request_has_its_own_time(served):
    """A connection that is used well stays; only an unfinished request is on the clock."""
    port = await served(QUICK._replace(head_s=0.3))
    async with connected(port) as (reader, writer):
        for _ in range(3):
            writer.write(HEAD + b"content-length: 2\r\n\r\nok")
            assert (await reader.readuntil(b"\r\n\r\n2")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.2)


@pytest.mark.parametrize(
    "head",
    [
        b"".join(b"h%d: x\r\n" % number for number in range(20)),
        b"x: " + b"a" * 3_000 + b"\r\n",
        b"x: " + b"a" * 3_000,
    ],
)
async def test_a_head_has_its_size(served, head):
    """Too many headers, too large ones, one without an end: 413 and the end of the connection."""
    port = await served(QUICK._replace(head_s=FAR_S))
    assert refusal(await said(port, HEAD + head + b"\r\n"))[:2] == (413, "too-large")


async def test_a_long_address_counts_as_head(served):
    """A URL without end is no better than a header without end."""
    port = await served(QUICK._replace(head_s=FAR_S))
    assert refusal(await said(port, b"GET /" + b"a" * 3_000))[:2] == (413, "too-large")


@pytest.mark.parametrize("trailers", [b"".join(b"t%d: x\r\n" % number for number in range(20)), b"t: " + b"a" * 3_000])
async def test_trailers_are_no_way_around(served, trailers):
    """What comes after the last chunk is limited like what comes before the first."""
    port = await served(QUICK._replace(body_s=FAR_S))
    async with connected(port) as (reader, writer):
        writer.write(HEAD + b"transfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")  # the head has been read; what follows is counted alone
        writer.write(b"0\r\n" + trailers)
        answer = await asyncio.wait_for(reader.read(), PATIENT_S)
    assert refusal(answer)[:2] == (413, "too-large")


async def test_all_bodies_together_have_their_size(served):
    """What is over the sum of all connections is refused with Retry-After; who came before goes on."""
    port = await served(QUICK._replace(body_s=FAR_S))
    async with connected(port) as (reader, writer):
        writer.write(HEAD + b"content-length: 60001\r\n\r\n" + b"a" * 60_000)
        await writer.drain()
        async with connected(port) as (probe, ask):  # once this is answered, the first body has been read
            ask.write(HEAD + b"content-length: 0\r\n\r\n")
            await probe.readuntil(b"\r\n\r\n0")
        answer = await said(port, HEAD + b"content-length: 60000\r\n\r\n" + b"a" * 60_000)
        assert refusal(answer)[:2] == (429, "too-many-requests")
        assert b"retry-after: 1" in answer
        writer.write(b"a")
        assert (await reader.readuntil(b"60001")).startswith(b"HTTP/1.1 200")


async def test_what_is_answered_counts_no_more(served):
    """Requests one after the other have the whole sum for each."""
    port = await served(QUICK)
    async with connected(port) as (reader, writer):
        for _ in range(5):
            writer.write(HEAD + b"content-length: 60000\r\n\r\n" + b"a" * 60_000)
            await reader.readuntil(b"\r\n\r\n60000")


async def test_there_are_only_so_many_connections(served):
    """One more than allowed is 503 with Retry-After; a place that became free is given again."""
    port = await served(QUICK._replace(connections=2, head_s=FAR_S))
    request = HEAD + b"content-length: 0\r\n\r\n"
    async with connected(port) as (one, ask_one), connected(port) as (two, ask_two):
        for reader, writer in ((one, ask_one), (two, ask_two)):
            writer.write(request)
            await reader.readuntil(b"\r\n\r\n0")
        answer = await said(port)
        assert refusal(answer)[:2] == (503, "unavailable")
        assert b"retry-after: 1" in answer
        ask_one.write(HEAD + b"connection: close\r\ncontent-length: 0\r\n\r\n")
        await one.read()
        async with connected(port) as (again, ask_again):
            ask_again.write(request)
            assert (await again.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200")


async def test_an_unread_answer_costs_the_connection(served):
    """Who asks and does not read is cut off, so that nothing is kept for them."""
    port = await served(QUICK, flood)
    async with connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        reader._transport.pause_reading()
        await asyncio.sleep(0.5)
        reader._transport.resume_reading()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await asyncio.wait_for(reader.readexactly(2_000 * 65_536), PATIENT_S)


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00", b"GET / HTTP/9\r\n\r\n", b"nonsense\r\n\r\n"])
async def test_what_is_not_http_is_told_so(served, garbage):
    """Noise is answered in the contract's form, and the connection ends."""
    assert refusal(await said(await served(QUICK), garbage))[:2] == (400, "bad-request")


def test_connections_leave_descriptors_for_the_store():
    """Never more connections than a third of the files that the process may open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        limits = spare_descriptors(Limits(connections=1_000_000))
        assert limits.connections <= resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 3
        assert spare_descriptors(Limits(connections=10)).connections == 10
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
