"""When worker processes are started and ended, in virtual time, with processes that only remember what was done."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from workflow_sdk.cli.family import HEALTHY_SECONDS, LOOK_SECONDS, Family
from workflow_sdk.cli.stopping import Stopping

TERM, KILL = signal.SIGTERM, signal.SIGKILL


class Process:
    """Lives until it is told how it ended; `obeys` ends it at SIGTERM."""

    def __init__(self, *, obeys: bool) -> None:
        self.pid = 1
        self.code: int | None = None
        self.signals: list[int] = []
        self._obeys = obeys

    def poll(self) -> int | None:
        return self.code

    def send_signal(self, number: int) -> None:
        self.signals.append(number)
        if number == KILL or self._obeys:
            self.code = 0 if number == TERM else -number


class World:
    """Time, processes, and a script: at these seconds, do this."""

    def __init__(
        self, *, count: int = 1, obeys: bool = True, reloads: bool = False, shutdown_timeout: float = 30
    ) -> None:
        self.now = 0.0
        self.begun: list[tuple[float, int, Process]] = []
        self.script: list[tuple[float, Callable[[], object]]] = []
        self.changed: list[str] = []
        self.refusals: list[OSError] = []
        self.stop = Stopping()
        self._obeys = obeys
        self.family = Family(
            count,
            self._start,
            self.stop,
            shutdown_timeout=shutdown_timeout,
            look=self._look if reloads else None,
            monotonic=lambda: self.now,
            pause=self._pause,
            delay=float,
        )

    @property
    def processes(self) -> list[Process]:
        return [process for _, _, process in self.begun]

    @property
    def starts(self) -> list[float]:
        return [round(at, 1) for at, _, _ in self.begun]

    def at(self, seconds: float, do: Callable[[], object]) -> None:
        self.script.append((seconds, do))

    def run(self) -> int:
        return self.family.run()

    def _start(self, number: int) -> Process:
        if self.refusals:
            raise self.refusals.pop()
        process = Process(obeys=self._obeys)
        self.begun.append((self.now, number, process))
        return process

    def _look(self) -> list[str]:
        changed, self.changed = self.changed, []
        return changed

    def _pause(self, seconds: float) -> None:
        self.now += seconds
        due = [do for at, do in self.script if at <= self.now]
        self.script = [(at, do) for at, do in self.script if at > self.now]
        for do in due:
            do()
        assert self.now < 10_000, "it never ended"

    def dies(self, code: int = 1) -> None:
        self.processes[-1].code = code


def test_pauses_grow_with_every_death_in_a_row() -> None:
    """A process that dies at once is started again after ever longer pauses."""
    world = World()
    for seconds in (0.5, 5, 10, 20):
        world.at(seconds, world.dies)
    world.at(30, world.stop.note)
    assert world.run() == 0
    pauses = [start - death for start, death in zip(world.starts[1:], (0.5, 5, 10, 20), strict=True)]
    assert pauses == pytest.approx([2, 3, 4, 5], abs=0.3)


def test_a_long_life_is_forgiven() -> None:
    """A death after a healthy life is a first death again."""
    world = World()
    world.at(0.5, world.dies)
    world.at(5, world.dies)
    world.at(100 + HEALTHY_SECONDS, world.dies)
    world.at(1000, world.stop.note)
    world.run()
    assert world.starts[-1] - (100 + HEALTHY_SECONDS) == pytest.approx(2, abs=0.3)


def test_a_death_leaves_the_others_alone() -> None:
    """Only the place whose process died gets a new one."""
    world = World(count=3)
    world.at(1, lambda: setattr(world.processes[1], "code", -KILL))
    world.at(20, world.stop.note)
    assert world.run() == 0
    assert [number for _, number, _ in world.begun] == [0, 1, 2, 1]


def test_a_process_that_cannot_be_started_is_tried_again() -> None:
    """A machine without room for a process is no reason to end the other workers."""
    world = World(count=2)
    world.refusals = [BlockingIOError("no more processes")] * 2
    world.at(30, world.stop.note)
    assert world.run() == 0
    assert world.starts == pytest.approx([2, 2], abs=0.3)


def test_a_stop_is_passed_on_once_and_waited_for() -> None:
    """Every process gets SIGTERM once; the family ends when the last of them has."""
    world = World(count=2, obeys=False)
    world.at(1, world.stop.note)
    world.at(20, lambda: setattr(world.processes[0], "code", 0))
    world.at(40, lambda: setattr(world.processes[1], "code", 0))
    assert world.run() == 0
    assert world.now == pytest.approx(40, abs=0.2)
    assert [process.signals for process in world.processes] == [[TERM], [TERM]]


def test_a_second_signal_is_passed_on_too() -> None:
    """Whoever is in a hurry has the workers hurry."""
    world = World(obeys=False)
    world.at(1, world.stop.note)
    world.at(5, world.stop.note)
    world.at(6, lambda: world.dies(-signal.SIGALRM))
    assert world.run() == 1
    assert world.processes[0].signals == [TERM, TERM]


@pytest.mark.parametrize(("shutdown_timeout", "killed_at"), [(30, 61), (600, 631)])
def test_who_does_not_end_is_killed(shutdown_timeout: float, killed_at: float) -> None:
    """Long after its handlers' time is up a stop is no request any more, and the exit code tells of the cut."""
    world = World(obeys=False, shutdown_timeout=shutdown_timeout)
    world.at(1, world.stop.note)
    assert world.run() == 1
    assert world.processes[0].signals == [TERM, KILL]
    assert world.now == pytest.approx(killed_at, abs=0.5)


def test_a_process_that_cannot_work_ends_the_family() -> None:
    """Exit code 2 says that the next one would say the same: all end, with that code."""
    world = World(count=2)
    world.at(1, lambda: world.dies(2))
    assert world.run() == 2
    assert len(world.processes) == 2
    assert world.processes[0].signals == [TERM]


def test_a_change_restarts_at_once() -> None:
    """The old process is asked to end, the new one starts as soon as it has, without a pause."""
    world = World(reloads=True)
    world.at(5, lambda: world.changed.append("a.py"))
    world.at(20, world.stop.note)
    assert world.run() == 0
    assert world.starts[1] == pytest.approx(5 + LOOK_SECONDS, abs=1)
    assert len(world.starts) == 2


def test_a_change_does_not_wait_for_a_stubborn_handler() -> None:
    """While developing nobody waits long: SIGTERM, once more, then the end by force."""
    world = World(reloads=True, obeys=False)
    world.at(5, lambda: world.changed.append("a.py"))
    world.at(40, lambda: world.dies(0))
    world.at(50, world.stop.note)
    world.at(51, lambda: world.dies(0))
    world.run()
    assert world.processes[0].signals == [TERM, TERM, KILL]


def test_a_broken_source_waits_for_its_correction() -> None:
    """With --reload, exit code 2 is no end: the next change tries again."""
    world = World(reloads=True)
    world.at(1, lambda: world.dies(2))
    world.at(500, lambda: world.changed.append("a.py"))
    world.at(600, world.stop.note)
    assert world.run() == 0
    assert len(world.starts) == 2
    assert world.starts[1] == pytest.approx(501, abs=1)
