"""The load that keeps instances under way: what it believes an engine, and what it does not."""

from __future__ import annotations

import asyncio
from itertools import count

import msgspec
import pytest
from rochallor.core.definition import parse_definition

from bench.closed import Flock, Life, Loop, Prepared
from bench.contract import Job, waits
from bench.flows import FLOWS, LINEAR, Flow
from bench.wire import Connection

LIFE = Life(0.0, LINEAR)
FLOW = Flow((LINEAR,), in_flight=7, at_once=2)


class Goal:
    """Is reached after so many jobs, or instances."""

    def __init__(self, goal: int) -> None:
        self.done = asyncio.Event()
        self.count = 0
        self._goal = goal

    def finished(self, jobs: int, _began_s: float) -> None:
        self.count += jobs
        if self.count >= self._goal:
            self.done.set()

    def starved(self) -> None:
        """Go on."""


class Honest:
    """An engine in a few lines that knows service tasks in a row."""

    verdict = "COMPLETED"

    def __init__(self) -> None:
        self._jobs: list[Job] = []
        self._numbers = count()
        self._left: dict[str, int] = {}

    async def start(self, _definition_id: str, _variables: bytes) -> str:
        instance_id = f"i{next(self._numbers)}"
        self._left[instance_id] = LINEAR.jobs
        self._queue(instance_id)
        return instance_id

    async def poll(self, _job_type: str, at_once: int, _wait_ms: int) -> list[Job]:
        await asyncio.sleep(0)
        given, self._jobs = self._jobs[:at_once], self._jobs[at_once:]
        return given

    async def complete(self, job_id: str, _result: bytes) -> None:
        await asyncio.sleep(0)
        self._queue(job_id.partition("-")[0])

    async def status(self, _instance_id: str) -> str:
        return self.verdict

    def _queue(self, instance_id: str) -> None:
        self._left[instance_id] -= 1
        if self._left[instance_id] >= 0:
            self._jobs.append(Job(f"{instance_id}-{next(self._numbers)}", instance_id))


class Forgetful(Honest):
    """Says that all is done, and does not end any instance."""

    verdict = "ACTIVE"


class Twice(Honest):
    """Hands out a job again."""

    async def complete(self, job_id: str, _result: bytes) -> None:
        self._jobs.append(Job(job_id, job_id.partition("-")[0]))


class Refusing(Honest):
    """Fails."""

    async def complete(self, _job_id: str, _result: bytes) -> None:
        raise RuntimeError("HTTP 500")


async def loaded(engine: Honest) -> tuple[int, int]:
    jobs, instances = Goal(20), Goal(1)
    loop = Loop(FLOW, "x", Prepared({LINEAR.name: "linear"}, 50), jobs, instances)
    async with asyncio.timeout(10):
        await loop.run([engine] * 2, [engine])
    return jobs.count, instances.count


async def test_every_instance_that_was_started_is_brought_to_its_end():
    """At the end of the span nothing is left half done: all jobs of all instances are reported."""
    jobs, instances = await loaded(Honest())
    assert jobs >= 20
    assert jobs == instances * LINEAR.jobs


@pytest.mark.parametrize(
    ("engine", "words"), [(Forgetful, "is ACTIVE"), (Twice, "handed out twice"), (Refusing, "HTTP 500")]
)
async def test_an_engine_that_lies_or_fails_voids_the_run(engine, words):
    """What it says is checked, and the sentence tells what was wrong."""
    with pytest.raises(RuntimeError, match=words):
        await loaded(engine())


def test_jobs_may_come_before_the_answer_to_the_start():
    """An instance ends with the later one of its last report and the answer to its start."""
    flock = Flock()
    assert [flock.reported("early") for _ in range(LINEAR.jobs)] == [None] * LINEAR.jobs
    assert flock.strangers() == ["early"]
    assert flock.started("early", LIFE) is LIFE
    assert (flock.strangers(), flock.finished) == ([], ["early"])


@pytest.mark.parametrize("name", [*FLOWS])
def test_every_flow_is_a_definition_that_an_engine_takes(name):
    """No definition of the table has a problem, and variables are JSON of the size that is said."""
    for kind in set(FLOWS[name].turns):
        parsed = parse_definition(kind.definition("x"))
        assert not parsed.problems
        assert parsed.definition is not None
        assert isinstance(msgspec.json.decode(kind.variables), dict)


def test_the_mixture_is_as_promised():
    """Seventy percent are linear, twenty parallel, ten have timers."""
    names = [kind.name for kind in FLOWS["mixed"].turns]
    assert [names.count(name) * 100 // len(names) for name in ("linear", "parallel", "timed")] == [70, 20, 10]


async def test_an_engine_that_refuses_a_long_poll_is_not_asked_for_one():
    """One that answers at once, and one that answers with an error, are both polled plainly."""
    assert not await waits(Honest())

    class Strict(Honest):
        async def poll(self, _job_type: str, _at_once: int, _wait_ms: int) -> list[Job]:
            raise RuntimeError("HTTP 400")

    assert not await waits(Strict())


@pytest.mark.parametrize("piece", [1, 7, 1000])
async def test_answers_in_chunks_are_understood(piece):
    """However the bytes arrive, the body is put together, and the next answer begins after it."""
    connection = Connection("engine")
    connection.connection_made(Deaf())
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for body in (b"5\r\nhello\r\n7;a=b\r\n, world\r\n0\r\n\r\n", b"c\r\nhello, world\r\n0\r\n\r\n"):
        asked = asyncio.ensure_future(connection.get("/"))
        await asyncio.sleep(0)
        whole = head + body
        for at in range(0, len(whole), piece):
            connection.data_received(whole[at : at + piece])
        assert await asked == b"hello, world"


class Deaf(asyncio.Transport):
    """A wire on which nothing is sent."""

    def write(self, _data: object) -> None:
        """Forget it."""
