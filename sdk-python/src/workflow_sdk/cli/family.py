"""`--processes` and `--reload`: starts worker processes, replaces those that die, ends them in good order.

Belongs here: when a process is started and ended. It imports nothing of the application and serves no job, so that
nothing the application does can bring it down.
"""

from __future__ import annotations

import logging
import math
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from workflow_sdk.cli.changes import Changes
from workflow_sdk.cli.failures import FAILED, FINE, USAGE
from workflow_sdk.cli.gathered import Member, gathered
from workflow_sdk.cli.health import announce, listen, served
from workflow_sdk.cli.logs import set_up_logging
from workflow_sdk.cli.options import Settings
from workflow_sdk.cli.processes import Process, Start, starter
from workflow_sdk.cli.stopping import Stopping
from workflow_sdk.retry import backoff
from workflow_sdk.worker.settings import DEFAULT_SHUTDOWN_SECONDS

_log = logging.getLogger("workflow_sdk.cli")

Steps = tuple[tuple[float, signal.Signals], ...]

TICK_SECONDS = 0.1
LOOK_SECONDS = 1.0
# A process that lived so long was healthy: its death is a first one.
HEALTHY_SECONDS = 60.0
# Backoff begins at a tenth of a second; starting Python takes longer than that.
FIRST_ATTEMPT = 2
# What a stopped process may need beside the time that its handlers get: its last poll, reports, exit hooks.
GRACE_SECONDS = 30.0
# How a process is ended: after so many seconds this signal. A second SIGTERM means: do not wait for handlers.
TO_RELOAD: Steps = ((0.0, signal.SIGTERM), (3.0, signal.SIGTERM), (15.0, signal.SIGKILL))


@dataclass
class Place:
    """One of the N workers: its process, or when it gets one."""

    number: int
    process: Process | None = None
    since: float = 0.0
    deaths: int = 0
    due: float = 0.0
    leaving_since: float | None = None
    steps: Steps = ()

    def leave(self, steps: Steps, now: float) -> None:
        """Begin to end the process, in these steps."""
        self.leaving_since, self.steps = now, steps
        self.urge(now)

    def urge(self, now: float) -> None:
        """Send the process the signals that are due by now."""
        assert self.process is not None
        assert self.leaving_since is not None
        while self.steps and now - self.leaving_since >= self.steps[0][0]:
            (_, number), *rest = self.steps
            self.steps = tuple(rest)
            self.process.send_signal(number)


