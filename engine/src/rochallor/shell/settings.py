"""The knobs of a running engine, as values: the composition root fills them from environment and files."""

from __future__ import annotations

import msgspec

from rochallor.core.context import Rules
from rochallor.core.definition import DefinitionLimits

MIB = 1024 * 1024


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits in bytes, counts and milliseconds. Every one of them is answered with a clear error when it is passed."""

    max_body_bytes: int = 4 * MIB
    max_definition_bytes: int = MIB
    max_definition_steps: int = 2_000
    max_variables_bytes: int = 2 * MIB
    step_budget: int = 1_000
    max_deliveries: int = 10
    expression_coercion: bool = False
    audit_enabled: bool = True
    queue_limit: int = 10_000
    batch_limit: int = 512
    poll_bytes: int = 3 * MIB
    default_lease_s: int = 30
    max_lease_s: int = 3_600
    max_jobs: int = 1_000
    max_wait_ms: int = 30_000
    default_page_size: int = 20
    max_page_size: int = 200

    @property
    def rules(self) -> Rules:
        """The part the machine reads."""
        return Rules(
            max_variables_bytes=self.max_variables_bytes,
            step_budget=self.step_budget,
            max_deliveries=self.max_deliveries,
        )

    @property
    def definition_limits(self) -> DefinitionLimits:
        """The part the parser reads."""
        return DefinitionLimits(max_bytes=self.max_definition_bytes, max_steps=self.max_definition_steps)
