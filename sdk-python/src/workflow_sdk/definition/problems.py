"""What can be wrong with a definition, as a value: the engine's code, the place, and a sentence with the way out."""

from __future__ import annotations

from dataclasses import dataclass

ERROR = "error"
WARNING = "warning"


@dataclass(frozen=True)
class Problem:
    """One finding.

    Args:
        code: the engine's word for the broken rule, such as `REF_RESOLVES`.
        pointer: RFC 6901 pointer to the place in the JSON; "" is the whole definition.
        message: what is wrong and what to do.
        severity: `error`, the engine refuses the upload; `warning`, it takes it and says so.
        definition_id: whose problem it is.

    """

    code: str
    pointer: str
    message: str
    severity: str = ERROR
    definition_id: str = ""

    def __str__(self) -> str:
        return f"{self.severity} {self.definition_id}{self.pointer or '/'} {self.code}: {self.message}"


def warning(code: str, pointer: str, message: str) -> Problem:
    """Return a finding that refuses nothing."""
    return Problem(code, pointer, message, WARNING)


def escape(key: str) -> str:
    """Spell a key as RFC 6901 wants it inside a pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def pointer(*parts: str | int) -> str:
    """Return the pointer that keys and indices lead to."""
    return "".join(f"/{escape(str(part))}" for part in parts)
