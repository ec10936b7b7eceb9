"""When instances are started: an open loop, which does not wait for the engine.

A closed loop starts the next instance when one has ended, so a slow engine is given less to do and looks better than
it is. An open loop keeps to its schedule; what comes late is late. Gaps are as chance has them (a Poisson process), or
else arrivals and polls could fall into step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator


def arrivals(rate_per_s: float, first_s: float, until_s: float, gap: Callable[[float], float]) -> Iterator[float]:
    """Yield the moments from `first_s` on, in seconds of the monotonic clock and ascending, that are before `until_s`.

    `gap` gives a chance duration for a rate, as `random.Random(seed).expovariate` does.
    """
    due_s = first_s
    while due_s < until_s:
        yield due_s
        due_s += gap(rate_per_s)
