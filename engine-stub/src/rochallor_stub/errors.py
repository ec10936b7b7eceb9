"""What can be wrong with how the stub is used."""

from __future__ import annotations


class StubError(Exception):
    """The stub cannot do as asked; the message says why and what to do about it."""
