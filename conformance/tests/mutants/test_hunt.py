"""A hunt: what kills, what survives, what counts for neither, and the report of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace
from rochallor_conformance import hunting
from rochallor_conformance.cases.book import Book
from rochallor_conformance.cases.documents import read_schema
from rochallor_conformance.cases.model import Case
from rochallor_conformance.cli import code_of
from rochallor_conformance.hunting import Bag, Hunt, claims, cost, hunt
from rochallor_conformance.mutants.patch import Edit
from rochallor_conformance.report.records import BadReport, read_report

MUTANT, KILLER, OTHER = "deep-merge", "job-merge-is-shallow", "signal-unknown-step"


def case_of(book: Book, name: str, **changes: object) -> Case:
    """Return a case of the corpus that claims to kill the mutant, over REST."""
    found = next(case for case in book.cases if case.id == name)
    return replace(found, kills=[MUTANT], transports=["rest"], **changes)


def hunted(book: Book, *cases: Case, all_cases: bool = False) -> Bag:
    """Hunt the mutant with these cases alone."""
    few = replace(book, cases=list(cases))
    return asyncio.run(hunt(Hunt(few, [MUTANT], 0, "nonce", all_cases, lambda _row: None)))


def test_a_hunt_is_reported_from_header_to_footer(tmp_path: Path, book: Book, capsys) -> None:
    """A killed mutant ends with 0; an SDK's is left to others, and said to be; every line is as the schema says."""
    path = tmp_path / "mutants.ndjson"
    code = code_of(["mutate", "--mutant", MUTANT, "--mutant", "no-drain", "--report", str(path)])
    header, killed, elsewhere, footer = map(json.loads, path.read_text().splitlines())
    assert (code, footer["exit"], footer["finished"], header["planned"]) == (0, 0, 2, 2)
    assert (killed["mutant"], killed["status"], killed["case"]) == (MUTANT, "killed", KILLER)
    assert (elsewhere["subject"], elsewhere["status"]) == ("sdk", "elsewhere")
    assert "not tried, because they are defects of SDKs: 1" in capsys.readouterr().out
    schema = Draft202012Validator(read_schema(book.folder, "report"))
    assert [error.message for line in (header, killed, elsewhere, footer) for error in schema.iter_errors(line)] == []
    with pytest.raises(BadReport, match="report of `mutate`"):
        read_report(path)


def test_a_case_that_notices_nothing_lets_a_mutant_survive(book: Book) -> None:
    """The hunt ends with 5, and the case is named as one that kills nothing."""
    bag = hunted(book, case_of(book, OTHER), all_cases=True)
    assert [(row["status"], row["played"]) for row in bag.rows] == [("survived", 1)]
    assert (bag.code, bag.idle) == (5, [f"{OTHER}: {MUTANT}"])


def test_a_case_that_always_fails_kills_nothing(book: Book) -> None:
    """A case that fails on the healthy stub, too, is no proof: the mutant survives."""
    killer = case_of(book, KILLER)
    spoilt = replace(killer, then=[replace(killer.then[0], body={"status": "NEVER"})])
    bag = hunted(book, spoilt)
    assert (bag.code, bag.rows[0]["status"]) == (5, "survived")
    assert bag.rows[0]["message"] == f"{KILLER} over rest fails without the defect, too"


def test_a_patch_that_fits_no_more_is_no_survivor(monkeypatch: pytest.MonkeyPatch, book: Book) -> None:
    """The engine changed under a patch: that is said, with what to do, and ends with 5, too."""
    monkeypatch.setitem(hunting.PATCHES, MUTANT, (Edit("core.apply", "a line that was refactored away", ""),))
    bag = hunted(book, case_of(book, KILLER))
    assert (bag.code, bag.rows[0]["status"]) == (5, "misfit")
    assert "adapt the patch" in bag.rows[0]["message"]


def test_cheap_cases_come_first(book: Book) -> None:
    """Claims are played in the order of cost; a case that needs an engine of its own comes last."""
    plays = claims(book, "delivery-limit-missing")
    assert [cost(planned.case) for planned in plays] == sorted(cost(planned.case) for planned in plays)
    assert plays[-1].case.requires == ["few-deliveries"]


def test_a_mutant_that_nobody_knows_is_a_wrong_command() -> None:
    """A pattern that fits no mutant, and a target with an unknown one, end with 4."""
    assert code_of(["mutate", "--mutant", "no-such-mutant"]) == 4
    assert code_of(["run", "--target", "engine:stub,mutant=no-such-mutant"]) == 4
