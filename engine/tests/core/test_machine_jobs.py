"""Reports about jobs: what counts, what is late, retries and leases, results that break a rule."""

import pytest
from rochallor.core import events as ev
from rochallor.core.context import Rules
from rochallor.core.errors import BadRequest, PayloadTooLarge
from rochallor.core.ids import JobRef
from rochallor.core.reports import Verdict

ONE = """
    task a -> b :: {"retryCount": 2}
    task b -> end
    end end
"""


@pytest.fixture
def one(run):
    """An instance at a task with two retries."""
    return run(ONE)


def assert_nothing_happened(outcome, verdict):
    """Check that a report changed nothing and was judged so."""
    assert outcome.verdict is verdict
    assert outcome.events == ()
    assert outcome.error is None


def test_accepted_completion(one):
    """A completion by the holder counts."""
    assert one.complete("a").verdict is Verdict.ACCEPTED
    assert one.at == ["b"]


@pytest.mark.parametrize("report", ["complete", "fail"])
def test_late_report_of_a_closed_step(one, report):
    """A report about a step that is over changes nothing; history knows whether the job was ever real."""
    job = one.job("a")
    one.complete("a")
    assert_nothing_happened(getattr(one, report)(job), Verdict.CLOSED)


@pytest.mark.parametrize("report", ["complete", "fail"])
def test_report_after_the_end(one, report):
    """A report to a terminal instance changes nothing."""
    job = one.job("a")
    one.cancel()
    assert_nothing_happened(getattr(one, report)(job), Verdict.CLOSED)


@pytest.mark.parametrize("report", ["complete", "fail"])
def test_report_of_an_earlier_delivery(one, report):
    """A report about a delivery that has been replaced changes nothing, whoever sends it."""
    job = one.job("a")
    one.fail("a")
    assert_nothing_happened(getattr(one, report)(job), Verdict.STALE)
    assert one.job("a").delivery == 2


@pytest.mark.parametrize("report", ["complete", "fail"])
@pytest.mark.parametrize(("seq", "delivery"), [(1, 2), (2, 1), (9, 1)])
def test_report_of_a_job_that_never_was(one, report, seq, delivery):
    """A job that has not been made is not found."""
    job = JobRef(one.instance.id, seq, delivery)
    assert_nothing_happened(getattr(one, report)(job), Verdict.NOT_FOUND)


def test_report_on_a_step_that_has_no_job(run):
    """A job id that names an open user task was never a job."""
    driver = run("""
        user u -> end
        end end
    """)
    assert_nothing_happened(driver.complete(JobRef(driver.instance.id, 1, 1)), Verdict.NOT_FOUND)


@pytest.mark.parametrize("report", ["complete", "fail"])
def test_report_of_a_job_nobody_holds(one, report):
    """Where jobs are leased, a report about one that is queued is late."""
    assert_nothing_happened(getattr(one, report)("a", lease=None), Verdict.STALE)


def test_report_without_leases(run):
    """Where jobs are not leased, any worker may report the current job."""
    driver = run(ONE, rules=Rules(jobs_are_leased=False))
    assert driver.complete("a", worker="anybody", lease=None).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("worker", "token", "verdict"),
    [
        ("ann", "", Verdict.ACCEPTED),
        ("bob", "", Verdict.STALE),
        ("bob", "t1", Verdict.ACCEPTED),
        ("ann", "t0", Verdict.STALE),
    ],
)
@pytest.mark.parametrize("report", ["complete", "fail"])
def test_lease_fences(one, report, worker, token, verdict):
    """With a lease token only the token counts; without one, the worker must be the holder."""
    fields = {"token": token} if report == "complete" else {"lease_token": token}
    assert getattr(one, report)("a", worker=worker, **fields).verdict is verdict


def test_holder_stays_valid_after_expiry(one):
    """The holder's report counts until the job is queued again, even after its lease ran out."""
    assert one.complete("a", lease=one.lease(ms=-5000)).verdict is Verdict.ACCEPTED


def test_retryable_failure_queues_again(one):
    """A retryable failure with retries left queues the job as the next delivery, one retry less, at once."""
    one.wait(500)
    assert one.fail("a", "no money", error_code="E7").verdict is Verdict.ACCEPTED
    (retried,) = one.happened(ev.JobRetried)
    assert (retried.delivery, retried.retries_remaining, retried.ready_at_ms) == (2, 1, one.now_ms)
    assert (retried.job_type, retried.message, retried.error_code) == ("a", "no money", "E7")
    assert one.status == "ACTIVE"
    assert one.at == ["a"]


