"""SDKs with a defect do not pass: every defect of the catalogue that is an SDK's is found by the cases that say so."""

from __future__ import annotations

import asyncio

import pytest
from rochallor_conformance.cases.book import Book, read_book
from rochallor_conformance.contract.places import contract_folder
from rochallor_conformance.planning import Planned
from rochallor_conformance.sdk.capabilities import needed
from rochallor_conformance.sdk.manifest import Manifest
from rochallor_conformance.sdk.subject import SdkSubject

BOOK = read_book(contract_folder())
MUTANTS = [mutant.id for mutant in BOOK.mutants.values() if mutant.subject == "sdk"]
QUICK = ["fails-job-on-409", "over-claims", "leaks-token-in-log", "no-drain", "reports-twice-at-once", "retries-4xx",
         "claims-when-full", "claims-while-draining"]  # fmt: skip


async def survived(mutant: str, manifest: Manifest, book: Book, *, first_only: bool) -> list[str]:
    """Return the cases that name the mutant and pass it; a case fails it by one play."""
    plays: dict[str, list[Planned]] = {}
    for case in book.cases:
        if mutant in case.kills and "sdk" in case.targets and manifest.capabilities.issuperset(needed(case)):
            plays.setdefault(case.id, []).extend(Planned(case, transport) for transport in case.transports)
    assert plays, f"no case is there to find {mutant}"
    found = []
    async with SdkSubject(manifest, {"SDK_MUTANT": mutant}) as subject:
        for case, each in plays.items():
            for planned in each:
                if (await subject.outcome(planned, f"{mutant}-{planned.transport}", book))["status"] == "failed":
                    break
            else:
                found.append(case)
            if first_only:
                break
    return found


@pytest.mark.parametrize("mutant", QUICK)
def test_a_broken_sdk_is_found_out(broken, book, mutant) -> None:
    """The first case that names the defect fails an SDK that has it."""
    assert asyncio.run(survived(mutant, broken, book, first_only=True)) == []


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS)
def test_every_case_finds_what_it_says(broken, book, mutant) -> None:
    """Each case that names a defect fails an SDK that has it."""
    assert asyncio.run(survived(mutant, broken, book, first_only=False)) == []
