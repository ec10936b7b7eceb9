"""Bearer tokens for callers of an engine: made here, kept by the caller, known to the engine by their hash."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import yaml

from rochallor.access import Role, TokensError, hash_of, mint, read_tokens
from rochallor.access.tokens import TOKEN_BITS
from rochallor.core.durations import parse_duration
from rochallor.shell.clocks import SystemClock, SystemEntropy


@click.group()
def token() -> None:
    """Bearer tokens for callers."""


class Expiry(click.ParamType[str]):
    """A time with its zone, or a duration from now; given on as a time."""

    name = "time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the time as the tokens file has it."""
        try:
            at = _at(value)
        except (ValueError, OverflowError):
            self.fail(
                f"{value} is neither a time with its zone (2027-01-31T00:00:00Z) nor a duration (P90D)", param, ctx
            )
        if at.timestamp() * 1000 <= SystemClock().now_ms():
            self.fail(f"{value} is past, and the token would never be let in; name a later time, or P90D", param, ctx)
        return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _at(text: str) -> datetime:
    if text.startswith("P"):
        return datetime.fromtimestamp(parse_duration(text).after(SystemClock().now_ms()) / 1000, UTC)
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return at


@token.command()
@click.option("--name", required=True, help="Whose it is; the audit shows this name.")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]))
@click.option("--job-type", "job_types", multiple=True, metavar="TYPE", help="Workers only; may be repeated.")
@click.option("--expires", type=Expiry(), help="A time (2027-01-31T00:00:00Z) or a duration from now (P90D).")
def new(name: str, role: str, job_types: tuple[str, ...], expires: str | None) -> None:
    """Make a token: its entry goes to standard output, the token itself to standard error, once.

    So `rochallor token new --name ci --role operator >> tokens.yaml` keeps the entry and shows the token.
    """
    secret = mint(SystemEntropy().bits(TOKEN_BITS))
    entry: dict[str, object] = {"name": name, "role": role, "hash": hash_of(secret)}
    if job_types:
        entry["jobTypes"] = list(job_types)
    if expires:
        entry["expires"] = expires
    text = yaml.safe_dump([entry], sort_keys=False, allow_unicode=True, width=1_000)
    try:
        read_tokens(text)
    except TokensError as error:
        raise click.UsageError(str(error).partition(": ")[2]) from None
    click.echo(text, nl=False)
    click.echo(
        f"The token of {name}, shown this once (callers send Authorization: Bearer <token>):\n{secret}", err=True
    )
