"""What parent and worker make of each other when one of them does not do its part."""

from __future__ import annotations

import asyncio
import os
import subprocess
from contextlib import suppress

import pytest
import structlog
from rochallor.config import Config
from rochallor.serve.workers.__main__ import Parent
from rochallor.serve.workers.orders import ASK_METRICS, LISTEN, RELOAD, Orders, Page, Ready, Started, line, read_told
from rochallor.serve.workers.parent import Family, for_workers
from rochallor.serve.workers.worker import COMMAND

COUNTED = """# HELP starts_total s
# TYPE starts_total counter
starts_total {}.0
"""


class Pipes:
    """Both ends of what a worker has of its parent."""

    def __init__(self):
        self.told, self._orders = os.pipe()
        self._said, self.tell = os.pipe()
        self.parent_side, self.said = os.fdopen(self._orders, "wb", buffering=0), os.fdopen(self._said, "rb")
        self.worker_side = os.fdopen(self.told, "rb", buffering=0), os.fdopen(self.tell, "wb")

    def close(self):
        for file in (self.parent_side, self.said, *self.worker_side):
            with suppress(BrokenPipeError):  # what could not be told is still to be written
                file.close()


@pytest.fixture
def pipes():
    both = Pipes()
    yield both
    both.close()


class Server:
    """Its first page of metrics cannot be made."""

    def __init__(self):
        self.asked = 0

    async def metrics_page(self):
        self.asked += 1
        if self.asked == 1:
            raise ValueError("a gauge broke")
        return b"page 2"


async def test_metrics_that_cannot_be_told_do_not_blind_a_worker(pipes):
    """After one failure it tells the next page, reads the tokens anew, and still sees the end of its parent."""
    reloads = []
    parent, stop = Parent(1, *pipes.worker_side, lambda: reloads.append(1)), asyncio.Event()
    pipes.parent_side.write(LISTEN)
    assert await parent.may_listen(Server(), stop)
    pipes.parent_side.write(ASK_METRICS + RELOAD + ASK_METRICS)
    said = [read_told(await asyncio.to_thread(pipes.said.readline)) for _ in range(2)]
    assert (said, reloads) == ([Started(), Page("page 2")], [1])
    pipes.parent_side.close()
    async with asyncio.timeout(30):
        await parent._task
    assert stop.is_set()
    await asyncio.sleep(0)  # the transport closes


async def test_worker_told_to_stop_while_it_waits_opens_no_doors(pipes):
    """SIGTERM before the others have started."""
    parent, stop = Parent(1, *pipes.worker_side, None), asyncio.Event()
    stop.set()
    assert not await parent.may_listen(Server(), stop)
    pipes.parent_side.close()
    await parent._task
    await asyncio.sleep(0)  # the transport closes


async def test_parent_that_is_gone_is_no_error_in_a_worker(pipes):
    """The pipe's other end is closed: nobody hears that it is ready, and nothing is raised."""
    pipes.said.close()
    Parent(1, *pipes.worker_side, None).ready(None)


class Fake:
    """A worker that answers, or does not."""

    def __init__(self, page, answers):
        self.page, self.answers = page, answers

    async def ask(self):
        return self.answers


async def test_who_does_not_answer_counts_with_what_it_last_said():
    """A worker that is stuck, or dying, neither falls out of the sums nor counts twice."""
    family = Family(Config(), 2)
    family._workers = {1: Fake(COUNTED.format(3), True), 2: Fake(COUNTED.format(4), False)}
    assert b"starts_total 7.0" in await family.metrics()
    family._bury(family._workers[2])
    assert b"starts_total 7.0" in await family.metrics()
    family._workers[2] = Fake(COUNTED.format(1), True)
    assert b"starts_total 8.0" in await family.metrics()


def test_worker_that_cannot_use_its_settings_says_so_in_one_line():
    """As the parent would: no traceback, exit code 1."""
    orders = line(Orders.of(2, Config(rest_port=0)))
    done = subprocess.run(COMMAND, check=False, input=orders, capture_output=True, timeout=60)
    assert done.returncode == 1
    assert b"WE_POSTGRES_DSN" in done.stderr
    assert b'"worker":2' in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_worker_without_orders_ends(tmp_path):
    """Its parent died before it could say anything. What lies in the current folder is not imported meanwhile."""
    (tmp_path / "msgspec.py").write_text("raise SystemExit('imported from the current folder')")
    done = subprocess.run(
        COMMAND, check=False, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=tmp_path, timeout=60
    )
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize(("most", "each", "warned"), [(None, None, False), (16, 8, False), (4, 4, True)])
def test_connections_are_shared_out(most, each, warned):
    """DB_MAX_CONNS is for all workers; when it cannot be kept, a line says so."""
    with structlog.testing.capture_logs() as lines:
        shared = for_workers(Config(workers=2, db_max_conns=most, db_min_conns=3), 1, 2)
    assert (shared.workers, shared.db_min_conns) == (1, 1)
    assert each is None or shared.db_max_conns == each
    assert [entry["event"].startswith("DB_MAX_CONNS is too small") for entry in lines] == [True] * warned


def test_ready_is_a_line_of_its_own():
    """Started and ready are told apart."""
    assert [read_told(line(told)) for told in (Started(), Ready())] == [Started(), Ready()]
