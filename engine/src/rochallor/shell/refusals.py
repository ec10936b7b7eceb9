"""What a caller is told when the store would not have it."""

from __future__ import annotations

import structlog

from rochallor.core.errors import Conflict, InternalError, WorkflowError
from rochallor.ports import StoreConflict

log = structlog.get_logger("rochallor.executor")

RACES = 3
"""How often one command or claim may lose a race against other engines before its caller is told."""

A_BUG = "the engine failed at this request by a mistake of its own; its log says more"


def told(error: Exception) -> WorkflowError:
    """Return what the caller of a transaction hears that ended with `error`; what is nobody's fault is logged."""
    if isinstance(error, StoreConflict):
        return Conflict(f"{error}; it was changed at the same time, read it again and decide anew")
    if isinstance(error, WorkflowError):
        return error
    log.error("transaction failed by a bug", exc_info=error)
    return InternalError(A_BUG)
