"""The one spelling in which a definition is kept, when its author used another.

Most uploads are kept byte for byte. What is rewritten: `null` for an absent field, the camelCase spelling of the
two schema keys, empty leftovers of older formats, and order given beside a map (`orderedConditions`,
`whenOrder`, `outputsOrder`), which becomes the order of the map itself. Applied to accepted documents only, so
the types of known fields are right.
"""

from __future__ import annotations

from typing import Any

from rochallor.core.definition.document import Document, dump_document
from rochallor.core.definition.fields import ALIASES, in_order

NOT_KEPT = {"orderedConditions", "whenOrder", "outputsOrder", "then", "defaultNextStep"}


def kept_source(raw: bytes, document: Document) -> bytes:
    """Return the bytes to store: the author's own where they are in the kept spelling already."""
    tidy = dump_document(tidied(document))
    if tidy != dump_document(document):
        return tidy
    return raw.decode("utf-8-sig").strip().encode()


def tidied(document: Document) -> Document:
    """Return the document in its kept spelling; metadata is the author's and not looked into."""
    return _present(document) | {"steps": [_step(step) for step in document["steps"]]}


def _step(step: Document) -> Document:
    tidy = _present(step)
    if step.get("orderedConditions"):
        tidy["conditionalNextSteps"] = {
            condition["expression"]: condition["nextStep"] for condition in step["orderedConditions"]
        }
    if "boundaryEvents" in tidy:
        tidy["boundaryEvents"] = [_present(event) for event in tidy["boundaryEvents"]]
    if "retryPolicy" in tidy:
        tidy["retryPolicy"] = _present(tidy["retryPolicy"])
    if "decisionTable" in tidy:
        table = _present(tidy["decisionTable"])
        tidy["decisionTable"] = table | {"rules": [_rule(rule) for rule in table.get("rules", ())]}
    return tidy


def _rule(rule: Document) -> Document:
    tidy = _present(rule)
    if "when" in tidy:
        columns = in_order(tidy["when"], rule.get("whenOrder") or [])
        tidy["when"] = {column: cell for column, cell in columns if cell is not None}
    if "outputs" in tidy:
        tidy["outputs"] = dict(in_order(tidy["outputs"], rule.get("outputsOrder") or []))
    return tidy


def _present(part: dict[str, Any]) -> Document:
    return {ALIASES.get(key, key): value for key, value in part.items() if value is not None and key not in NOT_KEPT}
