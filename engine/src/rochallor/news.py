"""What engines on one store tell each other: the seam between an engine and its neighbours.

Hints only. Nothing is lost with them but time, because whoever waits looks again by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple, Protocol, runtime_checkable


class News(NamedTuple):
    """What another engine on the same store did: types of which jobs are ready, instances that changed.

    `gap`: some news may have been missed; look everywhere.
    """

    job_types: frozenset[str] = frozenset()
    instances: frozenset[str] = frozenset()
    gap: bool = False


class Signals(Protocol):
    """How engines on one store wake each other. Hints only: whoever waits looks again by itself now and then."""

    def listen(self, heard: Callable[[News], None]) -> None:
        """Call `heard` on the event loop whenever another engine did something that is waited for here."""
        ...

    def want(self, *, job_types: Collection[str] = (), instances: Collection[str] = ()) -> None:
        """Let other engines know what is waited for here, for half a minute; cheap to repeat."""
        ...


@runtime_checkable
class Shared(Protocol):
    """A store on which other engines may be at work: they do and plan things that this engine has not seen."""

    signals: Signals
