"""Whether what a runner was given can be a client, told before the first poll.

A runner polls again whatever a poll raises, so with a URL in place of a client it would do nothing for ever. Only the
three documented methods are looked for: a test double with no more than these is a client.
"""

from __future__ import annotations

METHODS = ("poll_jobs", "complete_job", "fail_job")


def checked(client: object, example: str) -> None:
    """Raise `TypeError`, with an example of what will do, when `client` lacks one of the methods of a client."""
    if not all(callable(getattr(client, name, None)) for name in METHODS):
        raise TypeError(f"client must be an engine client, such as {example}, not a {type(client).__name__}")
