"""Draws the tables of the reference pages from the code and data they describe.

A page holds a table between `<!-- table: NAME -->` and `<!-- end -->`. `python tools/doc_tables.py` writes them anew; a
test fails when a page and its source disagree.
"""

from __future__ import annotations

import re
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Callable, Iterable
from pathlib import Path

import click
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric
from rochallor.access.roles import ALLOWED, Role, may
from rochallor.cli import rochallor as command_line
from rochallor.config import SETTINGS
from rochallor.serve.metrics_app import ScrapedGauges
from rochallor.shell.histograms import Histogram
from rochallor.shell.metrics import Metrics
from rochallor_proto import contract
from workflow_sdk.cli.options import OPTIONS, build_parser, help_of

DOCS = Path(__file__).parents[1] / "docs"
_TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def operations() -> Iterable[tuple[str, ...]]:
    """Every operation, with its route and its rpc."""
    rpcs = {operation: entry["rpc"] for entry in contract("mapping")["rpcs"] for operation in entry["operations"]}
    yield "request", "rpc", "what it does"
    for path, methods in contract("openapi")["paths"].items():
        for method, operation in methods.items():
            if method in {"get", "post"}:
                rpc = rpcs.get(operation["operationId"])
                yield f"`{method.upper()} {path}`", f"`{rpc}`" if rpc else "", operation["summary"]


def errors() -> Iterable[tuple[str, ...]]:
    """Every error, with its status on both transports."""
    yield "`error`", "HTTP", "gRPC", "when"
    for row in contract("errors")["errors"]:
        yield f"`{row['error']}`", str(row["http"]), row["grpc"] or "", row["when"]


def settings() -> Iterable[tuple[str, ...]]:
    """Every setting, with its default."""
    yield "variable", "default", "meaning"
    for row in SETTINGS:
        yield f"`{row.variable}`", "" if row.default is None else f"`{_plain(row.default)}`", row.meaning


def roles() -> Iterable[tuple[str, ...]]:
    """Every operation and the roles that may call it."""
    yield "operation", *(role.value for role in Role)
    for operation in ALLOWED:
        yield f"`{operation}`", *("yes" if may(role, operation) else "" for role in Role)


def commands() -> Iterable[tuple[str, ...]]:
    """Every command of the command line, with its arguments."""
    yield "command", "what it does"
    yield from _commands(command_line, "rochallor")


def _commands(command: click.Command, name: str) -> Iterable[tuple[str, ...]]:
    context = click.Context(command)
    if isinstance(command, click.Group):
        for word in command.list_commands(context):
            child = command.get_command(context, word)
            assert child is not None
            yield from _commands(child, f"{name} {word}")
        return
    arguments = "".join(
        f" {given.make_metavar(context)}" for given in command.params if given.param_type_name == "argument"
    )
    yield f"`{name}{arguments}`", command.get_short_help_str(200)


def worker_commands() -> Iterable[tuple[str, ...]]:
    """Every command of `workflow-worker`."""
    yield "command", "what it does"
    for name, action in _worker_commands():
        yield f"`workflow-worker {name}`", action.description or ""


def worker_options() -> Iterable[tuple[str, ...]]:
    """Every option of `workflow-worker`, as its parser takes it, with the variable that stands in for it."""
    yield "option", "commands", "variable", "default", "meaning"
    rows: dict[tuple[str, ...], list[str]] = {}
    known = {help_of(option): option for option in OPTIONS}
    for name, parser in _worker_commands():
        for action in parser._actions:  # noqa: SLF001 - argparse tells of its options in no other way
            if action.dest == "help":
                continue
            option = known[(action.help or "").replace("%%", "%")]
            flags = " ".join(action.option_strings) or option.metavar
            value = f" {option.metavar}{' ...' if action.nargs == '+' else ''}" if option.metavar != flags else ""
            cell = f"`{flags}{value}`".replace(" `", "`")
            rows.setdefault((cell, f"`{option.variable}`", option.default, option.help), []).append(name)
    for (cell, variable, default, meaning), names in rows.items():
        yield cell, ", ".join(names), variable, default, meaning


def _worker_commands() -> Iterable[tuple[str, ArgumentParser]]:
    [commands] = [action for action in build_parser()._actions if isinstance(action, _SubParsersAction)]  # noqa: SLF001 - see above
    return commands.choices.items()


def metrics() -> Iterable[tuple[str, ...]]:
    """Every series of an engine process."""
    yield "series", "type", "labels", "what it tells"
    found = [*_families(Metrics()), *_families(ScrapedGauges())]
    for family, labels in sorted(found, key=lambda row: row[0].name):
        name = f"`{family.name}{'_total' if family.type == 'counter' else ''}`"
        yield name, family.type, ", ".join(f"`{label}`" for label in labels), family.documentation


def _families(owner: object) -> Iterable[tuple[Metric, Iterable[str]]]:
    for series in vars(owner).values():
        if isinstance(series, MetricWrapperBase):
            yield from ((family, series._labelnames) for family in series.describe())  # noqa: SLF001 - not told otherwise
        elif isinstance(series, Histogram):
            yield from ((family, series.label_names) for family in series.describe())


def _plain(default: object) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


TABLES: dict[str, Callable[[], Iterable[tuple[str, ...]]]] = {
    "operations": operations,
    "errors": errors,
    "settings": settings,
    "roles": roles,
    "commands": commands,
    "metrics": metrics,
    "worker_commands": worker_commands,
    "worker_options": worker_options,
}


def drawn(text: str) -> str:
    """Return a page with its tables drawn from their sources."""
    return _TABLE.sub(lambda found: found[1] + _render(TABLES[found[2]]()) + found[3], text)


def _render(rows: Iterable[tuple[str, ...]]) -> str:
    head, *body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *body))


if __name__ == "__main__":
    for page in DOCS.rglob("*.md"):
        page.write_text(drawn(page.read_text()))
