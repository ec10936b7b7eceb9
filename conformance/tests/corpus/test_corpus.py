"""The corpus itself is in order, and the lint would notice if it were not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rochallor_conformance.cases.book import Book, read_book
from rochallor_conformance.cases.documents import DataError
from rochallor_conformance.cases.lint import complaints
from rochallor_conformance.contract.places import contract_folder

CASE = """
area: job
cases:
  - id: job-of-the-test
    title: A case that only this test has.
    spec: [%(spec)s]
    kills: [%(kill)s]
    then: [%(step)s]
"""
GOOD = {"spec": "ENG-JOB-001", "kill": "deep-merge", "step": "{call: listInstances, body: {total: 0}}"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the contract that a test may spoil."""
    copy = tmp_path / "sdk-contract"
    shutil.copytree(contract_folder(), copy)
    return copy


@pytest.fixture
def complains(folder: Path) -> Callable[..., list[str]]:
    """Add a case that is wrong in one way; return what the lint says."""

    def add(**wrong: str) -> list[str]:
        (folder / "cases" / "test.yaml").write_text(CASE % {**GOOD, **wrong})
        return [sentence for sentence in complaints(read_book(folder)) if "job-of-the-test" in sentence]

    return add


def test_the_corpus_is_in_order(book: Book) -> None:
    """Every MUST is mapped, every case kills something, and nothing frozen is gone."""
    assert list(complaints(book)) == []


def test_there_are_enough_cases(book: Book) -> None:
    """The corpus has at least 150 engine cases, over all sixteen areas."""
    engine_cases = {case.id for case in book.cases if "engine" in case.targets}
    assert len(engine_cases) >= 150
    assert len({case.area for case in book.cases if "engine" in case.targets}) == 16


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"spec": "ENG-JOB-999"}, "there is no requirement ENG-JOB-999"),
        ({"kill": "no-such-mutant"}, "there is no mutant no-such-mutant"),
        ({"step": "{call: dreamUp}"}, "no operation dreamUp"),
        ({"step": "{call: listInstances, body: {total: {$about: 3}}}"}, "no matcher $about"),
        ({"step": "{call: awaitInstance, args: {id: x}}"}, "requires: [additions]"),
        ({"step": "{call: getInstance, error: {code: no-such-code, message: x}}"}, "no code no-such-code"),
        ({"step": "{http: {method: GET, path: /}}"}, "transports: [rest]"),
        ({"step": "{advance: 1}"}, "virtual-clock"),
        ({}, "is not in its `cases`"),
    ],
)
def test_the_lint_says_what_is_wrong_with_a_case(complains, wrong, words) -> None:
    """A case that names what does not exist, or needs what it does not say, is named with the reason."""
    assert any(words in sentence for sentence in complains(**wrong))


def test_a_renamed_case_is_noticed(folder: Path) -> None:
    """An id that a revision froze and that is gone is named."""
    path = folder / "cases" / "job.yaml"
    path.write_text(path.read_text().replace("job-merge-is-shallow", "job-merges-shallowly"))
    assert any("job-merge-is-shallow is gone" in sentence for sentence in complaints(read_book(folder)))


def test_a_requirement_without_a_case_needs_a_reason(folder: Path) -> None:
    """A requirement with neither cases nor a reason is refused where it stands."""
    text = "ENG-TEST-001:\n  level: MUST\n  text: Something nobody checks.\n  source: x\n"
    (folder / "requirements" / "test.yaml").write_text(text)
    with pytest.raises(DataError, match=r"test\.yaml:\d+ /ENG-TEST-001"):
        read_book(folder)


def test_a_case_without_a_kill_is_refused_where_it_stands(folder: Path) -> None:
    """A case that names no mutant is refused, with file, line and pointer."""
    (folder / "cases" / "test.yaml").write_text(CASE.replace("    kills: [%(kill)s]\n", "") % GOOD)
    with pytest.raises(DataError, match=r"test\.yaml:4 /cases/0.*kills"):
        read_book(folder)


def test_a_refusal_without_a_reason_is_refused(folder: Path) -> None:
    """A negative case that asserts the code alone is refused."""
    (folder / "cases" / "test.yaml").write_text(
        CASE % {**GOOD, "step": "{call: getInstance, error: {code: not-found}}"}
    )
    with pytest.raises(DataError, match=r"test\.yaml:8"):
        read_book(folder)


def test_an_unused_mutant_is_named(folder: Path) -> None:
    """A mutant of the engine that no case kills is named."""
    with (folder / "mutants.yaml").open("a") as file:
        file.write("nobody-kills-this:\n  subject: engine\n  text: A defect that nobody looks for.\n")
    assert "mutants.yaml nobody-kills-this: no case kills it" in list(complaints(read_book(folder)))
