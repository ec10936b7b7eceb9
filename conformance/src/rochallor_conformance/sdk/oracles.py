"""What must hold in every case about an SDK, whatever the case is about: judged over what it sent and what it ran.

`ORACLES` is the table: name -> a function of a `Record` that yields sentences.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import msgspec

from rochallor_conformance.contract.operations import operations
from rochallor_conformance.contract.shapes import shape_problems
from rochallor_conformance.sdk.wire import Sent
from rochallor_conformance.transports.exchange import REST, Json

REPORTS = ("completeJob", "failJob")
CANNOT_CARRY = {400, 413, "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}
"""Refusals of a completion that say that its result itself is the problem; only then may it become a failure."""

NO_NUMBER_ASKED = 10
"""How many jobs a poll claims that names no number, or 0; so says the contract."""


class Record(msgspec.Struct, frozen=True):
    """One case: the requests, the job events, each worker's room by its id, what the driver wrote to stderr."""

    sent: list[Sent]
    jobs: list[Json]
    rooms: dict[str, int]
    stderr: str
    secrets: list[str] = []

    def handed_out(self) -> Iterator[tuple[Sent, Json]]:
        """Yield each job that a poll was answered with."""
        for poll in self.sent:
            if poll.operation == "pollJobs" and poll.is_ok and isinstance(poll.response, dict):
                for job in poll.response.get("jobs") or []:
                    yield poll, job


def shapes(record: Record) -> Iterator[str]:
    """Every request is one that the contract knows; what the engine refused may be as wrong as the case wanted it."""
    for each in record.sent:
        if not each.operation or each.args is None:
            yield f"{each.target} is no request of the contract"
        elif (
            each.is_ok
            and each.transport == REST
            and each.body is not None
            and (schema := operations()[each.operation].body_schema)
        ):
            yield from (f"{each.target} request {problem}" for problem in shape_problems(schema, each.body))


def claims(record: Record) -> Iterator[str]:
    """A worker asks for no more jobs than it has room for."""
    for poll in record.sent:
        args = poll.args or {}
        room = record.rooms.get(str(args.get("workerId")))
        if poll.operation != "pollJobs" or room is None:
            continue
        earlier = (job for each, job in record.handed_out() if each.number < poll.number and _same(each, poll))
        claimed = {job["id"] for job in earlier}
        reported = {each.job for each in record.sent if each.number < poll.number}
        free = room - len(claimed - reported)
        asked = args.get("maxJobs") or NO_NUMBER_ASKED
        if asked > free:
            yield f"{args['workerId']} has room for {room} jobs, {free} of it free, and asks for {asked}"


def reports(record: Record) -> Iterator[str]:
    """A report that was acknowledged is not sent again, and no success becomes a failure."""
    by_job: dict[str, list[Sent]] = {}
    for each in record.sent:
        if each.job and each.args is not None and each.args.get("workerId") in record.rooms:
            by_job.setdefault(each.job, []).append(each)
    for job, sent in by_job.items():
        for before, after in pairwise(sent):
            if before.is_ok:
                yield f"{after.operation} for job {job} although its {before.operation} had been acknowledged"
            elif before.operation != after.operation and before.status not in CANNOT_CARRY:
                yield f"{after.operation} for job {job} after a {before.operation} that ended with {before.status}"


def handlers(record: Record) -> Iterator[str]:
    """A job that was handed out is given to one handler, once, and nobody else's is."""
    given = Counter(event["job"]["id"] for event in record.jobs)
    known = {job["id"] for _, job in record.handed_out()}
    for job, times in given.items():
        if times > 1:
            yield f"job {job} was given to a handler {times} times"
        if job not in known:
            yield f"a handler was given job {job}, which the engine did not hand out"


def logs(record: Record) -> Iterator[str]:
    """No token is written to the log: neither a bearer token nor a lease."""
    leases = {str(job["leaseToken"]): "a lease token" for _, job in record.handed_out() if job.get("leaseToken")}
    for secret, name in {**leases, **dict.fromkeys(record.secrets, "the bearer token")}.items():
        line = next((line for line in record.stderr.splitlines() if secret in line), None)
        if line is not None:
            yield f"{name} is in the log: {line.replace(secret, '…')[:200]}"


def bearers(record: Record) -> Iterator[str]:
    """A client that was given a bearer token sends it with every request, and as one."""
    for token in record.secrets:
        right = f"bearer sha256:{hashlib.sha256(token.encode()).hexdigest()[:12]}"
        for each in record.sent:
            if each.credentials != right:
                what = f"with {each.credentials}, not {right}" if each.credentials else "without authorization"
                yield f"{each.target} was sent {what}; each request of a client carries Bearer and its token"


ORACLES: dict[str, Callable[[Record], Iterator[str]]] = {
    "shapes": shapes,
    "claims": claims,
    "reports": reports,
    "handlers": handlers,
    "logs": logs,
    "bearers": bearers,
}


def findings(record: Record) -> Iterator[tuple[str, str]]:
    """Yield the name of an oracle and its sentence for everything that should not be."""
    for name, oracle in ORACLES.items():
        for sentence in oracle(record):
            yield name, sentence


def _same(one: Sent, other: Sent) -> bool:
    return bool((one.args or {}).get("workerId") == (other.args or {}).get("workerId"))


def secrets_in(options: dict[str, Any]) -> list[str]:
    """Return what of a client's options nobody may see."""
    return [str(options["token"])] if "token" in options else []


__all__ = ["ORACLES", "Record", "findings", "secrets_in"]
