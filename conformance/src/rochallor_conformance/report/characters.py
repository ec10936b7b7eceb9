"""Text that can be written anywhere: what a target says may hold half a character, which no encoding has."""

from __future__ import annotations

import json
import re
from typing import Any

UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def whole(value: Any) -> Any:
    """Return JSON data with every half of a character (a lone surrogate) replaced by U+FFFD."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    if text.isascii():
        return value
    return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def for_a_terminal(text: str) -> str:
    """Return a text that no terminal refuses and none obeys: of control characters, tabs and ends of lines stay."""
    return UNPRINTABLE.sub("\ufffd", text)
