"""The patches that make mutants: they fit the engine as it is, and one that does not is noticed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rochallor_conformance.cases import lint
from rochallor_conformance.cases.book import Book
from rochallor_conformance.mutants.catalogue import HEALTHY, PATCHES, mutant_of, strains_of
from rochallor_conformance.mutants.patch import Edit, Misfit, install, misfits

FITS = Edit("core.routing", "if step.conditions:", "if False:")


def test_every_patch_fits_the_engine() -> None:
    """Each text that a patch replaces is there exactly once, and what comes out is Python."""
    assert {strain: list(misfits(patch)) for strain, patch in PATCHES.items() if list(misfits(patch))} == {}


def test_the_original_engines_defects_are_among_them(book: Book) -> None:
    """What was really seen in the original engine is made by a patch, every one."""
    seen = [mutant.id for mutant in book.mutants.values() if mutant.seen_in and mutant.subject == "engine"]
    assert len(seen) >= 25
    assert [name for name in seen if not strains_of(name)] == []


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (FITS._replace(old="this text is gone"), "has 0 times 'this text is gone'"),
        (FITS._replace(old="return"), "times 'return', which the patch replaces"),
        (FITS._replace(new="if:"), "makes no valid Python"),
        (FITS._replace(module="core.no_such_module"), "no_such_module"),
    ],
)
def test_a_patch_that_does_not_fit_says_why(edit: Edit, words: str) -> None:
    """A text that is gone or ambiguous, a missing module and broken Python are told apart."""
    [sentence] = misfits((FITS, edit)) if edit.module != FITS.module else misfits((edit,))
    assert words in sentence


def test_a_patch_comes_before_the_engine() -> None:
    """Where the engine was imported already a patch would change nothing, so it is refused."""
    with pytest.raises(Misfit, match="loaded already"):
        install((FITS,))


def test_a_strain_belongs_to_its_mutant() -> None:
    """What stands behind the + tells strains of one mutant apart."""
    assert mutant_of("division-integer+by-zero") == "division-integer"
    assert strains_of("division-integer") == ["division-integer", "division-integer+by-zero"]


@pytest.fixture
def complaints(monkeypatch: pytest.MonkeyPatch, book: Book) -> Callable[..., list[str]]:
    """Return what the lint says of these patches."""

    def of(names: list[str]) -> list[str]:
        monkeypatch.setattr(lint, "PATCHES", {HEALTHY: (), **dict.fromkeys(names, ())})
        return list(lint.complaints(book))

    return of


def test_the_lint_names_a_mutant_without_a_patch(complaints: Callable[..., list[str]]) -> None:
    """A defect of the engine in the catalogue that nothing makes is named; one of SDKs is not."""
    [sentence] = complaints([strain for strain in PATCHES if strain != "deep-merge"])
    assert sentence.startswith("mutants.yaml deep-merge: no patch makes it")


def test_the_lint_names_a_patch_without_a_mutant(complaints: Callable[..., list[str]]) -> None:
    """A patch for something that the catalogue does not have is named."""
    [sentence] = complaints([*PATCHES, "made-up+twice"])
    assert sentence.startswith("mutants.yaml lacks made-up")
