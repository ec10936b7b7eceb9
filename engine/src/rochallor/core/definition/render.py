"""A definition as a response shows it: the stored bytes of every field, and the version."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from rochallor.core.definition.model import Definition

_decode_top = msgspec.json.Decoder(dict[str, Raw]).decode


def render_definition(definition: Definition) -> bytes:
    """Return the JSON of a response; `version` follows the id, all else is as and where its author put it."""
    fields = _decode_top(definition.source)
    version = Raw(str(definition.version).encode())
    top = {"id": fields["id"], "version": version}
    return msgspec.json.encode(top | {key: value for key, value in fields.items() if key not in top})
