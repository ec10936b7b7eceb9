"""Live ids for a fuzzer: things of the engine that really exist, in the states that an operation wants to meet.

`SITUATIONS` is the table: for each operation the states that it may find, and the arguments that lead there. Without
it nearly every generated request ends at 404 and nothing behind is tested. An operation that is missing there is met
with generated ids only, and the table of statuses shows it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import httpx

Json = dict[str, Any]
Make = Callable[["World"], Json]
WORKER, TYPE = "fuzz-worker", "fuzz-job"
END: Json = {"id": "end", "name": "end", "type": "END"}
DEFINITIONS: dict[str, list[Json]] = {
    "work": [{"id": "do", "name": "do", "type": "SERVICE_TASK", "jobType": TYPE, "nextStep": "end"}, END],
    "ask": [{"id": "ask", "name": "ask", "type": "USER_TASK", "nextStep": "end"}, END],
    "park": [{"id": "park", "name": "park", "type": "WAIT", "nextStep": "end"}, END],
    "bare": [END],
}


class World:
    """What the fuzzer has made in an engine. `nonce` makes its names unique there."""

    def __init__(self, http: httpx.Client, nonce: str = "") -> None:
        self.http = http
        self.nonce = nonce or secrets.token_hex(4)

    def definition(self, kind: str) -> Json:
        """Return a definition of a kind, in the words of an upload; the same each time."""
        steps = [{**step, **({"jobType": self.job_type} if "jobType" in step else {})} for step in DEFINITIONS[kind]]
        return {"id": f"{kind}-{self.nonce}", "name": kind, "steps": steps}

    @property
    def job_type(self) -> str:
        """The type of the jobs that are made here."""
        return f"{TYPE}-{self.nonce}"

    def uploaded(self, kind: str) -> str:
        """Return the id of a definition that is there."""
        return str(self._post("/v1/definitions", self.definition(kind))["id"])

    def started(self, kind: str, **more: Any) -> Json:
        """Return a new instance of a kind."""
        found: Json = self._post("/v1/instances", {"definitionId": self.uploaded(kind), **more})
        return found

    def polled(self) -> Json:
        """Return a job that is held by `WORKER`."""
        self.started("work")
        return self._poll()

    def failed(self) -> Json:
        """Return an instance whose only step failed."""
        job = self.polled()
        self._post(f"/v1/jobs/{job['id']}/fail", {"workerId": WORKER, "retryable": False, "errorMessage": "no"})
        found: Json = self.http.get(f"/v1/instances/{job['instanceId']}").raise_for_status().json()
        return found

    def cancelled(self, kind: str) -> str:
        """Return the id of an instance that was cancelled where it waited."""
        instance = str(self.started(kind)["id"])
        self._post(f"/v1/instances/{instance}/cancel", {"reason": "no"})
        return instance

    def _poll(self) -> Json:
        body = {"workerId": WORKER, "jobTypes": [self.job_type], "maxJobs": 1}
        found: Json = self._post("/v1/jobs/poll", body)["jobs"][0]
        return found

    def _post(self, path: str, body: Json) -> Any:
        answer = self.http.post(path, json=body).raise_for_status()
        return answer.json() if answer.content else None


def _job(world: World) -> Json:
    job = world.polled()
    return {"id": job["id"], "workerId": WORKER, "leaseToken": job["leaseToken"]}


def _outcome(world: World, part: str, fields: Json) -> Json:
    job = world.polled()
    return {"workerId": WORKER, "outcomes": [{"jobId": job["id"], "leaseToken": job["leaseToken"], part: fields}]}


def _ended(**more: Any) -> Make:
    return lambda world: {"id": world.started("bare")["id"], **more}


def _same_key(world: World) -> Json:
    key = secrets.token_hex(6)
    world.started("park", businessKey=key)
    return {"definitionId": world.uploaded("park"), "businessKey": key}


def _seen_to_the_end(world: World) -> Json:
    instance = world.started("bare")
    return {"id": instance["id"], "afterRevision": instance["revision"], "Last-Event-ID": None}


def _failed_step(world: World) -> Json:
    return {"id": world.failed()["id"], "stepId": "do", "If-Match": None}


SITUATIONS: dict[str, tuple[Make, ...]] = {
    "uploadDefinition": (
        lambda world: {"id": f"new-{secrets.token_hex(4)}", "name": "n", "steps": world.definition("ask")["steps"]},
        lambda world: world.definition("work"),
    ),
    "getDefinition": (lambda world: {"id": world.uploaded("work")},),
    "getDefinitionVersion": (lambda world: {"id": world.uploaded("ask"), "version": 1},),
    "startInstance": (
        lambda world: {"definitionId": world.uploaded("park"), "definitionVersion": None, "businessKey": None},
        _same_key,
    ),
    "getInstance": (_ended(), lambda world: {"id": world.started("park")["id"]}),
    "getInstanceHistory": (_ended(), lambda world: {"id": world.started("park")["id"]}),
    "cancelInstance": (lambda world: {"id": world.started("park")["id"], "If-Match": None}, _ended()),
    "retryStep": (_failed_step, _ended(stepId="end")),
    "awaitInstance": (_ended(), lambda world: {"id": world.started("park")["id"]}),
    "watchInstance": (_ended(**{"afterRevision": 0, "Last-Event-ID": None}), _seen_to_the_end),
    "getInstanceAudit": (_ended(),),
    "completeUserTask": (
        lambda world: {"instanceId": world.started("ask")["id"], "stepId": "ask", "If-Match": None},
        lambda world: {"instanceId": world.started("park")["id"], "stepId": "park", "If-Match": None},
        lambda world: {"instanceId": world.cancelled("ask"), "stepId": "ask", "If-Match": None},
    ),
    "signalWait": (
        lambda world: {"instanceId": world.started("park")["id"], "waitStepId": "park", "If-Match": None},
        lambda world: {"instanceId": world.cancelled("park"), "waitStepId": "park", "If-Match": None},
    ),
    "pollJobs": (lambda world: {"workerId": WORKER, "jobTypes": [world.started("work") and world.job_type]},),
    "completeJob": (_job,),
    "failJob": (_job,),
    "reportJobs": (
        lambda world: _outcome(world, "completed", {"variables": {}}),
        lambda world: _outcome(world, "failed", {"errorMessage": "no", "retryable": False}),
        lambda world: _outcome(world, "extend", {"leaseSeconds": 60}),
    ),
}
"""Operation → the states it may meet. A value of None takes a generated argument away."""
