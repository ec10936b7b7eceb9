"""What an SDK sent, as the stub's journal has it: the same arguments by REST's names, whichever transport it took."""

from __future__ import annotations

import re
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
from google.protobuf.json_format import ParseDict, ParseError
from rochallor_proto import contract

from rochallor_conformance.contract.operations import Operation, operations, resolve
from rochallor_conformance.transports.exchange import GRPC, Exchange, Json
from rochallor_conformance.transports.messages import to_args

HARNESS_HEADER = "x-rochallor-harness"
OK_BELOW = 400


class Sent(msgspec.Struct, kw_only=True, frozen=True):
    """One request of the SDK. `args` is None when the request says nothing that the contract knows."""

    number: int
    transport: str
    operation: str
    target: str
    args: Json | None
    body: Any
    headers: dict[str, str]
    status: int | str | None
    response: Any
    outcome: str
    faults: list[str]
    credentials: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether the SDK was told that it succeeded."""
        done = self.status == "OK" or (isinstance(self.status, int) and self.status < OK_BELOW)
        return done and self.outcome == "answered" and "garbage" not in self.faults

    @property
    def job(self) -> str:
        """The id of the job that it reports on by itself; "" when it is something else."""
        return str((self.args or {}).get("id", "")) if self.operation in ("completeJob", "failJob") else ""

    def shown(self, *, headers: bool) -> Json:
        """Return it as a case's `requests` see it; few look at headers, and a report is read by people."""
        facts = {"args": self.args, "status": self.status, "outcome": self.outcome, "faults": self.faults}
        return {**facts, "headers": self.headers} if headers else facts

    def exchange(self) -> Exchange:
        """Return it as the report shows exchanges."""
        request = self.body if self.transport != GRPC else self.args
        return Exchange(
            number=self.number,
            transport=self.transport,
            operation=self.operation,
            target=self.target,
            request=request,
            status=self.status if self.outcome == "answered" else self.outcome,
            response=self.response,
            is_ok=self.is_ok,
        )


def sent_by_sdk(journal: list[Json]) -> list[Sent]:
    """Return the SDK's requests out of a journal, in the order of arrival; the harness marks its own."""
    entries = [_sent(entry) for entry in journal]
    return [entry for entry in entries if HARNESS_HEADER not in entry.headers]


def _sent(entry: Json) -> Sent:
    over_grpc = entry["transport"] == GRPC
    operation = operations().get(entry["operation"])
    return Sent(
        number=entry["number"],
        transport=entry["transport"],
        operation=entry["operation"],
        target=entry["path"] if over_grpc else f"{entry['method']} {entry['path']}",
        args=None if operation is None else (_of_grpc if over_grpc else _of_rest)(operation, entry),
        body=entry["request"],
        headers={name.lower(): value for name, value in entry["requestHeaders"]},
        status=entry["status"],
        response=entry["response"],
        outcome=entry["outcome"],
        faults=list(entry["faults"]),
        credentials=entry["credentials"],
    )


def _of_grpc(operation: Operation, entry: Json) -> Json | None:
    try:
        return to_args(ParseDict(entry["request"] or {}, operation.request_type()))
    except ParseError:
        return None


def _of_rest(operation: Operation, entry: Json) -> Json | None:
    url = urlsplit(entry["path"])
    found = re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", operation.path), url.path)
    if found is None:
        return None
    args: Json = {name: unquote(text) for name, text in found.groupdict().items()}
    kinds = _kinds(operation.id)
    for name, texts in parse_qs(url.query, keep_blank_values=True).items():
        values = [_typed(text, kinds.get(name, "")) for text in texts]
        args[name] = values if kinds.get(name) == "array" else values[-1]
    headers = {name.lower(): text for name, text in entry["requestHeaders"]}
    for name, place in operation.places.items():
        if place == "header" and name.lower() in headers:
            args[name] = _typed(headers[name.lower()].strip('"'), "integer")
        elif place == "path" and kinds.get(name) == "integer":
            args[name] = _typed(args[name], "integer")
    if operation.whole_body:
        args[operation.whole_body] = entry["request"]
    elif isinstance(entry["request"], dict):
        args |= entry["request"]
    return args


def _typed(text: str, kind: str) -> Any:
    return int(text) if kind == "integer" and text.lstrip("-").isdecimal() else text


@cache
def _kinds(operation: str) -> dict[str, str]:
    """Return the JSON type of each parameter."""
    found = operations()[operation]
    raw = contract("openapi")["paths"][found.path][found.method.lower()]
    parameters = [resolve(each) for each in raw.get("parameters", [])]
    return {each["name"]: resolve(each["schema"]).get("type", "") for each in parameters}
