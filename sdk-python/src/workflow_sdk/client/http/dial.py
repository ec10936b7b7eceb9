"""Opening a connection to an origin: straight, or through the proxy that the environment names.

The synchronous client's library reads HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, so this one does too: a worker
must not lose its way because it went asynchronous.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine
from typing import Any, cast
from urllib.request import getproxies, proxy_bypass

from workflow_sdk.client.http.connection import Connection, Lost
from workflow_sdk.client.http.origin import Origin

_OK = range(200, 300)


def proxy_of(origin: Origin) -> Origin | None:
    """Return the proxy for an origin, None when it is reached straight."""
    proxies = getproxies()
    url = proxies.get("https" if origin.secure else "http") or proxies.get("all")
    if not url or proxy_bypass(origin.host):
        return None
    return Origin.of(url if "://" in url else f"http://{url}")


async def dial(origin: Origin, proxy: Origin | None, tls: ssl.SSLContext | None, timeout: float) -> Connection:
    """Return an open connection.

    Raises:
        Lost: there is none to be had; nothing was sent.

    """
    try:
        return await within(timeout, _open(origin, proxy, tls))
    except TimeoutError:
        raise Lost(f"no connection within {timeout:.3g} s", sent=False) from None
    except (OSError, Lost) as error:
        raise Lost(str(error) or type(error).__name__, sent=False) from error


async def _open(origin: Origin, proxy: Origin | None, tls: ssl.SSLContext | None) -> Connection:
    loop = asyncio.get_running_loop()
    near = proxy or origin
    context = tls if near.secure else None
    _, connection = await loop.create_connection(lambda: Connection(loop), near.host, near.port, ssl=context)
    if proxy is not None and origin.secure:
        await _tunnel(connection, origin, proxy, cast("ssl.SSLContext", tls))
    return connection


async def _tunnel(connection: Connection, origin: Origin, proxy: Origin, tls: ssl.SSLContext) -> None:
    """Have the proxy connect to the origin, and speak TLS with that."""
    place = f"{origin.host}:{origin.port}"
    pass_ = f"proxy-authorization: {proxy.credentials}\r\n" if proxy.credentials else ""
    request = f"CONNECT {place} HTTP/1.1\r\nhost: {place}\r\n{pass_}\r\n"
    answer, _ = await connection.listen(request.encode(), 30.0)
    if answer.status not in _OK:
        connection.close()
        raise Lost(f"the proxy {proxy.authority} answered {answer.status}", sent=False)
    await connection.secure(tls, origin.host)


async def within(seconds: float, work: Coroutine[Any, Any, Connection]) -> Connection:
    """Return the connection that `work` opens, or cancel it after so many seconds.

    Not `asyncio.wait_for`, which on some supported versions swallows a cancellation that comes at the wrong moment.

    Raises:
        TimeoutError: it took longer.

    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        _give_up(task)
        raise
    if not done:
        _give_up(task)
        raise TimeoutError
    return task.result()


def _give_up(task: asyncio.Task[Connection]) -> None:
    task.cancel()
    task.add_done_callback(_close_if_open)  # it may have been opened in the very moment


def _close_if_open(task: asyncio.Task[Connection]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
