"""What ends a command early: one sentence that says what to do next, and the exit code.

The codes are those of the engine's own command line. A supervisor relies on them too: a process that ends with
`USAGE` would end the same way again, so it is not replaced.
"""

from __future__ import annotations

FINE = 0
FAILED = 1
"""The check found something, or a process had to be cut off."""
USAGE = 2
"""What was asked for cannot be done: nothing but another command line, or a corrected file, helps."""
NO_ENGINE = 3
"""Nobody answered at the engine's address."""


class CommandFailed(Exception):
    """A command ends here.

    Args:
        message: one sentence for the person who gave the command, with the next step.
        code: the exit code.
        trace: the traceback of the user's own code, when the mistake is there.

    """

    def __init__(self, message: str, *, code: int = USAGE, trace: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.trace = trace
