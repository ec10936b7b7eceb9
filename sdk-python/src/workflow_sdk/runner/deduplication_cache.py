"""A set that remembers each key for a while. Time is an argument, so a test needs no waiting."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

DEFAULT_WINDOW_SECONDS = 600.0


class DeduplicationCache:
    """Keys seen within the last `window_seconds`; safe to use from several threads.

    Args:
        window_seconds: how long a key is remembered after it was first seen.
        clock: seconds that only grow.

    """

    def __init__(
        self,
        window_seconds: float = DEFAULT_WINDOW_SECONDS,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._window_seconds = window_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._seen_at: dict[Hashable, float] = {}  # in the order of time, because a key enters once

    def seen(self, key: Hashable) -> bool:
        """Return whether the key was seen within the window, and remember it if it was not."""
        with self._lock:
            self._forget_old()
            if key in self._seen_at:
                return True
            self._seen_at[key] = self._clock()
            return False

    def discard(self, key: Hashable) -> None:
        """Forget a key, so that it may come again."""
        with self._lock:
            self._seen_at.pop(key, None)

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            self._forget_old()
            return key in self._seen_at

    def __len__(self) -> int:
        with self._lock:
            self._forget_old()
            return len(self._seen_at)

    def _forget_old(self) -> None:
        oldest_kept = self._clock() - self._window_seconds
        while self._seen_at:
            key = next(iter(self._seen_at))
            if self._seen_at[key] > oldest_kept:
                return
            del self._seen_at[key]
