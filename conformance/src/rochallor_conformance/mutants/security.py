"""Defects of tokens and roles."""

from __future__ import annotations

from typing import Final

from rochallor_conformance.mutants.patch import Edit, Patch

GUARD: Final = "access.guard"

PATCHES: Final[dict[str, Patch]] = {
    "unknown-token-accepted": (
        Edit(
            GUARD,
            "        caller = self._book(now_ms).caller_of(_secret(authorization), now_ms)\n",
            "        try:\n            caller = self._book(now_ms).caller_of(_secret(authorization), now_ms)\n"
            "        except Unauthorized:\n            return ANYBODY\n",
        ),
    ),
    "token-echoed": (
        Edit("access.tokens", '"the engine does not know this token;', 'f"the engine does not know {secret.decode()};'),
    ),
    "role-ignored": (Edit(GUARD, "if not may(caller.role, operation):", "if False:"),),
    "role-too-narrow": (Edit("access.roles", '("completeJob", (_A, _W)),', '("completeJob", (_A,)),'),),
    "role-too-narrow+probes": (
        Edit(
            "access.roles",
            'OPEN: Final = frozenset({"healthz", "readyz", "getOpenapi", "getDefinitionSchema"})',
            "OPEN: Final = frozenset()",
        ),
    ),
}
