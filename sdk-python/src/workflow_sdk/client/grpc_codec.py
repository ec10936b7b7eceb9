"""Between the operation table and protobuf messages, for both gRPC clients. Nothing here opens a channel."""

from __future__ import annotations

import logging
from typing import Any

from rochallor_proto import engine_pb2

from workflow_sdk.client.messages import set_field, to_dict, to_message
from workflow_sdk.errors import EngineClientError, InvalidVariables, NotOffered
from workflow_sdk.operation import TOO_DEEP, Args, Operation, to_json

_log = logging.getLogger("workflow_sdk")

# A history or a definition may be larger than the 4 MiB that gRPC accepts by default.
OPTIONS = (("grpc.max_receive_message_length", 64 * 1024 * 1024),)
WITH_JOBS = frozenset({"poll_jobs", "report_jobs"})


class Codec:
    """Makes requests and reads responses, and remembers what it has seen of the engine at the other end."""

    def __init__(self) -> None:
        # An older engine skips variables_json as an unknown field and the result would be lost, so it is used only
        # once this engine has shown that it knows lease tokens.
        self._reads_json = False

    def request(self, operation: Operation, args: Args) -> Any:
        """Return the request message.

        Raises:
            NotOffered: the operation has no gRPC half.
            InvalidVariables: a value cannot travel.

        """
        if not operation.rpc:
            raise NotOffered(501, f"{operation.name} has no gRPC half; use complete_user_task_step")
        request = getattr(engine_pb2, f"{operation.rpc}Request")()
        fields = request.DESCRIPTOR.fields_by_name
        for param in operation.params:
            value = args.get(param.arg)
            if value is None or value == "":
                continue
            if param.arg == "definition":
                to_message(request.definition, value)
            elif param.proto_name == "variables_to_set" and (self._reads_json or args.get("lease_token")):
                request.variables_json = to_json(value)
            else:
                _set(request, fields[param.proto_name], value, f"/{param.rest_name}")
        if operation.name == "poll_jobs":
            request.json_variables = True
        elif operation.name == "report_jobs" and args.get("poll"):
            request.poll.json_variables = True
        return request

    def answer(self, operation: Operation, response: Any) -> dict[str, Any]:
        """Return the response as the JSON that REST would have answered."""
        answer = to_dict(response)
        if operation.unwrap:
            inner: dict[str, Any] = answer.get(operation.unwrap, {})
            return inner
        if operation.items:
            answer["items"] = answer.pop(operation.items, [])
        if operation.name in WITH_JOBS:
            self._reads_json = self._reads_json or any(job.lease_token for job in response.jobs)
        return answer


def _set(request: Any, field: Any, value: Any, at: str) -> None:
    try:
        set_field(request, field, value, at)
    except RecursionError:
        raise InvalidVariables(f"{at}: {TOO_DEEP}") from None


def bare_jobs(response: Any) -> list[Any]:
    """Return the jobs of a response that came without variables, as those of some older engines do."""
    return [job for job in response.jobs if not (job.lease_token or job.variables_json or job.HasField("variables"))]


def complete_jobs(answer: dict[str, Any], found: dict[str, Any]) -> None:
    """Put variables into the jobs that came without; `found` is job id -> variables, or the error that came instead."""
    jobs: list[dict[str, Any]] = []
    for job in answer.get("jobs", []):
        variables = found.get(job["id"], job.get("variables"))
        if isinstance(variables, EngineClientError):
            # Running it on an empty map would be wrong; its lease ends and it comes again.
            _log.warning("job %s came without variables and they cannot be read: %s", job["id"], variables)
        else:
            jobs.append({**job, "variables": variables})
    answer["jobs"] = jobs
