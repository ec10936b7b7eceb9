"""Judges a driver itself, before anybody believes what it says of its SDK: each check is one promise of wf-driver/1.

`CHECKS` is the table, in the order in which they are tried. Each gets a driver of its own on a stub that knows nothing
and says in a sentence what is wrong, so that an author can mend one thing after the other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from rochallor_conformance.cases.loading import completed
from rochallor_conformance.cases.placeholders import with_namespace
from rochallor_conformance.sdk.client import DriverClient, DriverFault, Told
from rochallor_conformance.sdk.manifest import Manifest
from rochallor_conformance.sdk.messages import PROTOCOL
from rochallor_conformance.sdk.process import DriverProcess
from rochallor_conformance.sdk.stub import Stub
from rochallor_conformance.transports.exchange import Journal, Json, Unreachable

ANSWER_S = 10.0
EXIT_S = 5.0
JOB_TYPE = "check-the-driver"
WORK = {"steps": [{"id": "do", "type": "SERVICE_TASK", "jobType": JOB_TYPE, "nextStep": "end"},
                  {"id": "end", "type": "END"}]}  # fmt: skip
NO_DEFINITION = {"id": "check", "name": "Check", "steps": [{"id": "a", "name": "A", "type": "WAIT", "nextStep": "b"}]}


class Wrong(Exception):
    """The driver does not keep a promise; the sentence says which and what to do."""


class Checked(NamedTuple):
    """One check and what it found: "" when the promise is kept, None when it was not tried."""

    promise: str
    problem: str | None
    why_not: str = ""


class Trial(NamedTuple):
    """What a check works with."""

    driver: DriverClient
    stub: Stub
    transport: str
    journal: Journal

    async def ask(self, command: str, **fields: Any) -> Told:
        """Have the driver do something."""
        return await self.driver.ask(command, **fields)

    async def do(self, command: str, **fields: Any) -> Json:
        """Have the driver do something that must succeed."""
        told = await self.ask(command, **fields)
        if told.result is None:
            raise Wrong(f"refuses {command} {fields}: {told.error}")
        return told.result

    async def connect(self) -> None:
        """Make a client called `c`."""
        await self.do("connect", id="c", transport=self.transport, url=self.stub.address(self.transport))

    async def start(self, **options: Any) -> None:
        """Make a client, and start a worker called `w`."""
        await self.connect()
        settings = {"parallelism": 2, "pollIntervalMs": 20, "longPollMs": 0, **options}
        await self.do("worker.start", id="w", client="c", workerId="w", jobTypes=[JOB_TYPE], options=settings)

    async def instance(self) -> str:
        """Start an instance with one job of the type that the worker serves."""
        definition = with_namespace(completed("check", WORK), "driver")
        await self.stub.call("uploadDefinition", {"definition": definition}, self.journal)
        args = {"definitionId": definition["id"], "variables": {"a": 1}}
        answer = await self.stub.call("startInstance", args, self.journal)
        return str(answer.body["id"])

    async def job(self) -> Json:
        """Wait for the next job event."""
        event = await self.driver.job(0, ANSWER_S)
        if event is None:
            raise Wrong(f"sends no job event within {ANSWER_S:g} s after its worker could poll one")
        return event

    async def status(self, instance: str) -> Json:
        """Return the instance as the engine has it."""
        answer = await self.stub.call("getInstance", {"id": instance}, self.journal)
        body: Json = answer.body
        return body


async def check_driver(
    manifest: Manifest, checks: Sequence[Row] | None = None, *, answer_s: float = ANSWER_S
) -> list[Checked]:
    """Try every promise, those of a worker over each transport; return what was found.

    Raises:
        Unreachable: the driver or the stub does not start at all.

    """
    stub = Stub()
    found: list[Checked] = []
    try:
        await stub.start()
        for promise, needs, check in checks or CHECKS:
            if missing := [each for each in needs if each not in manifest.capabilities]:
                found.append(Checked(promise, None, f"not claimed: {', '.join(missing)}"))
                continue
            transports = manifest.transports if needs else manifest.transports[:1]
            found += [await _try(manifest, stub, (promise, check), transport, answer_s) for transport in transports]
            if check is hello and found[-1].problem:
                break  # nothing else can go right
    finally:
        await stub.stop()
    return found


async def _try(manifest: Manifest, stub: Stub, named: tuple[str, Check], transport: str, answer_s: float) -> Checked:
    promise, check = named
    await stub.reset()
    driver = DriverClient(DriverProcess(manifest.command, manifest.folder, {}), answer_s=answer_s)
    problem = ""
    try:
        await driver.start()
        await check(Trial(driver, stub, transport, Journal()))
    except Unreachable:
        raise
    except Wrong as wrong:
        problem = str(wrong)
    except DriverFault as fault:
        problem = str(fault).removeprefix("the driver ")
    finally:
        await driver.end()
    return Checked(f"{promise} ({transport})", problem)


async def hello(trial: Trial) -> None:
    """Say it a second time: the first is what starts every check."""
    await trial.do("hello", protocol=PROTOCOL)


async def unknown_command(trial: Trial) -> None:
    told = await trial.ask("dance")
    if told.kind != "unsupported":
        raise Wrong(f"answers the unknown command `dance` with {told.error or told.result}; say kind `unsupported`")
    await trial.do("hello", protocol=PROTOCOL)


async def unknown_client(trial: Trial) -> None:
    told = await trial.ask("call", client="nobody", op="getInstance", args={"id": "x"})
    if told.kind != "unknown":
        raise Wrong(f"answers a call of a client that was never made with {told.error or told.result}; say `unknown`")
    told = await trial.ask("worker.stop", id="nobody", mode="drain")
    if told.kind != "unknown":
        raise Wrong(f"answers worker.stop of an unknown worker with {told.error or told.result}; say `unknown`")


async def unknown_operation(trial: Trial) -> None:
    await trial.connect()
    told = await trial.ask("call", client="c", op="dreamUp", args={})
    if told.kind != "unsupported":
        raise Wrong(f"answers the unknown operation dreamUp with {told.error or told.result}; say `unsupported`")


async def calls(trial: Trial) -> None:
    await trial.connect()
    instance = await trial.instance()
    result = await trial.do("call", client="c", op="getInstance", args={"id": instance})
    if result.get("id") != instance:
        raise Wrong(f"hands back {result} for getInstance; the result is what REST answers, with `id` {instance!r}")
    history = await trial.do("call", client="c", op="getInstanceHistory", args={"id": instance})
    if not isinstance(history.get("items"), list):
        raise Wrong("hands back a history without `items`; wrap a bare list as REST does")


async def errors(trial: Trial) -> None:
    await trial.connect()
    told = await trial.ask("call", client="c", op="getInstance", args={"id": "nobody"})
    if told.kind != "not-found":
        raise Wrong(f"tells an unknown instance as {told.kind}, not as `not-found`; map the SDK's errors to kinds")


async def details(trial: Trial) -> None:
    await trial.connect()
    told = await trial.ask("call", client="c", op="uploadDefinition", args={"definition": NO_DEFINITION})
    if told.error is None or not told.error.get("details"):
        raise Wrong(f"tells a refused definition as {told.error or told.result}, without `details`; hand on what the "
                    "SDK's error has of them, or do not claim error-details")  # fmt: skip


async def waits(trial: Trial) -> None:
    await trial.connect()
    wait_s = 1
    fault = {"fault": "status", "operation": "getInstance", "status": 429, "retry_after_s": wait_s, "times": None}
    await trial.stub.plant(fault)
    told = await trial.ask("call", client="c", op="getInstance", args={"id": "x"})
    if told.error is None or told.error.get("retryAfterMs") != wait_s * 1000:
        raise Wrong(f"tells a refusal that says to wait for 1 s as {told.error or told.result}, without `retryAfterMs` "
                    "1000; hand on what the SDK's error has of it, or do not claim retry-after")  # fmt: skip


async def worker(trial: Trial) -> None:
    await trial.start()
    await trial.do("worker.stop", id="w", mode="drain")
    told = await trial.ask("worker.stop", id="w", mode="drain")
    if told.kind != "unknown":
        raise Wrong("knows a worker that has ended; forget it when it ends")


async def returns(trial: Trial) -> None:
    status = await _after(trial, action="return", variables={"b": 2})
    if status["status"] != "COMPLETED" or status["variables"] != {"a": 1, "b": 2}:
        raise Wrong(f"`return` leaves the instance {status['status']} with {status['variables']}; the handler is to "
                    "return the variables")  # fmt: skip


async def fails(trial: Trial) -> None:
    status = await _after(trial, action="fail", message="no luck", retryable=False)
    if status["status"] != "FAILED" or "no luck" not in status.get("failureReason", ""):
        raise Wrong(f"`fail` leaves the instance {status['status']}, reason {status.get('failureReason')!r}; the "
                    "handler is to fail for good with the message")  # fmt: skip


async def throws(trial: Trial) -> None:
    status = await _after(trial, action="throw", message="oh no")
    if status["status"] != "FAILED" or "oh no" not in status.get("failureReason", ""):
        raise Wrong(f"`throw` leaves the instance {status['status']}, reason {status.get('failureReason')!r}; the "
                    "handler is to raise any error with the message")  # fmt: skip


async def hangs(trial: Trial) -> None:
    await trial.start()
    await trial.instance()
    await trial.do("job.reply", token=(await trial.job())["token"], action="hang")
    await trial.do("hello", protocol=PROTOCOL)


async def stops_now(trial: Trial) -> None:
    await trial.start()
    await trial.instance()
    await trial.job()
    await trial.do("worker.stop", id="w", mode="now")


async def answers_meanwhile(trial: Trial) -> None:
    await trial.start()
    await trial.instance()
    event = await trial.job()
    stop = await trial.driver.send("worker.stop", id="w", mode="drain")
    await trial.do("job.reply", token=event["token"], action="return")
    if (told := await trial.driver.answer(stop)).error:
        raise Wrong(f"cannot stop a worker that has a job: {told.error}")


async def resets(trial: Trial) -> None:
    await trial.start()
    await trial.instance()
    await trial.job()
    await trial.do("reset")
    told = await trial.ask("call", client="c", op="getInstance", args={"id": "x"})
    if told.kind != "unknown":
        raise Wrong("still knows its clients after reset; forget clients and workers")


async def says_bye(trial: Trial) -> None:
    await trial.do("bye")
    await _exits(trial, "bye")


async def input_closes(trial: Trial) -> None:
    trial.driver.process.close_input()
    await _exits(trial, "its input has closed")


async def input_closes_at_work(trial: Trial) -> None:
    await trial.start()
    await trial.instance()
    await trial.job()
    trial.driver.process.close_input()
    await _exits(trial, "its input has closed")


async def _exits(trial: Trial, after: str) -> None:
    if not await trial.driver.process.ended(EXIT_S):
        raise Wrong(f"still runs {EXIT_S:g} s after {after}; exit then, whatever threads and workers there are")
    if code := trial.driver.process.returncode:
        raise Wrong(f"exits with {code} after {after}; exit with 0")


async def _after(trial: Trial, **reply: Any) -> Json:
    """Let a handler end, then the worker; return the instance."""
    await trial.start()
    instance = await trial.instance()
    event = await trial.job()
    if event["worker"] != "w" or event["job"]["variables"] != {"a": 1}:
        raise Wrong(f"tells a job of worker {event['worker']!r} with {event['job']['variables']}; it is w's, a is 1")
    await trial.do("job.reply", token=event["token"], **reply)
    await trial.do("worker.stop", id="w", mode="drain")
    return await trial.status(instance)


Check = Callable[[Trial], Awaitable[None]]
Row = tuple[str, tuple[str, ...], Check]

CHECKS: tuple[Row, ...] = (
    ("answers hello with its protocol, name and version", (), hello),
    ("answers an unknown command with unsupported and goes on", (), unknown_command),
    ("answers about unknown clients and workers with unknown", ("instances", "worker"), unknown_client),
    ("answers an unknown operation with unsupported", ("instances",), unknown_operation),
    ("carries out calls and hands back what REST answers", ("instances",), calls),
    ("tells an SDK's error by its kind", ("instances",), errors),
    ("hands on the details of an SDK's error", ("definitions", "error-details"), details),
    ("hands on how long an SDK's error says to wait", ("instances", "retry-after"), waits),
    ("starts and stops a worker", ("worker",), worker),
    ("lets a handler return variables", ("worker",), returns),
    ("lets a handler fail for good", ("worker",), fails),
    ("lets a handler throw", ("worker",), throws),
    ("stays alive while a handler hangs", ("worker",), hangs),
    ("answers other commands while a worker drains", ("worker",), answers_meanwhile),
    ("stops a worker now although its handler waits", ("worker",), stops_now),
    ("forgets everything at reset", ("worker",), resets),
    ("answers bye, then exits with 0", (), says_bye),
    ("exits when its input closes", (), input_closes),
    ("exits when its input closes while a handler waits", ("worker",), input_closes_at_work),
)
"""What a driver promises, the capabilities it takes to try it, and the check."""

__all__ = ["CHECKS", "Checked", "check_driver"]
