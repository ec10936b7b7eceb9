"""How long a watch goes on over connections that break: pure, for the blocking and the asynchronous face."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workflow_sdk.errors import EngineClientError
from workflow_sdk.retry.policy import Retries

if TYPE_CHECKING:
    from workflow_sdk.client.settings import Settings

READ_SECONDS = 45.0
"""Silence after which a connection is taken for dead; an engine sends a comment every 15 seconds."""
NOTHING_MORE = 204


class Watch:
    """One watch: the last revision seen, and how many connections in a row brought nothing.

    Args:
        instance_id: what is watched.
        after: the last revision that is known already, 0 = none.
        settings: whose retries and clock are used; the attempts count anew after every event.

    """

    def __init__(self, instance_id: str, after: int, settings: Settings) -> None:
        self._instance_id = instance_id
        self._after = after
        self._settings = settings
        self._attempts = 0

    @property
    def args(self) -> Mapping[str, Any]:
        """The arguments to connect with now."""
        return {"instance_id": self._instance_id, "after": self._after}

    def saw(self, event: Mapping[str, Any]) -> None:
        """Remember where to go on."""
        self._after = event["revision"]
        self._attempts = 0

    def pause_after(self, error: EngineClientError) -> float:
        """Return seconds to wait before connecting again; raises the error when it is final."""
        self._attempts += 1
        retries: Retries = self._settings.retries
        pause = retries.pause(error, "freely", self._attempts, self._settings.clock.chance)
        if pause is None:
            raise error
        return pause


def event_of(line: str) -> str | None:
    """Return the JSON text that a line of a text/event-stream carries; every event of an engine is one `data:` line."""
    return line[5:] if line.startswith("data:") else None
