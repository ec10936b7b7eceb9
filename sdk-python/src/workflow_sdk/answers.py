"""How an answer of the engine is read: two generations of engines in, one shape out.

The older generation answers `null` where a list is empty, history with capitalised field names, and pages without
their page number. Readers are total over what both send and pure. gRPC answers pass through the same readers after
they were turned into REST's JSON, so a caller cannot tell which way an answer came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflow_sdk.json_types import is_dict

Args = Mapping[str, Any]
Json = dict[str, Any]

_OLD_HISTORY_NAMES = {
    "ID": "id",
    "InstanceID": "instanceId",
    "StepID": "stepId",
    "StepType": "stepType",
    "AttemptNumber": "attemptNumber",
    "Status": "status",
    "StartedAt": "startedAt",
    "EndedAt": "endedAt",
    "FailureReason": "failureReason",
    "Input": "input",
    "Output": "output",
}
_SUMMARY = ("id", "version", "name", "description", "uploadedAt")


def plain(answer: Any, args: Args) -> Json:
    """Return the object as it came."""
    del args
    return dict(answer or {})


def nothing(answer: Any, args: Args) -> None:
    """Return None: success has no content."""


def uploaded(answer: Any, args: Args) -> Json:
    """Return `{id, version, name, description?, uploadedAt, warnings?}`; gRPC leaves the texts to who sent them."""
    sent = args["definition"]
    texts = {key: sent[key] for key in ("name", "description") if sent.get(key)}
    return {**texts, **plain(answer, args)}


def instance(answer: Any, args: Args) -> Json:
    """Return an instance whose `variables` and `currentStepIds` are never null."""
    result = plain(answer, args)
    result["variables"] = result.get("variables") or {}
    result["currentStepIds"] = result.get("currentStepIds") or []
    return result


def awaited(answer: Any, args: Args) -> Json:
    """Return `{instance, reached}`."""
    return {"instance": instance(answer.get("instance"), args), "reached": bool(answer.get("reached"))}


def items(answer: Any, args: Args) -> list[Json]:
    """Return the bare list, whether it came wrapped, bare or null."""
    del args
    found = answer.get("items") if is_dict(answer) else answer
    return list(found or [])


def history(answer: Any, args: Args) -> list[Json]:
    """Return step executions in entry order, under the names of today."""
    return [_step_execution(item) for item in items(answer, args)]


def _step_execution(item: Json) -> Json:
    named = {_OLD_HISTORY_NAMES.get(key, key): value for key, value in item.items()}
    return {key: value for key, value in named.items() if value is not None and value != ""}


def page(answer: Any, args: Args) -> Json:
    """Return `{items, page, pageSize, total}`; what an engine leaves out is what was asked for."""
    found = items(answer, args)
    facts = answer if is_dict(answer) else {}
    asked = {"page": args.get("page") or 0, "pageSize": args.get("page_size") or 20, "total": len(found)}
    return {**asked, **facts, "items": found}


def definition_page(answer: Any, args: Args) -> Json:
    """Return a page of summaries: gRPC sends whole definitions, REST only what a list shows."""
    result = page(answer, args)
    result["items"] = [{key: item[key] for key in _SUMMARY if key in item} for item in result["items"]]
    return result


def instance_page(answer: Any, args: Args) -> Json:
    """Return a page of instances."""
    result = page(answer, args)
    result["items"] = [instance(item, args) for item in result["items"]]
    return result


def jobs(answer: Any, args: Args) -> list[Json]:
    """Return the claimed jobs, each with a map of variables."""
    del args
    found: list[Json] = (answer.get("jobs") if is_dict(answer) else answer) or []
    return [{**job, "variables": job.get("variables") or {}} for job in found]


def report(answer: Any, args: Args) -> Json:
    """Return `{results, jobs}`."""
    return {"results": list(answer.get("results") or []), "jobs": jobs(answer, args)}
