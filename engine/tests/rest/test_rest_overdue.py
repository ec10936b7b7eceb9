"""Requests that hang are given up, whoever else comes and goes, with one timer for all."""

from __future__ import annotations

import asyncio

import httpx
from rochallor.transports.rest.overdue import Overdue
from rochallor.transports.rest.reception import Reception
from rochallor.transports.rest.request import AsgiRequest
from rochallor.transports.rest.routes import ROUTES

ROUTE = next(route for route in ROUTES if route.operation == "getInstance")
SOON_S, LONG_S, PATIENT_S = 0.05, 3_600.0, 10.0


async def hang(overdue):
    """Return whether it was given up, once something has cancelled it."""
    task = overdue.begin()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return overdue.end(task)


async def test_what_hangs_is_given_up():
    """Those that begin later, too, while the first is being waited for."""
    overdue = Overdue(SOON_S)
    first = asyncio.create_task(hang(overdue))
    await asyncio.sleep(SOON_S / 2)
    second = asyncio.create_task(hang(overdue))
    async with asyncio.timeout(PATIENT_S):
        assert await first
        assert not second.done()
        assert await second


async def test_what_ended_is_left_alone():
    """A request that was answered in time is not cancelled later, and another's cancellation is not ours."""
    overdue, quick = Overdue(SOON_S), Overdue(LONG_S)

    async def answered():
        task = overdue.begin()
        assert not overdue.end(task)
        await asyncio.sleep(3 * SOON_S)
        return task.cancelling()

    cancelled = asyncio.create_task(hang(quick))
    await asyncio.sleep(0)
    cancelled.cancel()
    assert await cancelled is False
    assert await asyncio.create_task(answered()) == 0


async def test_a_hanging_request_is_told_to_read_back(engine):
    """It gets 503 with what to do, and its task may go on."""

    async def for_ever():
        await asyncio.Event().wait()

    engine.answers["get_instance"] = for_ever
    reception, sent = Reception(engine, None, lambda: 0.0, request_s=SOON_S), []

    async def send(answer):
        sent.append((answer.status, answer.body))

    async def ask():
        scope = {"method": "GET", "headers": [], "query_string": b""}
        await reception.attend(ROUTE, (b"I1",), AsgiRequest(scope, None), send)
        await asyncio.sleep(0)

    await asyncio.wait_for(asyncio.create_task(ask()), PATIENT_S)
    [(status, body)] = sent
    assert status == httpx.codes.SERVICE_UNAVAILABLE
    assert b"longer than 0.05 s" in body
