"""What several worker processes tell on their health ports, as one.

Ready is the family when each of its members is. Metrics are told side by side under the label `worker_id`, not added
up: a member that is replaced begins at zero, which Prometheus understands of one series and not of a sum.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from workflow_sdk.cli.health import Pages

PATIENCE_SECONDS = 1.0
_OK = 200


@dataclass(frozen=True)
class Member:
    """One worker process: its id, its health port on this machine, and whether there is a process that could answer."""

    worker_id: str
    port: int
    alive: Callable[[], bool]

    def ask(self, path: str) -> tuple[int, str]:
        """Return status and body; status 0 when nobody answers."""
        if not self.alive():
            return 0, "no process"
        door = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            door.request("GET", path)
            answer = door.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, "no answer"
        finally:
            door.close()


def gathered(members: Sequence[Member], stopping: Callable[[], bool]) -> Pages:
    """Return the pages of all members together."""

    def why_not_ready() -> str:
        if stopping():
            return "stopping"
        for member in members:
            status, body = member.ask("/readyz")
            if status != _OK:
                return f"{member.worker_id}: {body.strip()}"
        return ""

    def metrics() -> bytes:
        pages: dict[str, str] = {}
        for member in members:
            status, body = member.ask("/metrics")
            if status == _OK:
                pages[member.worker_id] = body
        registry = CollectorRegistry()
        registry.register(_SideBySide(pages))
        return generate_latest(registry)

    return Pages(why_not_ready, metrics)


class _SideBySide(Collector):
    """The series of several pages, each with the name of its page as a label."""

    def __init__(self, pages: dict[str, str]) -> None:
        self._pages = pages

    def collect(self) -> list[Metric]:
        families: dict[str, Metric] = {}
        for worker_id, page in self._pages.items():
            for family in text_string_to_metric_families(page):
                together = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    together.add_sample(sample.name, {**sample.labels, "worker_id": worker_id}, sample.value)
        return list(families.values())
