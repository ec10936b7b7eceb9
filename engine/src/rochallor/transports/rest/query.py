"""What comes beside the body: query parameters, ids in the path, If-Match. Strictly read, in the caller's words.

A parameter given twice counts once, the first time; one that nobody knows is ignored. Which values make sense (pages,
statuses) is the engine's to say; here is only whether a number is one.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote_to_bytes

from rochallor.core.errors import BadRequest, Detail

INT32_MAX = 2**31 - 1
_NUMBER = re.compile(r"[0-9]{1,10}")
_REVISION = re.compile(rb'"([0-9]{1,18})"|([0-9]{1,18})')
MAX_PARAMETERS = 200


class Query:
    """The query string's parameters."""

    def __init__(self, raw: bytes) -> None:
        try:
            self._pairs = parse_qsl(
                raw.decode("latin-1"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
            )
        except UnicodeDecodeError:
            raise BadRequest("the query string is not UTF-8; percent-encode its values as UTF-8") from None
        except ValueError:
            raise BadRequest(f"the query string has more than {MAX_PARAMETERS} parameters; send fewer") from None

    def text(self, name: str) -> str:
        """Return a parameter, "" when it is absent."""
        return next((value for key, value in self._pairs if key == name), "")

    def texts(self, name: str) -> list[str]:
        """Return a parameter that may be repeated or hold several values with commas between them."""
        given = ",".join(value for key, value in self._pairs if key == name)
        return [value.strip() for value in given.split(",") if value.strip()]

    def number(self, name: str, *, most: int = INT32_MAX) -> int:
        """Return a parameter that is a whole number of 0 to `most`, 0 when it is absent."""
        given = next((value for key, value in self._pairs if key == name), None)
        return 0 if given is None else whole_number(name, given, most=most)


def whole_number(name: str, given: str, *, least: int = 0, most: int = INT32_MAX) -> int:
    """Return the number that a parameter spells; raises `BadRequest` naming it."""
    if _NUMBER.fullmatch(given) is None or not least <= int(given) <= most:
        message = f"{name} must be a whole number of {least} to {most}"
        raise BadRequest(message, details=(Detail("PARAMETER_INVALID", "", message),))
    return int(given)


def path_id(raw: bytes) -> str:
    """Return one segment of the path as the id it spells, percent-encoded or not."""
    if b"%" in raw:
        raw = unquote_to_bytes(raw)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise BadRequest("an id in the path is not UTF-8; percent-encode it as UTF-8") from None


def revision_of(if_match: bytes | None) -> int | None:
    """Return the revision that an If-Match header asks for (`"12"` or `12`), None for `*` or no header."""
    given = (if_match or b"*").strip()
    if given == b"*":
        return None
    match = _REVISION.fullmatch(given)
    if match is None:
        raise BadRequest('If-Match must be one revision as the ETag gave it, like "12", or *')
    return int(match[1] or match[2])
