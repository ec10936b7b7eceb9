"""Durations as definitions write them: ISO 8601, `P[nY][nM][nW][nD][T[nH][nM][nS]]`.

Years and months are calendar units: they move the date in UTC and keep the time of day, and a day that the
target month does not have becomes its last one (31 January + P1M = 28 or 29 February). Everything else has a
fixed length; a day is 24 hours, UTC has no others. The calendar part is added first. A duration is longer
than zero and at most 100 years.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Final

_SECOND_MS: Final = 1_000
_MINUTE_MS: Final = 60 * _SECOND_MS
_HOUR_MS: Final = 60 * _MINUTE_MS
_DAY_MS: Final = 24 * _HOUR_MS
_MEAN_MONTH_MS: Final = 30_436_875 * _DAY_MS // 1_000_000  # a twelfth of 365.2425 days
_MAX_MS: Final = 36_525 * _DAY_MS

_MAX_TEXT: Final = 64
_FIXED_MS: Final = {
    "weeks": 7 * _DAY_MS,
    "days": _DAY_MS,
    "hours": _HOUR_MS,
    "minutes": _MINUTE_MS,
    "seconds": _SECOND_MS,
}
_NUMBER: Final = r"[0-9]+(?:[.,][0-9]+)?"
_DURATION: Final = re.compile(
    rf"P(?:(?P<years>{_NUMBER})Y)?(?:(?P<months>{_NUMBER})M)?(?:(?P<weeks>{_NUMBER})W)?(?:(?P<days>{_NUMBER})D)?"
    rf"(?:T(?=[0-9])(?:(?P<hours>{_NUMBER})H)?(?:(?P<minutes>{_NUMBER})M)?(?:(?P<seconds>{_NUMBER})S)?)?"
)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time: calendar months, then fixed milliseconds.

    Durations are equal by value: `P7D` is `P1W`, and `P12M` is `P1Y`. `text` is what the author wrote.
    """

    months: int
    fixed_ms: int
    text: str = field(compare=False, default="")

    def __str__(self) -> str:
        return self.text

    def after(self, at_ms: int) -> int:
        """Return the moment this long after `at_ms`, both in milliseconds since the epoch, UTC.

        Raises `ValueError` or `OverflowError` when a calendar unit meets or reaches a year outside 1..9999.
        """
        if self.months:
            day, time_ms = divmod(at_ms, _DAY_MS)
            at_ms = _add_months(day, self.months) * _DAY_MS + time_ms
        return at_ms + self.fixed_ms


@lru_cache(maxsize=1_024)
def parse_duration(text: str) -> Duration:
    """Return the duration that `text` says; raises `ValueError` with a sentence for its author."""
    match = _DURATION.fullmatch(text) if len(text) <= _MAX_TEXT else None
    parts = {unit: number for unit, number in match.groupdict().items() if number} if match else {}
    if not parts:
        raise _refusal(text, "is not an ISO 8601 duration: write for example PT30S, PT1H30M, P2D or P1M")
    *others, last = parts.values()
    if any(not number.isdecimal() for number in others):
        raise _refusal(text, "has a fraction before its last unit: only the last unit may have one")
    if not last.isdecimal() and not parts.keys() & _FIXED_MS.keys():
        raise _refusal(text, "has a fraction of a year or month, which has no fixed length: write months or days")
    months = 12 * int(parts.pop("years", 0)) + int(parts.pop("months", 0))
    fixed_ms = sum(_milliseconds(number, _FIXED_MS[unit]) for unit, number in parts.items())
    if not months and not fixed_ms:
        raise _refusal(text, "is zero: a duration must be longer")
    if months * _MEAN_MONTH_MS + fixed_ms > _MAX_MS:
        raise _refusal(text, "is longer than 100 years")
    return Duration(months, fixed_ms, text)


def _milliseconds(number: str, unit_ms: int) -> int:
    """Return `number` units, exactly; less than a millisecond counts as one, or a timer would fire early."""
    whole, _, fraction = number.replace(",", ".").partition(".")
    scale = int("1" + "0" * len(fraction))
    part = -(-int(fraction or 0) * unit_ms // scale)
    return int(whole) * unit_ms + part


def _add_months(day: int, months: int) -> int:
    """Return the day (counted from the epoch) `months` later, at most the last day of its month."""
    start = date.fromordinal(day + _EPOCH_DAY)
    years, month = divmod(start.month - 1 + months, 12)
    year = start.year + years
    last = monthrange(year, month + 1)[1]
    return date(year, month + 1, min(start.day, last)).toordinal() - _EPOCH_DAY


def _refusal(text: str, reason: str) -> ValueError:
    shown = text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"
    return ValueError(f"{shown!r} {reason}")
