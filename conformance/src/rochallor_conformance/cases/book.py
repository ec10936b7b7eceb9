"""The book that cases are judged by: requirements, mutants and frozen revisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from rochallor_conformance.cases.documents import DataError, read_document, read_schema
from rochallor_conformance.cases.loading import load_cases
from rochallor_conformance.cases.model import Case


class Requirement(msgspec.Struct, frozen=True):
    """One thing the contract asks for; either cases check it or `excluded` says why none does."""

    id: str
    level: str
    text: str
    source: str
    cases: list[str] = []
    excluded: str = ""
    file: str = ""


class Revision(msgspec.Struct, frozen=True):
    """The ids that were there when a revision was frozen."""

    revision: str
    requirements: list[str]
    cases: list[str]
    about: str = ""


class Mutant(msgspec.Struct, frozen=True):
    """A defect that the corpus must notice."""

    id: str
    subject: str
    text: str
    seen_in: str = ""


class Book(msgspec.Struct, frozen=True):
    """Everything under one contract folder."""

    folder: Path
    cases: list[Case]
    requirements: dict[str, Requirement]
    mutants: dict[str, Mutant]
    revisions: list[Revision]

    @property
    def revision(self) -> str:
        """The newest revision's name, "unreleased" before the first."""
        return _newest(self.revisions)


def read_book(folder: Path) -> Book:
    """Read a contract folder.

    Raises:
        DataError: a file is wrong.

    """
    return Book(
        folder=folder,
        cases=load_cases(folder),
        requirements=_requirements(folder),
        mutants=_mutants(folder),
        revisions=_revisions(folder),
    )


def revision_of(folder: Path) -> str:
    """Return the newest revision's name without reading the rest of the book."""
    return _newest(_revisions(folder))


def _newest(revisions: list[Revision]) -> str:
    return revisions[-1].revision if revisions else "unreleased"


def _requirements(folder: Path) -> dict[str, Requirement]:
    schema = read_schema(folder, "requirements")
    found: dict[str, Requirement] = {}
    for path in sorted((folder / "requirements").glob("*.yaml")):
        document = read_document(path, schema)
        for name, body in document.data.items():
            if name in found:
                raise document.wrong((name,), f"{name} is taken by {found[name].file}")
            found[name] = msgspec.convert({**body, "id": name, "file": path.name}, Requirement)
    return found


def _mutants(folder: Path) -> dict[str, Mutant]:
    path = folder / "mutants.yaml"
    if not path.exists():
        raise DataError(f"{path} is missing: the catalogue of mutants that cases name in `kills`")
    rows: dict[str, Any] = read_document(path, read_schema(folder, "mutants")).data
    return {name: msgspec.convert({**body, "id": name}, Mutant) for name, body in rows.items()}


def _revisions(folder: Path) -> list[Revision]:
    schema = read_schema(folder, "revision")
    paths = sorted((folder / "revisions").glob("*.yaml"))
    return [msgspec.convert(read_document(path, schema).data, Revision) for path in paths]
