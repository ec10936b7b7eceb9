"""Keeps the leases of jobs under way, and notices when one is lost.

A lease is extended when a third of it has gone by, for as long as the job is under way, its report included. One that
cannot be extended any more is lost: the handler is told, and its result is not reported, because by then another worker
may have the job. Engines that cannot extend (none of the first generation can) are left alone: there a result is
reported however late it is, and the engine decides.

The keeper runs on a thread and over a connection of its own (`Heart`), so that a handler that blocks the worker's loop
costs no lease.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workflow_sdk.errors import NotOffered
from workflow_sdk.worker.ports import Port

if TYPE_CHECKING:
    from workflow_sdk.worker.claimed import Claimed
    from workflow_sdk.worker.timing import Timing

_log = logging.getLogger("workflow_sdk")

DEFAULT_SECONDS = 30
"""What an engine grants when nothing else is asked for."""
MOST_TOGETHER = 200
_TRY_AGAIN_SECONDS = 1.0


@dataclass(slots=True)
class _Lease:
    claimed: Claimed
    ends_at: float


class Leases:
    """The leases of one worker. `hold` and `drop` are for the worker's thread, `run` is for the keeper's.

    Args:
        seconds: how long a lease is that was just given or extended.
        timing: time; must be the same on both threads.

    """

    def __init__(self, seconds: float, timing: Timing) -> None:
        self._seconds = seconds
        self._timing = timing
        self._held: dict[str, _Lease] = {}  # both threads change it, by single operations only
        self._can_extend = True

    def hold(self, claimed: Claimed) -> None:
        """Keep a job's lease from now on, if the engine gave it a token to do that with."""
        if claimed.job.get("leaseToken") and self._can_extend:
            self._held[claimed.job["id"]] = _Lease(claimed, self._timing.monotonic() + self._seconds)

    def drop(self, claimed: Claimed) -> None:
        """Keep it no longer: the job is reported."""
        self._held.pop(claimed.job.get("id", ""), None)

    async def run(self, port: Port) -> None:
        """Extend leases until cancelled."""
        pause = self._seconds / 6
        while self._can_extend:
            await asyncio.sleep(self._next_look(pause))
            pause = await self.look(port)

    async def look(self, port: Port) -> float:
        """Extend what is due and give up what has run out; return how long to sleep at most before the next look."""
        now = self._timing.monotonic()
        held = list(self._held.values())
        for lease in held:
            if lease.ends_at <= now:
                self._lose(lease, "the lease ran out before it could be extended")
        due = [lease for lease in held if now < lease.ends_at <= now + self._seconds * 2 / 3]
        went_well = True
        for first in range(0, len(due), MOST_TOGETHER):
            went_well &= await self._extend(port, due[first : first + MOST_TOGETHER])
        return self._seconds / 6 if went_well else min(_TRY_AGAIN_SECONDS, self._seconds / 6)

    def _next_look(self, pause: float) -> float:
        """Return seconds to sleep: until a lease ends, if that comes first."""
        now = self._timing.monotonic()
        soonest = min((lease.ends_at for lease in list(self._held.values())), default=now + pause)
        return max(0.0, min(pause, soonest - now))

    async def _extend(self, port: Port, leases: Sequence[_Lease]) -> bool:
        asked_at = self._timing.monotonic()
        wish = {"leaseSeconds": max(1, round(self._seconds))}
        outcomes = [
            {"jobId": each.claimed.job["id"], "leaseToken": each.claimed.job["leaseToken"], "extend": wish}
            for each in leases
        ]
        try:
            answer = await port.report(outcomes)
        except NotOffered:
            self._can_extend = False
            _log.warning("this engine cannot extend leases: a handler that takes longer than its lease may run twice")
            return True
        except Exception as error:  # noqa: BLE001 - the lease has time left, and the next look tries again
            _log.warning("%d leases could not be extended yet: %s", len(leases), error)
            return False
        for lease, result in zip(leases, answer["results"], strict=False):
            self._extended(lease, result, asked_at + self._seconds)
        return True

    def _extended(self, lease: _Lease, result: Mapping[str, Any], ends_at: float) -> None:
        if result.get("status") == "ACCEPTED":
            lease.ends_at = ends_at
        else:
            self._lose(lease, "the engine has given the job to somebody else")

    def _lose(self, lease: _Lease, reason: str) -> None:
        known = self._held.pop(lease.claimed.job["id"], None)
        if known is lease:  # else it was reported meanwhile
            _log.warning("the lease of job %s is lost: %s", lease.claimed.job["id"], reason)
            lease.claimed.lose(reason)
