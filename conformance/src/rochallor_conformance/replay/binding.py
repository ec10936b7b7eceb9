"""Recorded id → live id: what one engine made up, in the words of another.

An id is a text that the engine says first; whatever was sent before is no id, it must come back as it is. Ids are
bound where the two answers stand side by side, and every later request and answer is put into live words before it is
sent or compared. Composite ids (a job's contains its instance's) need no entry of their own. A name missing in `NAMES`
shows up as a difference between two engines that agree.
"""

from __future__ import annotations

from typing import Any

NAMES = frozenset({"id", "instanceId", "jobId", "stepExecutionId", "leaseToken", "parentInstanceId", "childInstanceId"})
"""The fields in which an engine says an id that it made up."""


class Bindings:
    """The ids of one take, with its namespace as the first pair."""

    def __init__(self, recorded_namespace: str, live_namespace: str) -> None:
        self._live = {recorded_namespace: live_namespace}
        self._said = [live_namespace]

    def copy(self) -> Bindings:
        """Return bindings that may be tried out."""
        twin = Bindings("", "")
        twin._live, twin._said = dict(self._live), list(self._said)
        return twin

    def take_over(self, trial: Bindings) -> None:
        """Keep what was tried out."""
        self._live = trial._live

    def say(self, request: Any) -> None:
        """Note what is sent, in live words: it is no id of the engine's making."""
        self._said += _texts(request)

    def was_said(self, text: str) -> bool:
        """Return whether a text is part of what was sent."""
        return any(text in said for said in self._said)

    def live(self, value: Any) -> Any:
        """Return a recorded value in live words, keys included."""
        if isinstance(value, str):
            for recorded in sorted(self._live, key=len, reverse=True):
                value = value.replace(recorded, self._live[recorded])
            return value
        if isinstance(value, list):
            return [self.live(each) for each in value]
        if isinstance(value, dict):
            return {self.live(name): self.live(each) for name, each in value.items()}
        return value

    def bind(self, recorded: Any, live: Any) -> None:
        """Walk two answers side by side and bind the ids that are new."""
        if isinstance(recorded, dict) and isinstance(live, dict):
            for name, value in recorded.items():
                self._pair(name, value, live.get(name))
                self.bind(value, live.get(name))
        elif isinstance(recorded, list) and isinstance(live, list):
            for one, other in zip(recorded, live, strict=False):
                self.bind(one, other)

    def _pair(self, name: str, recorded: Any, live: Any) -> None:
        if name not in NAMES or not (isinstance(recorded, str) and isinstance(live, str)) or not recorded:
            return
        known = self.live(recorded)
        if known == live or self.was_said(known) or known != recorded or live in self._live.values():
            return  # what is known already is compared, not bound again
        self._live[recorded] = live


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    if isinstance(value, dict):
        return [*value, *(text for each in value.values() for text in _texts(each))]
    return []
