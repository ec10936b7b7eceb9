"""The command line: `rochallor-conformance …`, one module per group of verbs.

How it ends is for scripts to rely on: 0 conformant, 1 an unexpected failure, 2 only bookkeeping is to be done,
3 incomplete or trouble around the run, 4 the command is wrong, 5 a mutant survived, 130 interrupted.
"""

from __future__ import annotations

import sys
from io import TextIOWrapper

import click

from rochallor_conformance.cases.documents import DataError
from rochallor_conformance.cli import contract, corpus, drivers, exploring, judging, known, mutants, reports
from rochallor_conformance.contract.places import NoContract
from rochallor_conformance.engine.targets import BadTarget
from rochallor_conformance.replay.cassette import BadCassette
from rochallor_conformance.report.records import BadReport
from rochallor_conformance.running import INCOMPLETE, INTERRUPTED, USAGE
from rochallor_conformance.sdk.manifest import BadManifest
from rochallor_conformance.transports.exchange import Unreachable


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rochallor-conformance")
def cli() -> None:
    """Judge workflow engines and SDKs against the contract, over REST and gRPC.

    Begin with `rochallor-conformance run --target engine:sqlite`, or engine:URL,grpc=HOST:PORT for one that runs.
    """


for _module in (judging, corpus, mutants, reports, known, contract, exploring, drivers):
    for _command in _module.COMMANDS:
        cli.add_command(_command)


def main() -> None:
    """Be the console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(code_of(sys.argv[1:]))


def code_of(arguments: list[str]) -> int:
    """Carry out a command line; return the exit code."""
    try:
        done = cli.main(arguments, prog_name="rochallor-conformance", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return USAGE
    except (BadTarget, BadManifest, DataError, BadReport, BadCassette, NoContract) as error:
        click.echo(f"Error: {error}", err=True)
        return INCOMPLETE if isinstance(error, BadReport | BadCassette) else USAGE
    except Unreachable as error:
        click.echo(f"Error: {error}", err=True)
        return INCOMPLETE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; the report has no footer and is none", err=True)
        return INTERRUPTED
    return int(done or 0)
