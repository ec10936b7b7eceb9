"""The REST transport put together: a small door in front for the hot routes, Starlette behind it for the rest.

Both find the same routes of one table and hand them to one `Reception`, so an operation behaves the same wherever it
was found. Paths are matched as they were sent (`raw_path`), segments are decoded afterwards: an id may hold `%2F`.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from urllib.parse import quote

from starlette.routing import Route as StarletteRoute
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from rochallor.access import Guard
from rochallor.core.errors import NotFound
from rochallor.shell.engine import Engine
from rochallor.transports.rest.cors import with_cors
from rochallor.transports.rest.errors import MethodNotAllowed
from rochallor.transports.rest.reception import Attend, Observe, Reception, Timer
from rochallor.transports.rest.routes import ROUTES, Route
from rochallor.transports.rest.streaming import Pause

UNMATCHED = "(unmatched)"
ID_AT = 3  # where the one parameter of a hot template is, when its path is split at slashes


def create_app(
    engine: Engine,
    *,
    cors_origins: Sequence[str] = (),
    observe: Observe | None = None,
    timer: Timer = time.perf_counter,
    pause: Pause = asyncio.sleep,
    guard: Guard | None = None,
) -> RestApp:
    """Return the application that serves `engine`; the engine is started and stopped by its owner.

    `cors_origins`: origins whose pages may call, `*` for all. `observe(method, route, status, seconds)` is told of
    every request when it has been answered (a stream: when it has ended): `route` is the template, never the URL;
    status 499 is a client that went away before its answer. `pause(seconds)` waits between a stream's heartbeats.
    `guard` admits callers by their tokens; without it everybody may do everything.
    """
    reception = Reception(engine, observe, timer, pause=pause, guard=guard)
    door = Door(reception, Router(cold_routes(reception), redirect_slashes=False, default=Nowhere(reception)))
    return RestApp(door, with_cors(door, cors_origins), engine.settings.max_body_bytes)


class RestApp:
    """An ASGI application; a listener of our own may hand it hot requests directly, past ASGI."""

    def __init__(self, door: Door, asgi: ASGIApp, max_body_bytes: int) -> None:
        self.max_body_bytes = max_body_bytes
        self._door = door
        self._asgi = asgi

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        await self._asgi(scope, receive, send)

    def express(self, method: str, path: bytes) -> Attend | None:
        """Return who answers this hot route, None when it is not one; `path` is as it was sent, without a query.

        Nothing here looks at `Origin`: what a browser sends goes through ASGI.
        """
        return self._door.express(method, path)


class Door:
    """Finds the hot routes by two dict lookups; everything else is for `rest`."""

    def __init__(self, reception: Reception, rest: ASGIApp) -> None:
        self._reception = reception
        self._rest = rest
        hot = [route for route in ROUTES if route.hot]
        self._fixed = {(route.method, route.template.encode()): route for route in hot if "{" not in route.template}
        self._by_shape = {_shape(route): route for route in hot if "{" in route.template}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
        route, ids = self._find(scope["method"], path)
        if route is None:
            await self._rest({**scope, "path": path.decode("latin-1")}, receive, send)
        else:
            await self._reception.serve(route, ids, scope, receive, send)

    def express(self, method: str, path: bytes) -> Attend | None:
        """Return who answers a request for this path if it is hot."""
        route, ids = self._find(method, path)
        return None if route is None else partial(self._reception.attend, route, ids)

    def _find(self, method: str, path: bytes) -> tuple[Route | None, tuple[bytes, ...]]:
        route = self._fixed.get((method, path))
        if route is not None:
            return route, ()
        parts = path.split(b"/")
        if len(parts) <= ID_AT or not parts[ID_AT]:
            return None, ()
        return self._by_shape.get((method, *parts[:ID_AT], *parts[ID_AT + 1 :])), (parts[ID_AT],)


def _shape(route: Route) -> tuple[str | bytes, ...]:
    """Return what a path of this route looks like, its parameter left out."""
    parts = route.template.encode().split(b"/")
    assert parts.pop(ID_AT).startswith(b"{")
    return (route.method, *parts)


def cold_routes(reception: Reception) -> list[StarletteRoute]:
    """Return one Starlette route per template; its methods are told apart here, so that 405 names all of them."""
    by_template: dict[str, list[Route]] = defaultdict(list)
    for route in ROUTES:
        by_template[route.template].append(route)
    return [StarletteRoute(template, Methods(reception, routes)) for template, routes in by_template.items()]


class Methods:
    """The operations of one template."""

    def __init__(self, reception: Reception, routes: Iterable[Route]) -> None:
        self._reception = reception
        self._routes = {route.method: route for route in routes}
        if "GET" in self._routes:
            self._routes["HEAD"] = self._routes["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or say which methods there are."""
        method = scope["method"]
        route = self._routes.get(method)
        if route is None:
            allow = sorted(self._routes)
            error = MethodNotAllowed(f"{method} is not possible here; use {' or '.join(allow)}", allow=allow)
            await self._reception.refuse(error, next(iter(self._routes.values())).template, scope, send)
        else:
            ids = tuple(value.encode("latin-1") for value in scope["path_params"].values())
            await self._reception.serve(route, ids, scope, receive, send)


class Nowhere:
    """Answers for every path that no route has."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say that there is nothing here."""
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        error = NotFound("there is no such route; GET /v1/openapi.json lists all of them")
        await self._reception.refuse(error, UNMATCHED, scope, send)
