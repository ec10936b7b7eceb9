"""The one table of what each role may do. Operations are named as in the contract (`operationId`).

An operation that is in no row is refused to everybody: a new one has to be put here before it can be called, and a
test compares the table with the contract in both directions.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class Role(str, Enum):
    """What a token is for."""

    ADMIN = "admin"
    OPERATOR = "operator"
    WORKER = "worker"
    READER = "reader"


_A, _O, _W, _R = Role.ADMIN, Role.OPERATOR, Role.WORKER, Role.READER

ALLOWED: Final[dict[str, frozenset[Role]]] = {
    operation: frozenset(roles)
    for operation, roles in (
        ("uploadDefinition", (_A,)),
        ("listDefinitions", (_A, _O, _R)),
        ("getDefinition", (_A, _O, _R)),
        ("getDefinitionVersion", (_A, _O, _R)),
        ("startInstance", (_A, _O)),
        ("cancelInstance", (_A, _O)),
        ("retryStep", (_A, _O)),
        ("completeUserTask", (_A, _O)),
        ("signalWait", (_A, _O)),
        ("listInstances", (_A, _O, _R)),
        ("getInstance", (_A, _O, _R)),
        ("getInstanceHistory", (_A, _O, _R)),
        ("getInstanceAudit", (_A, _O, _R)),
        ("awaitInstance", (_A, _O, _R)),
        ("watchInstance", (_A, _O, _R)),
        ("listUserTasks", (_A, _O, _R)),
        ("pollJobs", (_A, _W)),
        ("completeJob", (_A, _W)),
        ("failJob", (_A, _W)),
        ("reportJobs", (_A, _W)),
        ("getMetrics", (_A, _O, _R)),
    )
}
"""Operation -> the roles that may call it. `getMetrics` is the page of the metrics port; it is not in the contract."""

OPEN: Final = frozenset({"healthz", "readyz", "getOpenapi", "getDefinitionSchema"})
"""What needs no token: probes have none, and the contract is no secret."""


def may(role: Role, operation: str) -> bool:
    """Return whether a role may call an operation."""
    return role in ALLOWED.get(operation, frozenset())


def allowed_to(operation: str) -> list[str]:
    """Return the names of the roles that may call an operation, in the order of `Role`."""
    return [role.value for role in Role if may(role, operation)]
