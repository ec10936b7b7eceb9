"""A cassette: the exchanges of some cases as NDJSON, written and read. Without its footer it is no cassette.

What belongs here is the form of the file (schemas/cassette.json). What an exchange means to an engine is `replaying`'s,
what it means to the contract is `offline`'s. Whoever adds a field adds it to the schema; a reader refuses what it does
not know rather than replay half of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from rochallor_conformance.cases.documents import read_schema
from rochallor_conformance.contract.places import contract_folder

Json = dict[str, Any]


class BadCassette(Exception):
    """A file is no cassette; record it again: rochallor-conformance contract record --target T --out FILE."""


class Header(msgspec.Struct, frozen=True, tag="header", tag_field="type"):
    """What was recorded, from what, when. `recorded` is an RFC 3339 time."""

    harness: str
    revision: str
    target: str
    capabilities: list[str]
    seed: int
    recorded: str
    format: int = 1


class Http(msgspec.Struct, frozen=True):
    """A REST request written by hand, without its body."""

    method: str
    path: str
    headers: dict[str, str]


class Recorded(msgspec.Struct, frozen=True, tag="exchange", tag_field="type", omit_defaults=True):
    """One request and its answer, in REST's words on both transports. The fields are those of the schema."""

    number: int
    transport: str
    operation: str
    request: Any
    status: int | str
    response: Any
    http: Http | None = None
    rpc: str = ""
    token: str = ""
    awaited: bool = False
    headers: dict[str, str] = {}

    @property
    def by_hand(self) -> bool:
        """Whether only its own transport can say it."""
        return self.http is not None or bool(self.rpc)


class TakeLine(msgspec.Struct, frozen=True, tag="take", tag_field="type"):
    """What a take is of."""

    case: str
    title: str
    area: str
    level: str
    requirements: list[str]
    transport: str
    transports: list[str]
    requires: list[str]
    setting: str
    namespace: str
    verdict: str


class Footer(msgspec.Struct, frozen=True, tag="footer", tag_field="type"):
    """How much there is, so that a file that was cut off is known."""

    takes: int
    exchanges: int
    left_out: dict[str, str]


class Take(msgspec.Struct, frozen=True):
    """One case as it was played."""

    about: TakeLine
    exchanges: list[Recorded]


class Cassette(msgspec.Struct, frozen=True):
    """A whole cassette. `left_out` says why a play is not on it."""

    header: Header
    takes: list[Take]
    left_out: dict[str, str] = {}


def write_cassette(path: Path, cassette: Cassette) -> None:
    """Write a cassette."""
    lines: list[Any] = [cassette.header]
    for take in cassette.takes:
        lines += [take.about, *take.exchanges]
    count = sum(len(take.exchanges) for take in cassette.takes)
    lines.append(Footer(len(cassette.takes), count, cassette.left_out))
    path.write_text("".join(f"{_text(line)}\n" for line in lines), encoding="utf-8")


def _text(line: Any) -> str:
    # json, not msgspec: whole numbers beyond 64 bits are part of the contract.
    fields = {"type": type(line).__struct_config__.tag, **{name: getattr(line, name) for name in _shown(line)}}
    if isinstance(fields.get("http"), Http):
        fields["http"] = msgspec.structs.asdict(fields["http"])
    return json.dumps(fields)


def _shown(line: Any) -> Iterable[str]:
    for field in msgspec.structs.fields(line):
        if not line.__struct_config__.omit_defaults or field.required or getattr(line, field.name):
            yield field.name


def read_cassette(path: Path) -> Cassette:
    """Read a cassette.

    Raises:
        BadCassette: a line is not what the schema says, or the file was cut off.

    """
    validator = Draft202012Validator(read_schema(contract_folder(), "cassette"))
    rows = [_row(path, number, text, validator) for number, text in _lines(path)]
    if not rows or rows[0]["type"] != "header":
        raise BadCassette(f"{path} does not begin with a header. {BadCassette.__doc__}")
    if rows[-1]["type"] != "footer":
        raise BadCassette(f"{path} has no footer: the recording was interrupted. {BadCassette.__doc__}")
    footer: Footer = _made(rows[-1], Footer)
    takes: list[Take] = []
    for row in rows[1:-1]:
        if row["type"] == "take":
            takes.append(Take(_made(row, TakeLine), []))
        elif row["type"] == "exchange" and takes:
            takes[-1].exchanges.append(_made(row, Recorded))
        else:
            raise BadCassette(f"{path}: a line of type {row['type']} is out of place. {BadCassette.__doc__}")
    count = sum(len(take.exchanges) for take in takes)
    if (footer.takes, footer.exchanges) != (len(takes), count):
        raise BadCassette(
            f"{path} has {len(takes)} takes and {count} exchanges, its footer says {footer.takes} and "
            f"{footer.exchanges}; lines are missing. {BadCassette.__doc__}"
        )
    return Cassette(_made(rows[0], Header), takes, footer.left_out)


def _lines(path: Path) -> Iterable[tuple[int, str]]:
    try:
        return enumerate(path.read_text(encoding="utf-8").split("\n")[:-1], 1)
    except (OSError, UnicodeDecodeError) as error:
        raise BadCassette(f"{path} cannot be read: {error}") from error


def _row(path: Path, number: int, text: str, validator: Any) -> Json:
    try:
        row: Any = json.loads(text)
    except ValueError:
        raise BadCassette(f"{path}:{number} is no JSON. {BadCassette.__doc__}") from None
    kind = row.get("type") if isinstance(row, dict) else None
    if kind not in validator.schema["$defs"]:
        raise BadCassette(f"{path}:{number} is no line of a cassette. {BadCassette.__doc__}")
    one = validator.evolve(schema={"$ref": f"#/$defs/{kind}", "$defs": validator.schema["$defs"]})
    if (problem := best_match(one.iter_errors(row))) is not None:
        raise BadCassette(f"{path}:{number} {problem.json_path}: {problem.message[:300]}")
    return {**row}


def _made(row: Json, kind: Any) -> Any:
    return msgspec.convert(row, kind)
