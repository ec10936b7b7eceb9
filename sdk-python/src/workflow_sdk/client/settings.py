"""What all faces of the client are set up with, in one value that can be handed on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from workflow_sdk.client.auth import Bearer
from workflow_sdk.client.clock import Clock
from workflow_sdk.client.tls import Tls
from workflow_sdk.retry.policy import ONCE, Retries


@dataclass(frozen=True)
class Settings:
    """Settings of a client; they show in a repr, the token does not.

    Args:
        timeout: seconds for one attempt.
        deadline: seconds for a call with all of its attempts and pauses; None = `timeout`.
        bearer: the token.
        tls: certificates; None = the usual authorities.
        retries: how often a call is sent again.
        clock: time and chance.

    """

    timeout: float = 30.0
    deadline: float | None = None
    bearer: Bearer = field(default_factory=lambda: Bearer(None))
    tls: Tls | None = None
    retries: Retries = field(default_factory=Retries)
    clock: Clock = field(default_factory=Clock)

    def once(self) -> Settings:
        """Return the same without repeats, for a worker, which has rules of its own."""
        return replace(self, retries=ONCE)
