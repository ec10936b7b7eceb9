"""Durations: which texts are some, and what time it is after them."""

from datetime import UTC, datetime

import pytest
from rochallor.core.durations import Duration, parse_duration


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


@pytest.mark.parametrize(
    ("text", "fixed_ms"),
    [
        ("PT1S", 1_000),
        ("PT1M", 60_000),
        ("PT1H", 3_600_000),
        ("P1D", 86_400_000),
        ("P1W", 604_800_000),
        ("P1W1DT1H1M1S", 604_800_000 + 86_400_000 + 3_661_000),
        ("PT36H", 129_600_000),
        ("PT0.5S", 500),
        ("PT0,25S", 250),
        ("PT1.5H", 5_400_000),
        ("P0.5W", 302_400_000),
        ("P1DT0.5M", 86_430_000),
        ("PT0.0001S", 1),
        ("PT1.0001S", 1_001),
        ("P0DT0H0M1S", 1_000),
        ("PT007S", 7_000),
    ],
)
def test_weeks_to_seconds_have_a_fixed_length(text, fixed_ms):
    """Units add up exactly, the last may have a fraction, and a part of a millisecond counts as one."""
    assert parse_duration(text).after(1_000) == 1_000 + fixed_ms


@pytest.mark.parametrize(
    ("start", "text", "end"),
    [
        ("2023-01-31T10:00:00", "P1M", "2023-02-28T10:00:00"),
        ("2024-01-31T10:00:00", "P1M", "2024-02-29T10:00:00"),
        ("2024-02-29T00:00:00", "P1Y", "2025-02-28T00:00:00"),
        ("2024-02-29T00:00:00", "P4Y", "2028-02-29T00:00:00"),
        ("2023-11-30T23:59:59.999", "P3M", "2024-02-29T23:59:59.999"),
        ("2023-12-31T12:00:00", "P1M", "2024-01-31T12:00:00"),
        ("2023-03-15T12:00:00", "P1Y2M", "2024-05-15T12:00:00"),
        ("2023-01-31T10:00:00", "P1M1DT1H", "2023-03-01T11:00:00"),
        ("1969-12-31T23:59:59.999", "P2M", "1970-02-28T23:59:59.999"),
        ("2023-03-26T00:30:00", "P1D", "2023-03-27T00:30:00"),
    ],
)
def test_years_and_months_are_calendar_units(start, text, end):
    """They move the date in UTC, keep the time of day, and clamp to the end of a shorter month."""
    assert parse_duration(text).after(at(start)) == at(end)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not an ISO 8601 duration: write for example PT30S"),
        ("P", "is not an ISO 8601 duration"),
        ("PT", "is not an ISO 8601 duration"),
        ("P1DT", "is not an ISO 8601 duration"),
        ("1D", "is not an ISO 8601 duration"),
        ("P1S", "is not an ISO 8601 duration"),
        ("PT1D", "is not an ISO 8601 duration"),
        ("P1D1W", "is not an ISO 8601 duration"),
        ("p1d", "is not an ISO 8601 duration"),
        ("-P1D", "is not an ISO 8601 duration"),
        ("P-1D", "is not an ISO 8601 duration"),
        (" P1D", "is not an ISO 8601 duration"),
        ("P1D\n", "is not an ISO 8601 duration"),
        ("PT.5S", "is not an ISO 8601 duration"),
        ("P\u0661D", "is not an ISO 8601 duration"),
        ("PT" + "0" * 70 + "1S", "is not an ISO 8601 duration"),
        ("P1.5DT1H", "has a fraction before its last unit"),
        ("P1.5Y1D", "has a fraction before its last unit"),
        ("P0.5Y", "has a fraction of a year or month"),
        ("P1Y1.5M", "has a fraction of a year or month"),
        ("PT0S", "is zero: a duration must be longer"),
        ("P0Y", "is zero: a duration must be longer"),
        ("PT0.0S", "is zero: a duration must be longer"),
        ("P101Y", "is longer than 100 years"),
        ("P1201M", "is longer than 100 years"),
        ("P100Y1W", "is longer than 100 years"),
        ("P36526D", "is longer than 100 years"),
        ("PT99999999999999999999S", "is longer than 100 years"),
        ("x" * 64, "is not an ISO 8601 duration"),
        ("x" * 65, "is not an ISO 8601 duration"),
    ],
)
def test_what_is_no_duration_is_refused_in_words(text, reason, sentences):
    """The sentence quotes the text and says what to write instead."""
    with pytest.raises(ValueError, match=reason) as caught:
        parse_duration(text)
    sentences("duration", repr(text), str(caught.value))
    assert len(str(caught.value)) < 160


@pytest.mark.parametrize("text", ["P100Y", "P1200M", "P36525D"])
def test_a_hundred_years_are_allowed(text):
    """The limit itself is a duration."""
    assert parse_duration(text).after(0) > at("2069-12-30T00:00:00")


def test_durations_are_equal_by_value():
    """How it was written does not matter, except to `str`."""
    assert parse_duration("P7D") == parse_duration("P1W") == Duration(0, 604_800_000)
    assert parse_duration("P12M") == parse_duration("P1Y")
    assert parse_duration("P1M") != parse_duration("P30D")
    assert hash(parse_duration("P7D")) == hash(parse_duration("P1W"))


def test_a_duration_is_written_as_its_author_wrote_it():
    """`str` gives the original text."""
    assert str(parse_duration("P7DT0,5S")) == "P7DT0,5S"
