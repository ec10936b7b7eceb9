"""`list`, `plan`, `coverage` and `lint`: what looks at the corpus alone."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import click

from rochallor_conformance.cases.book import read_book
from rochallor_conformance.cases.lint import complaints
from rochallor_conformance.cli.judging import selection, wanted_of
from rochallor_conformance.contract.places import contract_folder
from rochallor_conformance.planning import plan as plan_of
from rochallor_conformance.running import CONFORMANT, UNEXPECTED
from rochallor_conformance.transports.exchange import TRANSPORTS


@click.command("list")
@click.option("--area", help="Only the cases of one area.")
@click.option("--requirements", "of_requirements", is_flag=True, help="Requirements instead of cases.")
@click.option("--mutants", "of_mutants", is_flag=True, help="Mutants instead of cases.")
def list_cases(area: str | None, of_requirements: bool, of_mutants: bool) -> int:
    """Show the cases, one per line: id, level, title."""
    book = read_book(contract_folder())
    if of_requirements:
        for each in book.requirements.values():
            click.echo(f"{each.id}  {each.level:<6}  {each.text}")
    elif of_mutants:
        for mutant in book.mutants.values():
            click.echo(f"{mutant.id:<44}  {mutant.subject:<6}  {mutant.text}")
    else:
        for case in {each.id: each for each in book.cases}.values():
            if area in (None, case.area):
                click.echo(f"{case.id:<52}  {case.level:<6}  {case.title}")
    return CONFORMANT


@click.command("plan")
@selection
def show_plan(transports: tuple[str, ...], **options: Any) -> int:
    """Show what a run would play, in order, without playing it."""
    book = read_book(contract_folder())
    plays = plan_of(book.cases, wanted_of(book, transports or TRANSPORTS, options))
    for planned in plays:
        click.echo(planned.name)
    click.echo(f"{len(plays)} plays", err=True)
    return CONFORMANT


@click.command()
@click.option("--uncovered", is_flag=True, help="Only what no case checks, with the reason.")
def coverage(uncovered: bool) -> int:
    """Show which requirement is checked by which cases."""
    book = read_book(contract_folder())
    checked = defaultdict(list)
    for case in {each.id: each for each in book.cases}.values():
        for requirement in case.spec:
            checked[requirement].append(case.id)
    for each in book.requirements.values():
        by = checked.get(each.id, [])
        if not (uncovered and by):
            click.echo(f"{each.id}  {', '.join(by) or f'excluded: {each.excluded}'}")
    musts = [each for each in book.requirements.values() if each.level == "MUST"]
    covered = sum(bool(checked.get(each.id)) for each in musts)
    click.echo(f"{covered} of {len(musts)} MUSTs are checked by a case; the others say why not", err=True)
    return CONFORMANT


@click.command()
def lint() -> int:
    """Check that cases, requirements, mutants and revisions agree."""
    found = list(complaints(read_book(contract_folder())))
    for sentence in found:
        click.echo(sentence)
    click.echo(f"{len(found)} complaints" if found else "the corpus is in order", err=True)
    return UNEXPECTED if found else CONFORMANT


COMMANDS = (list_cases, show_plan, coverage, lint)
