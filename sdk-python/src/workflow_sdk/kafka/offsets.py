"""How far one partition is done: records may end in any order, but only what has no open record before it is committed.

Pure. It would break if a record were begun after one that was read later.
"""

from __future__ import annotations

from enum import Enum


class _State(Enum):
    OPEN = "open"
    DONE = "done"
    LEFT = "left"  # to whoever reads it next; nothing after it is committed here


class Offsets:
    """The records of one partition, from when it came to this worker until it goes."""

    def __init__(self) -> None:
        self.gone = False
        """Whether the partition has left this worker: what ends now is committed by nobody."""
        self._next: int | None = None
        self._committed: int | None = None
        self._known: dict[int, _State] = {}  # in the order of reading; offsets have gaps, and may even begin anew

    def begin(self, offset: int) -> bool:
        """Note a record that was read; False when it is in hand already."""
        if offset in self._known:
            return False
        self._known[offset] = _State.OPEN
        return True

    def done(self, offset: int) -> None:
        """Note that a record needs no more attention, and move on if no earlier one does."""
        self._known[offset] = _State.DONE
        while self._known:
            first = next(iter(self._known))
            if self._known[first] is not _State.DONE:
                return
            del self._known[first]
            self._next = first + 1

    def leave(self, offset: int) -> None:
        """Note that a record will not be done here."""
        self._known[offset] = _State.LEFT

    @property
    def is_busy(self) -> bool:
        """Whether a record may still be done here."""
        return _State.OPEN in self._known.values()

    @property
    def to_commit(self) -> int | None:
        """The offset of the first record that is not done, None if the brokers know it already."""
        return None if self._next == self._committed else self._next

    def committed(self, offset: int) -> None:
        """Note what the brokers know."""
        self._committed = offset
