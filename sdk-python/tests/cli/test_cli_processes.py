"""`--processes` and `--reload` with real processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rochallor_stub import EngineStub

    from .conftest import Help, Start


def test_a_dead_process_is_replaced_and_sigterm_ends_all(stub: EngineStub, run: Start, tools: type[Help]) -> None:
    """Two workers serve under ids of their own; a killed one comes back; SIGTERM is passed on and waited for."""
    with stub.impatient():
        family = run("--processes", "2")
        first = {line["worker_id"]: line["pid"] for line in family.said("serving", 2)}
        assert first.keys() == {"w-1", "w-2"}
        tools.until(lambda: tools.fetch(family.health + "/readyz")[0] == 200)
        os.kill(first["w-1"], signal.SIGKILL)
        again = family.said("serving", 3)[2]
        assert (again["worker_id"], again["pid"] in first.values()) == ("w-1", False)
        assert family.said("a worker process died")[0]["exit_code"] == -signal.SIGKILL
        tools.until(lambda: tools.fetch(family.health + "/readyz")[0] == 200)
        page = tools.fetch(family.health + "/metrics")[1]
        assert 'workflow_sdk_poll_latency_seconds_count{worker_id="w-1"}' in page
        assert 'workflow_sdk_poll_latency_seconds_count{worker_id="w-2"}' in page
        family.process.send_signal(signal.SIGTERM)
        assert family.code() == 0
    assert {line["worker_id"] for line in family.said("stopped", 2)} == {"w-1", "w-2"}


def test_nobody_is_left_when_the_looking_after_ends_by_force(stub: EngineStub, run: Start) -> None:
    """The parent is killed and can say nothing; its workers notice, finish and end."""
    with stub.impatient():
        family = run("--processes", "2")
        family.said("serving", 2)
        family.process.kill()
        family.silent()
    assert len(family.said("stopped", 2)) == 2


def test_processes_that_cannot_work_are_not_repeated(run: Start, folder: Path) -> None:
    """A registry that cannot be loaded ends the whole command with exit code 2 instead of trying for ever."""
    (folder / "app" / "workers.py").write_text("registry = 1\n")
    family = run("--processes", "2")
    assert family.code() == 2
    assert "app.workers:registry is of type int, not a HandlerRegistry." in family.lines[-1]["event"]


def test_reload_follows_the_sources(stub: EngineStub, run: Start, folder: Path, tools: type[Help]) -> None:
    """An edit is served a moment later; a broken edit is told and waited out; the worker keeps its id."""
    source = folder / "app" / "workers.py"
    with stub.impatient():
        family = run("--reload")
        family.said("serving")
        source.write_text("registry =\n")
        family.said("waiting for a change of the sources")
        source.write_text(tools.greet.replace("hello", "good day"))
        assert [line["worker_id"] for line in family.said("serving", 2)] == ["w", "w"]
    assert tools.ended(stub, tools.start_greeting(stub)) == {"greeting": "good day"}
    with stub.impatient():
        family.process.send_signal(signal.SIGTERM)
        assert family.code() == 0
    assert [line["event"] for line in family.said("changed; restarting")] == ["app/workers.py changed; restarting"] * 2
