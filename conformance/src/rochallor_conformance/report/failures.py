"""A failure in words and commands: what was asked for, what was there, and how to see it again by hand."""

from __future__ import annotations

import json
import shlex
from typing import Any

from rochallor_conformance.cases.book import Book
from rochallor_conformance.cases.model import Case
from rochallor_conformance.contract.operations import SERVICE, operations
from rochallor_conformance.transports.exchange import GRPC, Exchange
from rochallor_conformance.verdict import Address, Verdict

LAST = 5
LONGEST = 600


def failure_of(case: Case, verdict: Verdict, book: Book, address: Address, target: str) -> dict[str, Any]:
    """Return the report's `failure` of a verdict that failed."""
    transport = verdict.exchanges[-1].transport if verdict.exchanges else case.transports[0]
    return {
        **described(case, verdict, book),
        "command": command_of(verdict.exchanges[-1], address) if verdict.exchanges else "",
        "repro": f"rochallor-conformance repro {shlex.quote(case.name)} --target engine:{target} "
        f"--transport {transport}",
    }


def described(case: Case, verdict: Verdict, book: Book) -> dict[str, Any]:
    """Return what of a failure does not depend on who is judged."""
    assert verdict.found is not None
    return {
        "where": verdict.where,
        "message": verdict.found.message,
        "expected": _plain(verdict.found.expected),
        "actual": _plain(verdict.found.actual),
        "requirements": [f"{name}: {book.requirements[name].text}" for name in case.spec if name in book.requirements],
        "exchanges": [line_of(exchange) for exchange in verdict.exchanges[-LAST:]],
    }


def line_of(exchange: Exchange) -> str:
    """Return an exchange as one line."""
    sent = f" {_cut(exchange.request)}" if exchange.request is not None else ""
    back = f" {_cut(exchange.response)}" if exchange.response is not None else ""
    return f"{exchange.number}. {exchange.target}{sent} → {exchange.status}{back}"


def command_of(exchange: Exchange, address: Address) -> str:
    """Return the command that sends a request again: curl, or grpcurl."""
    token = ["-H", "authorization: Bearer $TOKEN"] if "authorization" in exchange.request_headers else []
    if exchange.transport == GRPC:
        rpc = f"{SERVICE.full_name}/{operations()[exchange.operation].rpc}"
        return shlex.join(["grpcurl", "-plaintext", *token, "-d", exchange.wire or "{}", address.grpc, rpc])
    method, _, path = exchange.target.partition(" ")
    kept = {name: text for name, text in exchange.request_headers.items() if name != "authorization"}
    headers = [part for name, text in kept.items() for part in ("-H", f"{name}: {text}")]
    body = ["-d", exchange.wire] if exchange.wire else []
    return shlex.join(["curl", "-sS", "-X", method, *token, *headers, *body, address.rest + path])


def _cut(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _plain(value: Any) -> Any:
    """Return a value as JSON can carry it, short enough for a report."""
    text = json.dumps(value, default=repr)
    return json.loads(text) if len(text) <= LONGEST else f"{text[:LONGEST]}…"
