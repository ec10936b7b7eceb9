"""`workflow-worker run` in one process."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rochallor_stub import EngineStub

    from .conftest import Help, Start

FOREVER = """
import threading
import workflow_sdk.cli.worker as settings_of_ours
settings_of_ours.LAST_SECONDS = 0.1
threading.Thread(target=threading.Event().wait).start()
"""

WAITS = """
@registry.register('greet')
def greet(ctx):
    Path('began').touch()
    while not Path('go').exists():
        time.sleep(0.01)
    return {'greeting': 'at last'}
"""


def test_jobs_are_served_until_sigterm(stub: EngineStub, run: Start, tools: type[Help]) -> None:
    """A registry from the current folder serves an instance; SIGTERM ends the worker with exit code 0."""
    worker = run()
    assert tools.ended(stub, tools.start_greeting(stub)) == {"greeting": "hello"}
    with stub.impatient():
        worker.process.send_signal(signal.SIGTERM)
        assert worker.code() == 0
    assert worker.said("stopped")[0]["worker_id"] == "w"


def test_grpc_is_chosen_by_the_address(stub: EngineStub, command: Start, tools: type[Help]) -> None:
    """`grpc://HOST:PORT` serves over gRPC; every option can come from the environment."""
    worker = command(
        "run",
        WORKFLOW_REGISTRY="app.workers:registry",
        WORKFLOW_ENGINE=f"grpc://{stub.grpc_target}",
        WORKFLOW_WORKER_ID="from-outside",
    )
    assert tools.ended(stub, tools.start_greeting(stub)) == {"greeting": "hello"}
    assert {entry.transport for entry in stub.journal.of("pollJobs")} == {"grpc"}
    assert worker.said("serving")[0]["worker_id"] == "from-outside"
    with stub.impatient():
        worker.process.send_signal(signal.SIGINT)
        assert worker.code() == 0


def test_ready_once_a_poll_was_answered(stub: EngineStub, run: Start, tools: type[Help]) -> None:
    """While the engine refuses every poll the worker is alive and not ready; with the first answer it is ready."""
    stub.faults.status("pollJobs", status=503, times=None)
    worker = run()
    tools.until(lambda: stub.journal.of("pollJobs"))
    assert tools.fetch(worker.health + "/healthz") == (200, "alive\n")
    assert tools.fetch(worker.health + "/readyz") == (503, "the engine has not answered a poll yet\n")
    with stub.impatient():
        stub.faults.clear()
        tools.until(lambda: tools.fetch(worker.health + "/readyz") == (200, "ready\n"))


def test_health_answers_while_handlers_block_and_tells_of_stopping(
    stub: EngineStub, run: Start, folder: Path, tools: type[Help]
) -> None:
    """With every slot blocked the health port answers; a stop waits for the handler, and is told as not ready."""
    (folder / "app" / "workers.py").write_text(tools.head + WAITS)
    instance_id = tools.start_greeting(stub)
    worker = run("--parallelism", "1")
    tools.until((folder / "began").exists)
    assert tools.fetch(worker.health + "/readyz") == (200, "ready\n")
    worker.process.send_signal(signal.SIGTERM)
    tools.until(lambda: tools.fetch(worker.health + "/readyz") == (503, "stopping\n"))
    assert tools.fetch(worker.health + "/healthz") == (200, "alive\n")
    (folder / "go").touch()
    assert tools.ended(stub, instance_id) == {"greeting": "at last"}
    assert worker.code() == 0


def test_lease_and_shutdown_timeout_are_as_asked(stub: EngineStub, run: Start, folder: Path, tools: type[Help]) -> None:
    """Every poll asks for the lease; a handler that outlasts the shutdown timeout is given back, to be tried again."""
    (folder / "app" / "workers.py").write_text(tools.head + WAITS)
    tools.start_greeting(stub)
    worker = run("--lease-seconds", "300", "--shutdown-timeout", "0")
    tools.until((folder / "began").exists)
    assert stub.journal.of("pollJobs")[0].request["leaseSeconds"] == 300
    with stub.impatient():
        worker.process.send_signal(signal.SIGTERM)
        worker.code()
    assert "'retryable': True" in "".join(str(each.request) for each in stub.journal.of("reportJobs"))


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_second_signal_leaves_a_blocked_handler_behind(
    stub: EngineStub, run: Start, folder: Path, tools: type[Help], kind: str
) -> None:
    """A handler that never returns cannot keep a process that was told twice to end, wherever it blocks."""
    (folder / "app" / "workers.py").write_text(tools.head + WAITS.replace("def greet", f"{kind} greet"))
    tools.start_greeting(stub)
    worker = run("--parallelism", "1")
    tools.until((folder / "began").exists)
    worker.process.send_signal(signal.SIGTERM)
    tools.until(lambda: tools.fetch(worker.health + "/readyz")[0] == 503)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.code() == (0 if kind == "def" else -signal.SIGALRM)


def test_metrics_count_jobs_beside_the_applications_own(
    stub: EngineStub, run: Start, folder: Path, tools: type[Help]
) -> None:
    """`/metrics` has the worker's series and those that the application registered by itself."""
    own = "from prometheus_client import Counter\nCounter('greeted', 'Greeted.').inc(3)\n"
    (folder / "app" / "workers.py").write_text(tools.greet + own)
    worker = run()
    tools.ended(stub, tools.start_greeting(stub))
    page = tools.fetch(worker.health + "/metrics")[1]
    assert 'workflow_sdk_jobs_completed_total{job_type="greet",outcome="success"} 1.0' in page
    assert "greeted_total 3.0" in page


def test_an_import_error_is_told_with_its_own_traceback(run: Start, folder: Path) -> None:
    """A mistake in the application's module: its traceback, without our frames, one sentence, exit code 2."""
    (folder / "app" / "workers.py").write_text("def broken():\n    1 / 0\nbroken()\n")
    worker = run()
    assert worker.code() == 2
    told = "\n".join(line["event"] for line in worker.lines[1:])
    assert told.startswith("Traceback")
    assert "in broken" in told
    assert "importlib" not in told
    assert "workflow_sdk" not in told
    assert told.endswith(
        "workflow-worker: app.workers cannot be imported: ZeroDivisionError. "
        "Mend what the traceback shows, then try again."
    )


def test_a_thread_that_never_ends_cannot_keep_the_process(
    stub: EngineStub, run: Start, folder: Path, tools: type[Help]
) -> None:
    """Python waits for every thread on its way out; a worker that has stopped waits a while and then leaves."""
    (folder / "app" / "workers.py").write_text(tools.greet + FOREVER)
    with stub.impatient():
        worker = run()
        worker.said("serving")
        worker.process.send_signal(signal.SIGTERM)
        assert worker.code() == -signal.SIGALRM
    assert worker.said("stopped")
