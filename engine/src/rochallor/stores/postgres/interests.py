"""Who is interested in what, among engines on one database: pure bookkeeping, time is an argument.

A *topic* is anything one can wait for: a job type, an instance. Interest lasts a while and is renewed; it is never
taken back, because polls come and go far more often than engines. What was published while nobody was interested is
remembered for a moment: somebody may have begun to wait, and the message be under way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

LASTS_S = 40.0
"""Longer than any poll waits (30 s) and a renewal is old."""

RENEW_S = 5.0
MOMENT_S = 2.0


class Topic(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Something to wait for. `kind`: `job` (a job type) or `instance`."""

    kind: str
    name: str


class Interests:
    """What others wait for, what was published lately, and what others have been told of our own waiting."""

    def __init__(self) -> None:
        self._theirs: dict[Topic, float] = {}
        self._ours: dict[Topic, float] = {}
        self._lately: dict[Topic, None] = {}
        self._before: dict[Topic, None] = {}
        self._turned_s = 0.0

    def publish(self, topics: Collection[Topic], now_s: float) -> list[Topic]:
        """Return which of these others wait for; the rest is remembered for a moment."""
        self._turn(now_s)
        wanted = [topic for topic in topics if self._theirs.get(topic, 0.0) > now_s]
        self._lately.update(dict.fromkeys(topics))
        return wanted

    def wanted(self, topics: Collection[Topic], now_s: float) -> list[Topic]:
        """Note what others wait for; return which of it was published a moment ago."""
        self._turn(now_s)
        self._theirs.update(dict.fromkeys(topics, now_s + LASTS_S))
        return [topic for topic in topics if topic in self._lately or topic in self._before]

    def want(self, topics: Iterable[Topic], now_s: float) -> list[Topic]:
        """Note what is waited for here; return what others have to be told, now or again."""
        self._turn(now_s)
        stale = [topic for topic in topics if now_s - self._ours.get(topic, -RENEW_S) >= RENEW_S]
        self._ours.update(dict.fromkeys(stale, now_s))
        return stale

    def ours(self, now_s: float) -> list[Topic]:
        """Return what is waited for here, for somebody who has just come."""
        return [topic for topic, told_s in self._ours.items() if told_s + LASTS_S > now_s]

    def _turn(self, now_s: float) -> None:
        """Forget what is past: recent topics in two generations, interests that have run out."""
        if now_s - self._turned_s < MOMENT_S:
            return
        fresh = now_s - self._turned_s < 2 * MOMENT_S
        self._before, self._lately = self._lately if fresh else {}, {}
        self._theirs = {topic: ends_s for topic, ends_s in self._theirs.items() if ends_s > now_s}
        self._ours = {topic: told_s for topic, told_s in self._ours.items() if told_s + LASTS_S > now_s}
        self._turned_s = now_s
