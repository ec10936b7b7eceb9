"""The mock engine over REST: just the HTTP/1.1 that pollers and reporters speak, with bodies that are ready made."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

from bench.sdk.ledger import Given, Ledger
from bench.sdk.modes import JOB_TYPE

_JOB = (
    b'{"id":"%b","jobType":"' + JOB_TYPE.encode() + b'","instanceId":"instance-1","stepId":"step-1",'
    b'"stepExecutionId":"exec-%b","retriesRemaining":3,"lockExpiresAt":"2099-01-01T00:00:00Z",'
    b'"variables":{"customer":"c-1","amount":1200,"atNs":%d}%b}'
)
_OURS = b',"leaseToken":"token-1","attempt":1,"definitionId":"bench","definitionVersion":1'
_OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\ncontent-length: 18\r\n\r\n404 page not found"
_BEFORE_ID, _AFTER_ID = len("/v1/jobs/"), -len("/complete")


class RestEngine(asyncio.Protocol):
    """One connection.

    Args:
        ledger: all connections share it.
        ours: whether it takes reports together and gives lease tokens.

    """

    def __init__(self, ledger: Ledger, *, ours: bool) -> None:
        self._ledger = ledger
        self._ours = ours
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._held: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass

    def connection_lost(self, error: Exception | None) -> None:
        """Let nobody wait for a caller that is gone."""
        del error
        for task in self._held:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._buffer += data
        while True:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            at = head.lower().find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            self._answer(head.split(b" ", 2)[1].decode(), rest[:length])

    def _answer(self, path: str, body: bytes) -> None:
        if path == "/v1/jobs/poll":
            asked = json.loads(body)
            if self._ledger.may_wait:
                task = asyncio.get_running_loop().create_task(self._answer_later(asked))
                self._held.add(task)
                task.add_done_callback(self._held.discard)
            else:
                self._ok(b'{"jobs":[%b]}' % self._jobs(self._ledger.claim(asked["maxJobs"])))
        elif path == "/v1/jobs/report" and self._ours:
            self._ok(self._report(json.loads(body)))
        elif path.endswith("/complete"):
            self._ledger.complete([path[_BEFORE_ID:_AFTER_ID]])
            self._ok(b"{}")
        elif path == "/figures":
            self._ok(json.dumps(self._ledger.figures()).encode())
        else:
            self._ledger.failed += path.endswith("/fail")
            self._send(_NOT_FOUND)

    def _report(self, asked: dict[str, Any]) -> bytes:
        outcomes = asked["outcomes"]
        done = [outcome["jobId"] for outcome in outcomes if "completed" in outcome]
        self._ledger.complete(done)
        self._ledger.failed += sum("failed" in outcome for outcome in outcomes)
        results = b",".join([b'{"jobId":"%b","status":"ACCEPTED"}' % outcome["jobId"].encode() for outcome in outcomes])
        poll = asked.get("poll")
        given = self._ledger.claim(poll["maxJobs"]) if poll and not self._ledger.may_wait else []
        return b'{"results":[%b],"jobs":[%b]}' % (results, self._jobs(given))

    async def _answer_later(self, asked: dict[str, Any]) -> None:
        self._ok(b'{"jobs":[%b]}' % self._jobs(await self._ledger.claim_held(asked.get("waitMs", 0))))

    def _jobs(self, given: list[Given]) -> bytes:
        tail = _OURS if self._ours else b""
        return b",".join([_JOB % (job_id.encode(), job_id.encode(), at_ns, tail) for job_id, at_ns in given])

    def _ok(self, body: bytes) -> None:
        self._send(_OK % (len(body), body))

    def _send(self, answer: bytes) -> None:
        assert self._transport is not None
        self._transport.write(answer)
