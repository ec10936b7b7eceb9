"""The metrics port: open on this machine, with a token beyond it."""

from __future__ import annotations

import httpx
import pytest


@pytest.mark.parametrize(("caller", "status"), [("nobody", 200), ("reader", 200), ("stranger", 200)])
async def test_on_this_machine_metrics_are_open(secured, caller, status):
    """An address that only this machine reaches asks for nothing."""
    server = await secured()
    async with httpx.AsyncClient() as client:
        assert (await client.get(server.addresses.metrics, headers=server.headers(caller))).status_code == status


@pytest.mark.parametrize(("caller", "status"), [("nobody", 401), ("worker", 403), ("reader", 200), ("admin", 200)])
async def test_beyond_it_they_take_a_token(secured, monkeypatch, caller, status):
    """On an address that others reach, the roles that may look may scrape."""
    monkeypatch.setattr("rochallor.serve.server.is_loopback", lambda _host: False)
    server = await secured()
    async with httpx.AsyncClient() as client:
        assert (await client.get(server.addresses.metrics, headers=server.headers(caller))).status_code == status
