"""The health port: its pages, and those of several processes as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from operator import lt
from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Counter
from workflow_sdk.cli.failures import CommandFailed
from workflow_sdk.cli.gathered import Member, gathered
from workflow_sdk.cli.health import Pages, listen, metrics_page, served

if TYPE_CHECKING:
    from .conftest import Help

Serve = Callable[[Pages], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:

        def start(pages: Pages) -> int:
            listener = listen("127.0.0.1", 0)
            port: int = listener.getsockname()[1]
            stack.enter_context(served(listener, pages))
            return port

        yield start


def test_pages_over_a_socket(serve: Serve, tools: type[Help]) -> None:
    """Alive always, ready while there is no reason against it, and a hint for whoever asks for something else."""
    reasons = ["starting", ""]
    url = f"http://127.0.0.1:{serve(Pages(lambda: reasons.pop(0), lambda: b'm 1'))}"
    assert tools.fetch(url + "/healthz?verbose=1") == (200, "alive\n")
    assert tools.fetch(url + "/readyz") == (503, "starting\n")
    assert tools.fetch(url + "/readyz") == (200, "ready\n")
    assert tools.fetch(url + "/metrics") == (200, "m 1")
    assert tools.fetch(url + "/") == (404, "there is /healthz, /readyz and /metrics\n")


def test_a_taken_port_is_explained() -> None:
    """The sentence names the port and the way out."""
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandFailed, match=rf"Cannot listen on 127\.0\.0\.1 port {port}: .* Choose another"):
            listen("127.0.0.1", port)


def test_a_series_in_two_registries_is_told_once() -> None:
    """The worker's own series goes first; Prometheus refuses a page that has a series twice."""
    ours = CollectorRegistry()
    Counter("cli_twice", "Ours.", registry=ours).inc(2)
    theirs = Counter("cli_twice", "Theirs.")
    try:
        page = metrics_page(ours).decode()
    finally:
        REGISTRY.unregister(theirs)
    assert page.count("# TYPE cli_twice_total counter") == 1
    assert "cli_twice_total 2.0" in page


def test_several_are_ready_when_each_is(serve: Serve) -> None:
    """The first that is not is named with its reason; a dead or a silent one is not asked for long."""
    reasons = {"w-1": "", "w-2": "starting"}
    alive = {"w-1": True, "w-2": True}

    def member(name: str) -> Member:
        return Member(name, serve(Pages(lambda: reasons[name], lambda: b"")), lambda: alive[name])

    stopping: list[bool] = []
    pages = gathered([member("w-1"), member("w-2")], lambda: bool(stopping))
    assert pages.why_not_ready() == "w-2: starting"
    reasons["w-2"] = ""
    assert pages.why_not_ready() == ""
    alive["w-1"] = False
    assert pages.why_not_ready() == "w-1: no process"
    stopping.append(True)
    assert pages.why_not_ready() == "stopping"


def test_the_metrics_of_several_stand_side_by_side(serve: Serve) -> None:
    """Each series has its worker's id as a label; one that does not answer is left out."""
    members: list[Member] = []
    for number in (1, 2, 3):
        registry = CollectorRegistry()
        Counter("done", "Done.", ["job_type"], registry=registry).labels("greet").inc(number)
        port = serve(Pages(str, partial(metrics_page, registry)))
        members.append(Member(f"w-{number}", port, partial(lt, number, 3)))
    page = gathered(members, lambda: False).metrics().decode()
    assert page.count("# TYPE done_total counter") == 1
    assert 'done_total{job_type="greet",worker_id="w-1"} 1.0' in page
    assert 'done_total{job_type="greet",worker_id="w-2"} 2.0' in page
    assert "w-3" not in page
