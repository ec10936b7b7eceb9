"""Whether spans are reported: the environment says so, in the words of OpenTelemetry. Nothing is loaded where not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import structlog

from rochallor.ports import ClaimedJob
from rochallor.shell.desk import Desk

log = structlog.get_logger("rochallor.tracing")

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SPOKEN = "http/protobuf"


class Tracing(Protocol):
    """Where finished spans go."""

    def committed(self, desk: Desk) -> None:
        """Report the spans that a committed batch has finished."""

    def traceparent_of(self, claimed: ClaimedJob) -> str | None:
        """Return what a worker's spans belong under."""

    def close(self) -> None:
        """Send what has gathered; may wait, so not for the event loop's thread."""


def tracing_of(environ: Mapping[str, str]) -> Tracing | None:
    """Return a tracer if the environment names a collector, else None.

    Such variables are often set for everything on a host, so what cannot be done is a warning and no obstacle.
    """
    if not _is_wanted(environ):
        return None
    spoken = _first(environ, _PROTOCOLS) or _SPOKEN
    if spoken != _SPOKEN:
        log.warning("no spans are reported: they go over http/protobuf only", asked_for=spoken)
        return None
    try:
        from rochallor.serve.otel import tracer_to_collector  # noqa: PLC0415 - an extra, and slow to import
    except ModuleNotFoundError:
        log.warning("no spans are reported: install what they need with pip install 'rochallor[otel]'")
        return None
    return tracer_to_collector()


def _is_wanted(environ: Mapping[str, str]) -> bool:
    off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none"
    return not off and bool(_first(environ, _ENDPOINTS))


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((environ[name] for name in names if environ.get(name)), "")
