"""The door: JSON bytes in; a compiled definition out, or everything that is wrong with it.

The order is fixed: bytes → document → outline → rules → compiled. Only text that is no JSON object, or is too
large, ends the way early; everything else is looked at to the end, so that one upload shows all problems.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from rochallor.core.definition.compile import Compiler
from rochallor.core.definition.document import Document, load_document
from rochallor.core.definition.model import Definition
from rochallor.core.definition.outline import outline
from rochallor.core.definition.problems import Findings, Problem
from rochallor.core.definition.tidy import kept_source
from rochallor.core.definition.validate import validate

TOO_LARGE = "DEFINITION_TOO_LARGE"


class DefinitionLimits(Struct, frozen=True):
    """How large a definition may be: bytes of JSON text, number of steps."""

    max_bytes: int = 1024 * 1024
    max_steps: int = 2000


DEFAULT_LIMITS = DefinitionLimits()


class Parsed(Struct, frozen=True):
    """The outcome: a definition and no problems, or problems and none. Warnings come with either."""

    definition: Definition | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def too_large(self) -> bool:
        """Whether a size limit is what refused it."""
        return any(problem.code == TOO_LARGE for problem in self.problems)


def parse_definition(raw: bytes, *, limits: DefinitionLimits = DEFAULT_LIMITS, coercion: bool = False) -> Parsed:
    """Parse, validate and compile a definition; `coercion` is the dialect its expressions are compiled for.

    Never raises for what `raw` holds: every fault is a `Problem` with a JSON pointer.
    """
    findings = Findings()
    document = _within_limits(raw, limits, findings)
    if document is None:
        return Parsed(None, findings.problems, findings.warnings)
    outlined = outline(document, findings)
    validate(outlined, findings)
    definition = Compiler(findings, coercion).definition(outlined)
    if findings.problems:
        return Parsed(None, findings.problems, findings.warnings)
    return Parsed(replace(definition, source=kept_source(raw, document)), (), findings.warnings)


def _within_limits(raw: bytes, limits: DefinitionLimits, findings: Findings) -> Document | None:
    if len(raw) > limits.max_bytes:
        message = f"{len(raw)} bytes; at most {limits.max_bytes} are accepted. Split the workflow and chain the parts."
        findings.error(TOO_LARGE, "", message)
        return None
    document = load_document(raw, findings)
    steps = None if document is None else document.get("steps")
    if isinstance(steps, list) and len(steps) > limits.max_steps:
        message = (
            f"{len(steps)} steps; at most {limits.max_steps} are accepted. Split the workflow and chain the parts."
        )
        findings.error(TOO_LARGE, "/steps", message)
        return None
    return document