class Family:
    """Keeps every place filled until it is told to stop.

    Args:
        count: how many places.
        start: starts the process of a place.
        stop: when to end.
        shutdown_timeout: how long a process waits for its handlers when it is stopped, seconds.
        look: returns the files that have changed; None when nobody wants to know.
        monotonic: seconds, for tests.
        pause: waits so many seconds, for tests.
        delay: seconds to pause after death number n, from 0, for tests.

    """

    def __init__(
        self,
        count: int,
        start: Start,
        stop: Stopping,
        *,
        shutdown_timeout: float = DEFAULT_SHUTDOWN_SECONDS,
        look: Callable[[], list[str]] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] = time.sleep,
        delay: Callable[[int], float] = backoff.delay,
    ) -> None:
        self.places = [Place(number) for number in range(count)]
        self._start = start
        self._stop = stop
        self._to_stop: Steps = ((0.0, signal.SIGTERM), (shutdown_timeout + GRACE_SECONDS, signal.SIGKILL))
        self._look = look
        self._monotonic = monotonic
        self._pause = pause
        self._delay = delay
        self._looked = monotonic()
        self._hopeless = False

    def run(self) -> int:
        """Look after the processes until told to stop and all have ended; return the exit code."""
        while not (self._stop.is_set() or self._hopeless):
            self._reload_if_changed()
            for place in self.places:
                self._tend(place)
            self._pause(TICK_SECONDS)
        return self._end()

    def _tend(self, place: Place) -> None:
        now = self._monotonic()
        if place.process is None:
            if now >= place.due:
                self._fill(place, now)
            return
        code = place.process.poll()
        if code is None:
            if place.leaving_since is not None:
                place.urge(now)
            return
        place.process = None
        if place.leaving_since is not None:
            place.leaving_since, place.deaths, place.due = None, 0, now
        elif code == USAGE:
            self._give_up_on(place)
        else:
            self._replace_later(place, code, now)

    def _fill(self, place: Place, now: float) -> None:
        place.since = now
        try:
            place.process = self._start(place.number)
        except OSError as error:  # no memory or no process left on the machine: that may pass, the other workers stay
            self._replace_later(place, str(error), now)

    def _give_up_on(self, place: Place) -> None:
        """It cannot work as it is, and has said why: a new process would say the same."""
        if self._look is None:
            self._hopeless = True
            return
        place.due = math.inf
        _log.info("waiting for a change of the sources")

    def _replace_later(self, place: Place, ending: int | str, now: float) -> None:
        place.deaths = 1 if now - place.since >= HEALTHY_SECONDS else place.deaths + 1
        pause = self._delay(FIRST_ATTEMPT + place.deaths - 1)
        place.due = now + pause
        facts = {"number": place.number + 1, "exit_code": ending, "deaths": place.deaths}
        _log.warning("a worker process died; the next one starts in %.1f s", pause, extra=facts)

    def _reload_if_changed(self) -> None:
        now = self._monotonic()
        if self._look is None or now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        changed = self._look()
        if not changed:
            return
        _log.info("%s changed; restarting", changed[0] if len(changed) == 1 else f"{len(changed)} files")
        for place in self.places:
            place.due, place.deaths = now, 0
            if place.process is not None and place.leaving_since is None:
                place.leave(TO_RELOAD, now)

    def _end(self) -> int:
        """End every process and wait for it. A signal that comes meanwhile is passed on: it means to hurry."""
        passed_on = max(self._stop.wishes, 1)
        living = [(place, place.process) for place in self.places if place.process is not None]
        for place, _ in living:
            if place.leaving_since is None:
                place.leave(self._to_stop, self._monotonic())
        codes: list[int] = []
        while living:
            self._pause(TICK_SECONDS)
            hurry, passed_on = self._stop.wishes > passed_on, max(self._stop.wishes, passed_on)
            still: list[tuple[Place, Process]] = []
            for place, process in living:
                code = process.poll()
                if code is not None:
                    codes.append(code)
                    continue
                still.append((place, process))
                place.urge(self._monotonic())
                if hurry:
                    process.send_signal(signal.SIGTERM)
            living = still
        if self._hopeless:
            return USAGE
        return FINE if set(codes) <= {FINE, -signal.SIGTERM} else FAILED


def look_after(settings: Settings) -> int:
    """Run the worker processes that the settings ask for, until told to stop; return the exit code."""
    set_up_logging(settings.log_format, worker_id=settings.worker_id)
    stop = Stopping()
    stop.on_signals()
    several = settings.processes > 1
    each = [
        replace(settings, worker_id=f"{settings.worker_id}-{number}" if several else settings.worker_id)
        for number in range(1, settings.processes + 1)
    ]
    with ExitStack() as stack:
        listeners = []
        if settings.health_port is not None:
            listeners = [stack.enter_context(listen("127.0.0.1", 0)) for _ in each]
        look = Changes(Path.cwd()).look if settings.reload else None
        family = Family(
            len(each), starter(each, listeners), stop, shutdown_timeout=settings.shutdown_timeout, look=look
        )
        if settings.health_port is not None:
            members = [
                Member(own.worker_id, listener.getsockname()[1], _alive(place))
                for own, listener, place in zip(each, listeners, family.places, strict=True)
            ]
            door = listen(settings.health_host, settings.health_port)
            stack.enter_context(served(door, gathered(members, stop.is_set)))
            announce(door)
        return family.run()


def _alive(place: Place) -> Callable[[], bool]:
    return lambda: place.process is not None and place.leaving_since is None
