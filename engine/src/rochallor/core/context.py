"""What the machine may know beside state and command: time, chance, settings, and who holds what. Values only."""

from __future__ import annotations

import msgspec

from rochallor.core.model import Lease


class Rules(msgspec.Struct, frozen=True, gc=False):
    """The settings that change what a command does. Sizes in bytes."""

    max_variables_bytes: int = 2 * 1024 * 1024
    step_budget: int = 1000
    max_deliveries: int = 10
    jobs_are_leased: bool = True


class Context(msgspec.Struct, frozen=True, gc=False):
    """`entropy` is a fresh 64-bit number; `lease` is of the job a report is about, `key_holder` of the key wanted."""

    now_ms: int
    entropy: int = 0
    rules: Rules = Rules()
    lease: Lease | None = None
    key_holder: str | None = None
