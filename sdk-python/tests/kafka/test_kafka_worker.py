"""Jobs from Kafka are run, reported, and committed past, in this order."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from workflow_sdk import JobContext
from workflow_sdk.errors import ConnectionFailed, InternalError, NotFound
from workflow_sdk.kafka.port import ConsumerBroken, Record

if TYPE_CHECKING:
    from .conftest import Bench


def test_a_job_is_run_reported_and_committed_past(bench: Bench) -> None:
    """One record: the engine hears the result, the group is past it, the consumer has left, the client is closed."""
    bench.log.publish("j")
    bench.run(lambda: bench.until(lambda: bench.log.committed_at() == 1))
    assert bench.engine.completed == {"j": {"done": "j"}}
    assert bench.consumer.topic == "workflow.jobs.work"
    assert bench.consumer.closed
    assert bench.engine.closed


def test_only_what_has_nothing_open_before_it_is_committed(bench: Bench) -> None:
    """Of five records the second takes a minute: meanwhile the offset stays there, then it is the end."""
    for number in range(5):
        bench.log.publish(f"j{number}", variables={"seconds": 60 if number == 1 else 1})

    async def script() -> None:
        await bench.until(lambda: len(bench.engine.completed) == 4)
        await asyncio.sleep(10)
        assert bench.log.committed_at() == 1
        await bench.until(lambda: bench.log.committed_at() == 5)

    bench.run(script)
    assert bench.log.commits == [(0, 1), (0, 5)]


def test_partitions_do_not_wait_for_each_other(bench: Bench) -> None:
    """A slow job in one partition holds back no commit of another."""
    bench.log.partitions = (0, 1)
    bench.log.publish("slow", variables={"seconds": 600})
    bench.log.publish("quick", partition=1)

    async def script() -> None:
        await bench.until(lambda: bench.log.committed_at(1) == 1, 5)
        assert bench.log.committed_at(0) == 0

    bench.run(script, shutdown_timeout=1000)


def test_full_slots_pause_and_free_slots_resume(bench: Bench) -> None:
    """Twelve jobs on three slots: never more than three run, and reading is paused while they do."""
    for number in range(12):
        bench.log.publish(f"j{number}", variables={"seconds": 10})

    async def script() -> None:
        await bench.until(lambda: bench.running == 3)
        await asyncio.sleep(1)
        assert bench.consumer.paused == {0}
        assert bench.consumer.positions == {0: 3}
        await bench.until(lambda: len(bench.engine.completed) == 12)
        await asyncio.sleep(1)
        assert not bench.consumer.paused

    bench.run(script, parallelism=3)
    assert bench.most_running == 3
    assert set(bench.ran.values()) == {1}


def test_a_moment_without_slots_is_no_pause(bench: Bench) -> None:
    """What the library has fetched ahead is not thrown away when jobs are quick: two slots, a hundred jobs."""
    for number in range(100):
        bench.log.publish(f"j{number}", variables={"seconds": 0.02})

    async def script() -> int:
        await bench.until(lambda: len(bench.engine.completed) == 100)
        return bench.consumer.pauses

    assert bench.run(script, parallelism=2) == 0
    assert bench.most_running == 2


def test_a_rate_is_kept(bench: Bench) -> None:
    """Two starts a second: a burst of two, then one every half second."""
    starts: list[float] = []

    @bench.registry.register("rated", rate_limit=2)
    async def rated(_: JobContext) -> None:
        starts.append(asyncio.get_running_loop().time())

    for number in range(8):
        bench.log.publish(f"j{number}", "rated")
    bench.run(lambda: bench.until(lambda: len(bench.engine.completed) == 8))
    assert [round(after - before, 1) for before, after in pairwise(starts)] == [0, *[0.5] * 6]


def test_a_paused_consumer_is_polled_all_the_same(bench: Bench) -> None:
    """The group would throw out who does not poll: in a minute of pause there are a hundred polls."""
    bench.log.publish("j", variables={"seconds": 60})

    async def script() -> None:
        await bench.until(lambda: bench.consumer.paused)
        before = bench.consumer.polls
        await asyncio.sleep(55)
        assert bench.consumer.polls - before >= 100

    bench.run(script, parallelism=1)


def test_a_limited_type_pauses_alone(bench: Bench) -> None:
    """`max_concurrency` of one handler holds its own topic back and no other."""
    bench.registry.register("one", max_concurrency=1)(bench.work)
    for number in range(3):
        bench.log.publish(f"one{number}", "one", variables={"seconds": 100})
    for number in range(20):
        bench.log.publish(f"j{number}")

    async def script() -> None:
        await bench.until(lambda: bench.log.committed_at() == 20, 10)
        assert bench.running == 1
        assert bench.consumers["one"].paused == {0}
        await bench.until(lambda: bench.log.committed_at(job_type="one") == 3)

    bench.run(script)


def test_types_take_turns_at_scarce_slots(bench: Bench) -> None:
    """With one slot and two full topics, both get on."""
    bench.registry.register("other", bench.work)
    for number in range(10):
        bench.log.publish(f"j{number}", variables={"seconds": 1})
        bench.log.publish(f"o{number}", "other", variables={"seconds": 1})

    async def script() -> tuple[int, int]:
        await bench.until(lambda: len(bench.engine.completed) == 10)
        return bench.log.committed_at(), bench.log.committed_at(job_type="other")

    assert min(bench.run(script, parallelism=1)) >= 3
    assert bench.most_running == 1


def test_a_handler_registered_later_is_served(bench: Bench) -> None:
    """Its topic is read from then on."""
    bench.log.publish("late", "later")

    async def script() -> None:
        await asyncio.sleep(1)
        bench.registry.register("later", bench.work)
        await bench.until(lambda: "late" in bench.engine.completed)

    bench.run(script)


def test_a_copy_is_skipped_once_the_first_is_reported(bench: Bench) -> None:
    """The relay may publish twice: the handler runs once, and both records are committed past."""
    bench.log.publish("j")

    async def script() -> None:
        await bench.until(lambda: bench.engine.completed)
        bench.log.publish("j")
        await bench.until(lambda: bench.log.committed_at() == 2)

    bench.run(script)
    assert (bench.ran["j"], bench.engine.reports) == (1, 1)


def test_a_copy_waits_while_the_first_is_under_way(bench: Bench) -> None:
    """It is neither run beside it nor committed before it."""
    bench.log.publish("j", variables={"seconds": 30})
    bench.log.publish("j", variables={"seconds": 30})

    async def script() -> None:
        await asyncio.sleep(20)
        assert (bench.running, bench.log.committed_at()) == (1, 0)
        await bench.until(lambda: bench.log.committed_at() == 2)

    bench.run(script)
    assert (bench.ran["j"], bench.engine.reports) == (1, 1)


def test_a_copy_is_forgotten_after_the_window(bench: Bench) -> None:
    """Ten minutes and more later the same id is worked on again: the engine tells repeated reports apart."""
    bench.log.publish("j")

    async def script() -> None:
        await bench.until(lambda: bench.engine.completed)
        await asyncio.sleep(601)
        bench.log.publish("j")
        await bench.until(lambda: bench.ran["j"] == 2)

    bench.run(script)


def test_the_next_try_of_a_step_is_no_copy(bench: Bench) -> None:
    """It may be published before the answer to the failure's report is back; it runs as soon as that is there."""
    bench.engine.answer_seconds = 3.0
    tries: list[int] = []

    @bench.registry.register("flaky")
    async def flaky(ctx: JobContext) -> None:
        tries.append(ctx["retriesRemaining"])
        if len(tries) == 1:
            bench.log.publish("j", "flaky", dedup_id="second", retries_remaining=2)
            raise ValueError("the first time")

    bench.log.publish("j", "flaky", dedup_id="first")
    bench.run(lambda: bench.until(lambda: bench.log.committed_at(job_type="flaky") == 2))
    assert tries == [3, 2]
    assert bench.engine.completed == {"j": {}}