def test_retries_run_out(one):
    """When no retry is left, step and instance fail with the worker's last message."""
    for message in ("one", "two", "three"):
        one.fail("a", message)
    assert one.status == "FAILED"
    assert one.reason == "three"
    (closed,) = one.happened(ev.StepClosed)
    assert (closed.outcome, closed.reason, closed.delivery) == ("FAILED", "three", 3)


def test_failure_that_is_not_retryable(one):
    """A failure that is not retryable fails the instance, whatever retries are left."""
    one.fail("a", "hopeless", retryable=False)
    assert (one.status, one.reason) == ("FAILED", "hopeless")


@pytest.mark.parametrize(
    ("message", "reason"),
    [("a\x00b", "ab"), ("", "the worker gave no message"), ("\x00", "the worker gave no message")],
)
def test_failure_message(one, message, reason):
    """NUL is dropped from a worker's message, and a missing message is said to be missing."""
    one.fail("a", message, retryable=False)
    assert one.reason == reason


def test_worker_says_when_to_retry(one):
    """A failure may say after how many milliseconds the next delivery is ready."""
    one.fail("a", retry_after_ms=1500)
    assert one.instance.open[1].job.ready_at_ms == one.now_ms + 1500


def policy(**fields):
    """Return a task with a retry policy."""
    told = ", ".join(f'"{name}": {value!r}'.replace("'", '"') for name, value in fields.items())
    return f"""
        task a -> end :: {{"retryCount": 9, "retryPolicy": {{{told}}}}}
        end end
    """


def waits(driver, times, **fields):
    """Fail a job some times and return how long each delivery had to wait."""
    delays = []
    for _ in range(times):
        driver.fail("a", **fields)
        delays.append(driver.happened(ev.JobRetried)[-1].ready_at_ms - driver.now_ms)
    return delays


def test_policy_backs_off(run):
    """By its policy, each retry waits longer than the one before, by the multiplier, up to the maximum."""
    driver = run(policy(initialDelay="PT1S", multiplier=3, maxDelay="PT20S"))
    assert waits(driver, 5) == [1000, 3000, 9000, 20_000, 20_000]


def test_policy_doubles_by_default(run):
    """Without a multiplier delays double; without a maximum a delay is at most a year."""
    driver = run(policy(initialDelay="P200D"))
    assert waits(driver, 3) == [days * 24 * 3_600_000 for days in (200, 365, 365)]


def test_expired_leases_do_not_lengthen_the_backoff(run):
    """Only failures count for the backoff."""
    driver = run(policy(initialDelay="PT1S"))
    driver.expire("a")
    assert waits(driver, 2) == [1000, 2000]


@pytest.mark.parametrize(("entropy", "delay_ms"), [(0, 5000), (2**63, 10_000), (2**64 - 1, 14_999)])
def test_policy_jitters(run, entropy, delay_ms):
    """Jitter varies a delay both ways by at most its share, by the chance of the command."""
    driver = run(policy(initialDelay="PT10S", jitter=0.5))
    assert waits(driver, 1, entropy=entropy) == [pytest.approx(delay_ms, abs=1)]


def test_full_jitter_is_never_before_now(run):
    """A jitter of one may retry at once, never earlier."""
    driver = run(policy(initialDelay="PT10S", jitter=1))
    assert waits(driver, 1, entropy=0) == [0]


def test_worker_overrides_the_policy(run):
    """What a worker asks for takes the place of the policy's delay, this one time."""
    driver = run(policy(initialDelay="PT10S"))
    assert waits(driver, 1, retry_after_ms=1) == [1]
    assert waits(driver, 1) == [20_000]
    assert waits(driver, 1, retry_after_ms=0) == [0]


def test_policy_gives_up(run):
    """A retry that would start later than `giveUpAfter` after the step was entered is not made."""
    driver = run(policy(initialDelay="PT10S", multiplier=1, giveUpAfter="PT15S"))
    driver.wait(5000)
    driver.fail("a", "once")
    assert driver.status == "ACTIVE"
    driver.wait(1)
    driver.fail("a", "twice")
    assert (driver.status, driver.reason) == ("FAILED", "twice")


@pytest.mark.parametrize(("after_ms", "status"), [(15_000, "ACTIVE"), (15_001, "FAILED")])
def test_policy_gives_up_on_what_the_worker_asks(run, after_ms, status):
    """`giveUpAfter` holds for a delay that the worker asks for too."""
    driver = run(policy(initialDelay="PT20S", giveUpAfter="PT15S"))
    driver.fail("a", retry_after_ms=after_ms)
    assert driver.status == status


