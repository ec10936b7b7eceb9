"""Do cases, requirements, mutants and revisions agree? Everything a schema cannot see, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from rochallor_conformance.cases.book import Book
from rochallor_conformance.cases.matchers import unknown_matchers
from rochallor_conformance.cases.model import ENGINE, Case, Step
from rochallor_conformance.contract.errors import codes
from rochallor_conformance.contract.operations import SERVICE, operations
from rochallor_conformance.mutants.catalogue import HEALTHY, PATCHES, mutant_of


def complaints(book: Book) -> Iterator[str]:
    """Yield a sentence for everything that is not in order."""
    for rule in RULES:
        yield from rule(book)


def _requirements_are_mapped(book: Book) -> Iterator[str]:
    """Every requirement names the cases that name it, or says why there is none."""
    ids = {case.id for case in book.cases}
    claimed = _claims(book)
    for each in book.requirements.values():
        for name in each.cases:
            if name not in ids:
                yield f"{each.file} {each.id}: there is no case {name}"
            elif name not in claimed.get(each.id, set()):
                yield f"{each.file} {each.id}: case {name} does not name it in `spec`"
        for name in sorted(claimed.get(each.id, set()) - set(each.cases)):
            yield f"{each.file} {each.id}: case {name} names it and is not in its `cases`"


def _specs_exist(book: Book) -> Iterator[str]:
    """Every requirement that a case names is there."""
    for case in _once(book):
        for name in case.spec:
            if name not in book.requirements:
                yield f"{case.place} {case.id}: there is no requirement {name}"


def _kills_exist(book: Book) -> Iterator[str]:
    """Every mutant that a case names is in the catalogue."""
    for case in _once(book):
        for name in case.kills:
            if name not in book.mutants:
                yield f"{case.place} {case.id}: there is no mutant {name}"


def _mutants_are_used(book: Book) -> Iterator[str]:
    """Every mutant of the engine is to be killed by a case; those of SDKs wait for the SDK's cases."""
    used = {name for case in book.cases for name in case.kills}
    sdk_cases = any("sdk" in case.targets for case in book.cases)
    for mutant in book.mutants.values():
        if mutant.id not in used and (mutant.subject == "engine" or sdk_cases):
            yield f"mutants.yaml {mutant.id}: no case kills it"


def _mutants_have_patches(book: Book) -> Iterator[str]:
    """Every mutant of the engine is made by a patch, and every patch makes one."""
    made = {mutant_of(strain) for strain in PATCHES} - {HEALTHY}
    engines = {mutant.id for mutant in book.mutants.values() if mutant.subject == "engine"}
    for name in sorted(engines - made):
        yield f"mutants.yaml {name}: no patch makes it; write one in mutants/, or take it out"
    for name in sorted(made - engines):
        yield f"mutants.yaml lacks {name}, which a patch makes; describe it there, or take the patch out"


def _ids_stay(book: Book) -> Iterator[str]:
    """What a revision froze is still there under its name."""
    ids = {case.id for case in book.cases}
    for revision in book.revisions:
        for name in sorted(set(revision.cases) - ids):
            yield f"revision {revision.revision}: the case {name} is gone; an id is never renamed"
        for name in sorted(set(revision.requirements) - book.requirements.keys()):
            yield f"revision {revision.revision}: the requirement {name} is gone; an id is never renamed"


def _steps_make_sense(book: Book) -> Iterator[str]:
    """Operations, error codes and matchers are those that exist, and hand-written steps fit the case's transports."""
    for case in book.cases:
        for where, step in _all_steps(case):
            yield from (f"{case.place} {case.name} {where}: {sentence}" for sentence in _complaints_of(case, step))


def _complaints_of(case: Case, step: Step) -> Iterator[str]:
    if step.call and step.call not in operations():
        yield f"the contract has no operation {step.call}"
    elif step.call and "grpc" in case.transports and not operations()[step.call].rpc:
        yield f"{step.call} has no rpc; say `transports: [rest]`"
    if (
        step.call
        and ENGINE in case.targets
        and operations().get(step.call)
        and operations()[step.call].is_ours
        and "additions" not in case.requires
    ):
        yield f"{step.call} is an addition; say `requires: [additions]`"
    if step.rpc and (step.rpc not in SERVICE.methods_by_name or case.transports != ["grpc"]):
        yield f"rpc {step.rpc} needs `transports: [grpc]` and to exist"
    if step.http is not None and case.transports != ["rest"]:
        yield "a request by hand needs `transports: [rest]`"
    if step.error and (step.error.code or not step.error.kind) and step.error.code not in codes():
        yield f"errors.yaml has no code {step.error.code}"
    if step.advance is not None and "virtual-clock" not in case.requires:
        yield "`advance` needs `requires: [virtual-clock]`"
    for word in unknown_matchers(_expectations(step)):
        yield f"there is no matcher {word}"


def _kinds_agree(book: Book) -> Iterator[str]:
    """`clock: virtual` and `requires: [virtual-clock]` say the same."""
    for case in _once(book):
        if (case.clock == "virtual") != ("virtual-clock" in case.requires):
            yield f"{case.place} {case.id}: say both `clock: virtual` and `requires: [virtual-clock]`, or neither"


def _titles_are_unique(book: Book) -> Iterator[str]:
    """No two cases promise the same."""
    titles = Counter(case.title for case in _once(book))
    yield from (f"the title {title!r} is used {count} times" for title, count in titles.items() if count > 1)


RULES: tuple[Callable[[Book], Iterator[str]], ...] = (
    _requirements_are_mapped,
    _specs_exist,
    _kills_exist,
    _mutants_are_used,
    _mutants_have_patches,
    _ids_stay,
    _steps_make_sense,
    _kinds_agree,
    _titles_are_unique,
)


def _claims(book: Book) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for case in book.cases:
        for requirement in case.spec:
            found.setdefault(requirement, set()).add(case.id)
    return found


def _once(book: Book) -> list[Case]:
    return list({case.id: case for case in book.cases}.values())


def _all_steps(case: Case) -> Iterator[tuple[str, Step]]:
    for where, step in case.steps:
        yield where, step
        for inner in step.parallel or ():
            yield where, inner


def _expectations(step: Step) -> list[Any]:
    error = step.error
    parts = [step.body, step.headers, step.outcomes, *([error.message, error.details] if error else [])]
    parts += [step.job, step.requests, step.count]
    return [part for part in parts if part is not msgspec.UNSET]