def test_a_failure_that_nobody_heard_is_done_again(bench: Bench) -> None:
    """The connection broke after sending: no offset is committed, the handler runs again, and then it is."""
    bench.engine.faults.append(ConnectionFailed("reset", sent=True))

    @bench.registry.register("work")
    async def failing(ctx: JobContext) -> None:
        bench.ran[ctx["id"]] += 1
        raise ValueError("no")

    bench.log.publish("j")

    async def script() -> None:
        await asyncio.sleep(4)
        assert (bench.log.committed_at(), bench.ran["j"]) == (0, 1)
        await bench.until(lambda: bench.log.committed_at() == 1)

    bench.run(script)
    assert bench.ran["j"] == 2
    assert bench.engine.failed["j"].message == "no"


def test_a_result_that_nobody_hears_is_kept(bench: Bench) -> None:
    """An outage longer than the patience for one report: the result goes out afterwards, the handler ran once."""
    bench.engine.faults.extend([ConnectionFailed("refused", sent=False)] * 400)
    bench.log.publish("j")

    async def script() -> float:
        await bench.until(lambda: bench.engine.completed, 36_000)
        await bench.until(lambda: bench.log.committed_at() == 1)
        return asyncio.get_running_loop().time()

    assert bench.run(script) > 600
    assert bench.ran["j"] == 1