def test_expired_lease_queues_again(one):
    """A lease that ran out queues the job as the next delivery, its retries untouched."""
    one.fail("a")
    one.wait(30_000)
    assert one.expire("a").verdict is Verdict.ACCEPTED
    (expired,) = one.happened(ev.JobExpired)
    assert (expired.delivery, expired.retries_remaining, expired.ready_at_ms) == (3, 1, one.now_ms)
    assert (expired.seq, expired.step_id, expired.job_type) == (1, "a", "a")


def test_lease_that_was_extended(one):
    """A lease that is not over does not expire."""
    assert_nothing_happened(one.expire("a", lease=one.lease(ms=1)), Verdict.STALE)


def test_lease_of_a_job_nobody_holds(one):
    """A job that is queued has no lease to expire."""
    assert_nothing_happened(one.expire("a", lease=None), Verdict.STALE)


def test_lease_of_an_earlier_delivery(one):
    """The lease of a delivery that was replaced does not expire the next one."""
    job = one.job("a")
    one.fail("a")
    assert_nothing_happened(one.expire(job), Verdict.STALE)


def test_too_many_expired_leases(run):
    """More expired leases of one execution than allowed fail it with DeliveryLimitExceeded."""
    driver = run(ONE, rules=Rules(max_deliveries=3))
    for _ in range(3):
        driver.expire("a")
        driver.wait(1)
    assert driver.status == "ACTIVE"
    assert driver.expire("a").verdict is Verdict.ACCEPTED
    assert driver.reason.startswith("DeliveryLimitExceeded: 4 leases of step 'a' ran out")
    assert driver.ended("a") == ["FAILED"]


def test_failures_do_not_count_as_expired_leases(run):
    """Retries after failures leave the allowance of expired leases as it is."""
    driver = run(ONE, rules=Rules(max_deliveries=1))
    driver.fail("a")
    driver.expire("a")
    driver.fail("a")
    assert driver.status == "ACTIVE"
    driver.expire("a")
    assert driver.reason.startswith("DeliveryLimitExceeded: 2 leases")


def test_ten_deliveries_by_default():
    """Without any setting ten leases of one execution may run out."""
    assert Rules().max_deliveries == 10


CHECKED = """
    task a -> end :: {"retryCount": 5, "outputs_schema": {"properties": \
        {"n": {"type": "integer"}, "s": {"type": "string"}}, "required": ["n"]}}
    end end
"""


def test_result_that_breaks_the_schema(run):
    """A result that breaks the step's schema fails the instance at once, for good, and is refused to the worker."""
    driver = run(CHECKED)
    outcome = driver.complete("a", {"n": 1.5, "s": 1})
    assert outcome.verdict is Verdict.REJECTED
    assert isinstance(outcome.error, BadRequest)
    assert outcome.error.message == driver.reason
    first, second = outcome.error.details
    assert driver.reason == f"OutputSchemaViolation: result of step 'a': {first.message}; {second.message}"
    assert (first.code, first.pointer) == ("SCHEMA_VIOLATION", "/variables")
    assert driver.status == "FAILED"
    assert driver.variables == {}


def test_refused_result_repeated(run):
    """Repeating a report that was refused changes nothing and is no error any more."""
    driver = run(CHECKED)
    job = driver.job("a")
    driver.complete(job, {"n": "x"})
    assert_nothing_happened(driver.complete(job, {"n": "x"}), Verdict.CLOSED)


def test_result_that_fits_the_schema(run):
    """A result that fits goes on; what the schema does not name passes."""
    driver = run(CHECKED)
    driver.complete("a", {"n": 1, "other": True})
    assert driver.status == "COMPLETED"


def test_schema_looks_at_the_result_only(run):
    """Variables that the instance has already do not stand in for a result's missing one."""
    driver = run(CHECKED, {"n": 1})
    driver.complete("a")
    assert driver.status == "FAILED"


def test_result_over_the_limit(run):
    """A result that takes the variables over their limit fails the instance and is refused as too large."""
    driver = run(ONE, {"x": "x" * 50}, rules=Rules(max_variables_bytes=100))
    outcome = driver.complete("a", {"y": "y" * 50})
    assert outcome.verdict is Verdict.REJECTED
    assert isinstance(outcome.error, PayloadTooLarge)
    assert driver.reason == "VariablesTooLarge: step 'a' would take the variables over 100 bytes"
    assert driver.variables.keys() == {"x"}


def test_replacing_a_large_variable_fits(run):
    """What counts is the size after the merge: a large variable may be replaced by another one."""
    driver = run(ONE, {"x": "x" * 50}, rules=Rules(max_variables_bytes=100))
    driver.complete("a", {"x": "y" * 60})
    assert driver.status == "ACTIVE"
