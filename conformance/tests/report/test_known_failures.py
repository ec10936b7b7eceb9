"""Known failures are kept honest."""

from __future__ import annotations

from datetime import date

import pytest
import yaml
from rochallor_conformance.known_failures import Entry, KnownFailures, bookkeeping, draft

TODAY = date(2026, 11, 20)


def _known(**changes: str) -> KnownFailures:
    entry = {
        "case": "job-one", "reason": "It is being mended.", "owner": "ada", "added": "2026-11-01",
        "expires": "2026-12-01", "message": "it differs",
    }  # fmt: skip
    return KnownFailures("x", [Entry(**{**entry, **changes})])


def test_an_honest_entry_needs_nothing(result) -> None:
    """An entry that is in time and matches its failure is left alone."""
    assert list(bookkeeping(_known(), [result(status="known")], TODAY)) == []


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"expires": "2026-11-19"}, "known", "expired on 2026-11-19"),
        ({"expires": "2027-11-19"}, "known", "90 are allowed"),
        ({"case": "job-two"}, "known", "matches no case"),
        ({}, "passed", "passes; remove it"),
        ({}, "failed", "fails with another message"),
    ],
)
def test_a_dishonest_entry_is_named(result, changes, status, words) -> None:
    """Each way for an entry to be wrong has its sentence."""
    [sentence] = bookkeeping(_known(**changes), [result(status=status, message="something else")], TODAY)
    assert words in sentence


def test_an_entry_that_covers_everything_is_too_broad(result) -> None:
    """A pattern that covers more than twenty plays says nothing."""
    results = [result(f"job-{index}", "known") for index in range(21)]
    [sentence] = bookkeeping(_known(case="job-*"), results, TODAY)
    assert "at most 20 are allowed" in sentence


def test_a_part_of_a_run_does_not_complain_about_the_rest(result) -> None:
    """An entry for a case that another shard plays is left alone; one that no shard plays is still named."""
    elsewhere = [("job-two", "rest")]
    results = [result(status="passed")]
    assert list(bookkeeping(_known(case="job-two"), results, TODAY, elsewhere)) == []
    assert list(bookkeeping(_known(case="job-tow"), results, TODAY, elsewhere)) == [
        "job-tow: matches no case of this run; correct or remove it"
    ]


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("completeJob was refused with 500: '01KDVDNA00CBQVCDP4F5V7F4CH'", "completeJob was refused with 500:"),
        ("getInstance body /startedAt is 2026-11-21T10:58:53Z, no moment", "getInstance body /startedAt is"),
        ("was refused with bad-request, not not-found: no", "was refused with bad-request, not not-found: no"),
    ],
)  # fmt: skip
def test_a_draft_keeps_what_stays_the_same(result, message: str, kept: str) -> None:
    """Ids and times of one run do not get into the message that the next one must match."""
    drafted = yaml.safe_load(draft("x", [result(status="failed", message=message)], TODAY))
    assert drafted["failures"][0]["message"] == kept
