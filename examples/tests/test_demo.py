"""`rochallor dev --demo`, as `make demo` calls it: real engine, real worker, real exit code."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from rochallor.demo.journeys import JOURNEYS

if TYPE_CHECKING:
    from .conftest import Rochallor


def test_every_journey_of_the_demo_ends_where_it_should(rochallor: Rochallor) -> None:
    """The demo exits with 0 and its table has all journeys."""
    demo = rochallor("dev", "--demo")
    text = demo.stdout.read()
    assert demo.ended() == 0, text
    table = text.partition("Loan application\n")[2] or text
    assert all(f"│ {journey.name}" in table for journey in JOURNEYS), text
    assert "all 7 journeys ended where they should" in text


def test_ctrl_c_ends_the_demo_cleanly(rochallor: Rochallor) -> None:
    """Interrupted, it stops its worker and its engine, and says so without a trace."""
    demo = rochallor("dev", "--demo")
    assert demo.stdout.readline().startswith("engine at")
    demo.signal(signal.SIGINT)
    assert demo.stdout.read().endswith("stopped\n")
    assert demo.ended() == 130
    assert "Traceback" not in "".join(iter(demo.lines.get, None))
