"""When two definitions are the same: the canonical form, its hash, and what kind of change an upload is.

Canonical form: fields in alphabetical order, empty fields left out, numbers in one spelling, `version` and
`metadata.workflowModeller` ignored. Order that means something stays: list order, the order of conditions, and
of a table's columns. The unordered form forgets the order of those maps too; it is for uploads that came without
one (a protobuf map), which then equal the version that has it.
"""

from __future__ import annotations

import hashlib
import json
from enum import Enum
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from rochallor.core.definition.document import Document, dump_document, load_document
from rochallor.core.definition.fields import NEUTRAL
from rochallor.core.definition.model import Definition
from rochallor.core.definition.problems import Findings

LAYOUT = "workflowModeller"
_decode_top = msgspec.json.Decoder(dict[str, Raw]).decode


class Change(Enum):
    """What an upload is, compared with the latest version of its id."""

    NONE = "none"  # the same: answer with the latest version
    LAYOUT = "layout"  # only where an editor draws things: put it into the latest version, see `with_layout`
    CONTENT = "content"  # a new version


def compare(latest: Definition, uploaded: Definition, *, ordered: bool = True) -> Change:
    """Tell what kind of change `uploaded` is; `ordered` is False when its maps came without an order."""
    if canonical(latest, ordered=ordered) != canonical(uploaded, ordered=ordered):
        return Change.CONTENT
    return Change.NONE if _layout(latest) == _layout(uploaded) else Change.LAYOUT


def content_hash(definition: Definition, *, ordered: bool = True) -> str:
    """Hash the canonical form (SHA-256, hex): equal exactly when `compare` does not say CONTENT."""
    return hashlib.sha256(canonical(definition, ordered=ordered)).hexdigest()


def with_layout(latest: Definition, uploaded: Definition) -> Definition:
    """Return `latest`, its version and order kept, with the editor's layout of `uploaded`."""
    metadata = {key: value for key, value in (latest.metadata or {}).items() if key != LAYOUT}
    if uploaded.metadata and LAYOUT in uploaded.metadata:
        metadata[LAYOUT] = uploaded.metadata[LAYOUT]
    source = _decode_top(latest.source) | {"metadata": Raw(dump_document(metadata))}
    return replace(latest, metadata=metadata, source=msgspec.json.encode(source))


def canonical(definition: Definition, *, ordered: bool = True) -> bytes:
    """Return the canonical form of an accepted definition as JSON bytes."""
    document = load_document(definition.source, Findings())
    assert document is not None, "an accepted definition is readable"
    form = {key: value for key, value in document.items() if key not in {"version", "metadata"}}
    form["metadata"] = {key: value for key, value in (definition.metadata or {}).items() if key != LAYOUT}
    form["steps"] = [_step(step, ordered=ordered) for step in document["steps"]]
    return json.dumps(_stated(form), sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _step(step: Document, *, ordered: bool) -> Document:
    form = _stated(step)
    if "conditionalNextSteps" in form:
        form["conditionalNextSteps"] = _pairs(form["conditionalNextSteps"], ordered=ordered)
    if "boundaryEvents" in form:
        form["boundaryEvents"] = [_stated(event) for event in form["boundaryEvents"]]
    if "decisionTable" in form:
        rules = form["decisionTable"]["rules"]
        form["decisionTable"] = {"rules": [_rule(rule, ordered=ordered) for rule in rules]}
    return form


def _rule(rule: Document, *, ordered: bool) -> Document:
    return {key: _pairs(columns, ordered=ordered) for key, columns in _stated(rule).items()}


def _pairs(columns: dict[str, Any], *, ordered: bool) -> list[list[Any]]:
    pairs = [[key, value] for key, value in columns.items()]
    return pairs if ordered else sorted(pairs, key=lambda pair: str(pair[0]))


def _stated(part: dict[str, Any]) -> Document:
    # A protobuf message cannot tell an empty field from an absent one, so neither may count.
    return {key: value for key, value in part.items() if value not in NEUTRAL}


def _layout(definition: Definition) -> Any:
    return (definition.metadata or {}).get(LAYOUT)
