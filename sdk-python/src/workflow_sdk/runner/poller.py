"""Claims jobs: exactly as many as there are free slots, as soon as there are any."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workflow_sdk.client.base import offers

if TYPE_CHECKING:
    from workflow_sdk.handler.registry import HandlerRegistry
    from workflow_sdk.runner.pace import Pace, Rest
    from workflow_sdk.runner.slots import Slots
    from workflow_sdk.runner.stop import Stop
    from workflow_sdk.runner.timing import Timing

_log = logging.getLogger("workflow_sdk")

# The caller's stop event is any object with is_set(), so it is looked at this often instead of being waited on.
LOOK_SECONDS = 0.05
MOST_PER_POLL = 1000


@dataclass(frozen=True)
class PollOptions:
    """What a poll asks for beside jobs: a hold of `wait_ms` and a lease of `lease_seconds`; 0 = the engine's choice.

    They are sent only through a client of ours, because others do not know the arguments.
    """

    wait_ms: int = 0
    lease_seconds: int = 0


class Poller:
    """Polls for one worker and hands every job to `submit`, which gives its slot back when it is reported."""

    def __init__(
        self,
        client: Any,
        registry: HandlerRegistry,
        worker_id: str,
        *,
        slots: Slots,
        pace: Pace,
        submit: Callable[[dict[str, Any]], object],
        timing: Timing,
        options: PollOptions,
        on_polled: Callable[[float, int], object],
    ) -> None:
        self._client = client
        self._registry = registry
        self._worker_id = worker_id
        self._slots = slots
        self._pace = pace
        self._submit = submit
        self._timing = timing
        self._on_polled = on_polled
        ours = offers(client, "poll_jobs")
        self._wait_seconds = options.wait_ms / 1000 if ours else 0.0
        asked = {"wait_ms": options.wait_ms, "lease_seconds": options.lease_seconds}
        self._extras = {name: value for name, value in asked.items() if ours and value > 0}

    def run(self, stop: Stop) -> None:
        """Poll until `stop` is set. A poll under way is finished first: what it claims must not be forgotten."""
        while not stop.is_set():
            since = self._slots.given_back
            free = min(self._slots.free(), MOST_PER_POLL)
            if free:
                self._rest(self.poll(free), since, stop)
            else:
                self._slots.wait_for_change(since, LOOK_SECONDS)

    def poll(self, free: int) -> Rest:
        """Poll once for at most `free` jobs and hand them on; return how long to rest."""
        job_types = self._registry.job_types()
        if not job_types:
            _log.error("no handler is registered, so there is nothing to poll for; register one on the registry")
            return self._pace.after_error(None)
        began = self._timing.monotonic()
        try:
            jobs = list(self._client.poll_jobs(self._worker_id, job_types, max_jobs=free, **self._extras) or ())
        except Exception as error:  # noqa: BLE001 - the client may be anybody's, and a worker outlives its engine
            return self._after_error(error)
        took = self._timing.monotonic() - began
        self._on_polled(took, len(jobs))
        self._slots.take(len(jobs))
        for job in jobs:
            self._submit(job)
        return self._pace.after_answer(asked=free, got=len(jobs), wait_seconds=self._wait_seconds, took_seconds=took)

    def _after_error(self, error: Exception) -> Rest:
        rest = self._pace.after_error(getattr(error, "retry_after", None))
        count = self._pace.errors
        if count & (count - 1) == 0:  # the 1st, 2nd, 4th, 8th ...: an outage must not fill the log
            _log.warning("poll failed (%d in a row), next try in %.2f s: %s", count, rest.seconds, error)
        return rest

    def _rest(self, rest: Rest, since: int, stop: Stop) -> None:
        ends_at = self._timing.monotonic() + rest.seconds
        while not stop.is_set():
            left = ends_at - self._timing.monotonic()
            if left <= 0:
                return
            if rest.ends_with_a_slot:
                if self._slots.wait_for_change(since, min(left, LOOK_SECONDS)):
                    return
            else:
                stop.wait(min(left, LOOK_SECONDS))
