"""Which pages may call the engine from a browser. Starlette's middleware, with refusals in the contract's shape."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from rochallor.core.errors import BadRequest
from rochallor.transports.rest.errors import refusal

METHODS = ("GET", "HEAD", "POST")
REQUEST_HEADERS = ("traceparent", "tracestate", "authorization", "content-type", "if-match", "last-event-id")
ANSWER_HEADERS = ("etag", "retry-after")


def with_cors(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Return `app` open to pages of `origins` (`*` for all), or as it is when there are none."""
    if not origins:
        return app
    return Cors(
        app,
        allow_origins=origins,
        allow_methods=METHODS,
        allow_headers=REQUEST_HEADERS,
        expose_headers=ANSWER_HEADERS,
    )


class Cors(CORSMiddleware):
    """CORS whose refused preflight has an error body like every other refusal."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Return the answer to a preflight."""
        response = super().preflight_response(request_headers)
        response.headers["x-content-type-options"] = "nosniff"
        if response.status_code < 400:  # noqa: PLR2004  # HTTP's own line between success and refusal
            return response
        told = refusal(BadRequest("this page may not make this request; the engine's CORS origins decide who may"))
        return Response(told.body, told.status, {**_kept(response), "content-type": "application/json"})


def _kept(response: Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name not in {"content-length", "content-type"}}
