"""Workflow definitions: from JSON bytes to a compiled value, or to every problem found on the way.

`parse_definition` is the door. `compare` tells what a new upload is to the latest version; `render_definition`
gives the JSON back. `CODES` is the table of everything that can be wrong.
"""

from rochallor.core.definition.canonical import Change, canonical, compare, content_hash, with_layout
from rochallor.core.definition.model import Definition, Step, StepType
from rochallor.core.definition.parse import DefinitionLimits, Parsed, parse_definition
from rochallor.core.definition.problems import CODES, Problem, next_workflow_unknown
from rochallor.core.definition.render import render_definition

__all__ = [
    "CODES",
    "Change",
    "Definition",
    "DefinitionLimits",
    "Parsed",
    "Problem",
    "Step",
    "StepType",
    "canonical",
    "compare",
    "content_hash",
    "next_workflow_unknown",
    "parse_definition",
    "render_definition",
    "with_layout",
]
