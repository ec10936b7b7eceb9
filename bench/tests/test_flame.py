"""A flame graph says what the samples say, and says so when they say nothing."""

from __future__ import annotations

import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bench import flame
from bench.flamegraph import ROOMS, begun, drawn, folded, shares

LOOP = "<module> (main.py:3);run (asyncio/runners.py:190)"
STACKS = [
    f"{LOOP};step (rochallor/core/machine.py:40) 30",
    f"{LOOP};save (rochallor/stores/postgres/store.py:9);execute (asyncpg/connection.py:1) 50",
    f"{LOOP};save (rochallor/stores/postgres/store.py:11) 19",
    f"{LOOP} 1",
]
SVG = "{http://www.w3.org/2000/svg}"


def test_lines_of_one_function_are_one_call() -> None:
    """Samples differ in the line they were at; the picture is of functions."""
    begin = begun(folded(STACKS))
    assert (begin.name, begin.samples) == ("run", 100)
    assert {call.name: call.samples for call in begin.calls.values()} == {"step": 30, "save": 69}


def test_time_belongs_to_whose_code_was_running() -> None:
    """The innermost function has it, not who called it; nothing is counted twice."""
    found = shares(folded(STACKS))
    assert found == {"core": 0.3, "shell": 0, "stores": 0.19, "doors": 0, "driver": 0.5, "loop": 0.01}
    assert list(found) == [name for _, name, _, _ in ROOMS]


def test_the_picture_has_a_box_for_every_call_as_wide_as_its_time() -> None:
    """Its tip tells function, file and share; names are escaped."""
    drawing = ET.fromstring(drawn(folded([*STACKS, "<lambda> (a&b.py:1) 100"]), "An engine"))
    widths = {}
    for box in drawing.iter(f"{SVG}rect"):
        if (tip := box.find(f"{SVG}title")) is not None:
            widths[tip.text] = float(box.get("width", 0))
    assert widths["<lambda> (a&b.py): 50.0%"] == pytest.approx(430, abs=1)
    assert widths["save (rochallor/stores/postgres/store.py): 34.5%"] == pytest.approx(297, abs=1)
    assert drawing.get("aria-label") == "An engine"


def test_calls_too_narrow_to_be_seen_are_left_out() -> None:
    """Ten thousand of them would make a file that nobody can open."""
    many = [f"{LOOP};f{number} (x.py:1) 1" for number in range(10_000)]
    assert drawn(folded(many), "x").count("<rect") < 20


@pytest.mark.parametrize("line", ["no count", "a;b 1.5", "12", "a;b -3"])
def test_what_is_no_folded_stack_is_refused(line: str) -> None:
    """With the line that is meant."""
    with pytest.raises(ValueError, match="not a folded stack"):
        folded([*STACKS, line])


def test_no_samples_are_no_picture() -> None:
    """An idle process is said to be idle."""
    with pytest.raises(ValueError, match="no samples"):
        folded(["", " "])


def test_threads_that_wait_are_left_out() -> None:
    """Samplers take a thread that waits in its queue for one at work."""
    thread = "Thread._bootstrap (threading.py:1002)"
    assert flame.waits(f"{thread};_worker (concurrent/futures/thread.py:81) 9")
    assert not flame.waits(f"{thread};_worker (concurrent/futures/thread.py:83);commit (rochallor/stores/x.py:1) 9")
    assert not flame.waits(STACKS[0])


def test_a_sampler_that_is_not_there_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to get it."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(FileNotFoundError, match="pip install py-spy"):
        flame.sampler()