def test_what_the_engine_does_not_want_is_committed_past(bench: Bench) -> None:
    """The job is gone, with its cancelled instance: there is nothing to wait for."""
    bench.engine.faults.append(NotFound(404, "no such job"))
    bench.log.publish("j")
    bench.run(lambda: bench.until(lambda: bench.log.committed_at() == 1, 5))
    assert bench.ran["j"] == 1


def test_an_engine_that_stays_broken_for_one_job_holds_nothing_up_for_ever(bench: Bench) -> None:
    """Older engines say "internal error" about a job that is gone: after ten minutes it is a dead letter."""
    letters: list[str] = []
    bench.dead_letter = lambda _, reason: letters.append(reason)
    bench.engine.faults.extend([InternalError(500, "boom")] * 10_000)
    bench.log.publish("j")

    async def script() -> None:
        await asyncio.sleep(590)
        assert (bench.log.committed_at(), letters) == (0, [])
        await bench.until(lambda: bench.log.committed_at() == 1, 60)

    bench.run(script)
    assert letters == ["the engine answered its reports with internal errors for 600 s"]
    assert bench.ran["j"] == 1


def test_a_corrupt_record_goes_to_the_dead_letters(bench: Bench) -> None:
    """The hook gets the record and why, the next job is done, and the group is past both."""
    letters: list[tuple[int, bytes | None, str]] = []
    bench.dead_letter = lambda record, reason: letters.append((record.offset, record.value, reason))
    bench.log.put(b"\xff\xff nonsense")
    bench.log.publish("j")
    bench.run(lambda: bench.until(lambda: bench.log.committed_at() == 2))
    assert [(offset, value) for offset, value, _ in letters] == [(0, b"\xff\xff nonsense")]
    assert "protobuf" in letters[0][2]


def test_without_a_hook_a_corrupt_record_is_an_error_in_the_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """It says where the record lies, and nothing of what is in it."""
    bench.log.put(None)
    bench.run(lambda: bench.until(lambda: bench.log.committed_at() == 1))
    assert (
        "skipping the record at workflow.jobs.work, partition 0, offset 0: job_id and job_type missing" in caplog.text
    )


def test_a_hook_that_fails_is_asked_again(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """The record is not lost by it, and other jobs go on."""
    asked: list[str] = []

    def hook(_: Record, reason: str) -> None:
        asked.append(reason)
        if len(asked) < 3:
            raise OSError("the dead letters' queue is down")

    bench.dead_letter = hook
    bench.log.put(b"")
    bench.log.publish("j")

    async def script() -> None:
        await bench.until(lambda: bench.engine.completed)
        assert bench.log.committed_at() == 0
        await bench.until(lambda: bench.log.committed_at() == 2)

    bench.run(script)
    assert len(asked) == 3
    assert "dead letter hook failed" in caplog.text


def test_a_commit_that_fails_is_made_again(bench: Bench) -> None:
    """Brokers may be away: the worker goes on, and says so."""
    bench.log.publish("j")

    async def script() -> None:
        await bench.until(lambda: bench.engine.completed)
        bench.consumer.commits_to_fail = 3
        await bench.until(lambda: bench.log.committed_at() == 1, 10)

    bench.run(script)
    assert bench.log.commits == [(0, 1)]


def test_reading_goes_on_after_an_outage(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Every failed poll is followed by a pause and another; the log is not filled by that."""

    async def script() -> None:
        await bench.until(lambda: bench.consumers)
        bench.consumer.faults.extend([OSError("no broker")] * 100)
        bench.log.publish("j")
        await bench.until(lambda: bench.engine.completed)

    bench.run(script)
    assert "workflow.jobs.work: reading failed (1 in a row): no broker" in caplog.text
    assert len(caplog.records) == 7


def test_a_broken_consumer_ends_the_worker(bench: Bench) -> None:
    """What was under way is reported first; then whoever runs the worker is told."""
    bench.log.publish("j", variables={"seconds": 20})

    async def script() -> None:
        await bench.until(lambda: bench.running)
        bench.consumer.faults.append(ConsumerBroken("fenced"))
        await asyncio.sleep(3600)

    with pytest.raises(ConsumerBroken, match="fenced"):
        bench.run(script)
    assert bench.engine.completed
    assert bench.consumer.closed
