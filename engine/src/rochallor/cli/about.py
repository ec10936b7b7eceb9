"""What this program is: its version, its contract."""

from __future__ import annotations

import platform

import click
from rochallor_proto import contract_bytes

from rochallor import __version__


@click.command()
def version() -> None:
    """Print the version."""
    click.echo(f"rochallor {__version__} (Python {platform.python_version()})")


@click.command()
def openapi() -> None:
    """Print the REST contract as OpenAPI 3.1."""
    click.echo(contract_bytes("openapi"))
