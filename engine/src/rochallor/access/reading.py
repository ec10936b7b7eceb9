"""From the text of a tokens file to tokens.

Whoever edits this file holds secrets, and may put one in the wrong place. So a sentence about what is wrong names the
line and the entry, and never repeats what stands there; only a name that has been accepted as one is quoted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import yaml

from rochallor.access.roles import Role
from rochallor.access.tokens import HASH_KIND, Caller, Token, TokenBook

FIELDS = ("name", "role", "hash", "jobTypes", "expires")
_NEEDED = FIELDS[:3]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@/+-]{0,63}")
_HEX = re.compile(r"[0-9a-f]{64}")


class TokensError(ValueError):
    """The tokens file cannot be used; the text says where and why, and holds nothing of its contents."""


def read_tokens(text: str) -> TokenBook:
    """Return the tokens of a YAML or JSON text; raises `TokensError`."""
    entries = _root(text)
    tokens: dict[bytes, Token] = {}
    for number, node in enumerate(entries, 1):
        token = _Entry(node, f"line {node.start_mark.line + 1} (entry {number})").token()
        if token.digest in tokens:
            raise TokensError(f"line {node.start_mark.line + 1} (entry {number}): an entry before has the same hash")
        tokens[token.digest] = token
    return TokenBook(tokens.values())


def _root(text: str) -> list[Any]:
    if text.lstrip().startswith(("[", "{")):
        text = text.replace("\t", " ")  # JSON may be indented with tabs, YAML may not; inside strings JSON has none
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "the file"
        raise TokensError(f"{where} is neither YAML nor JSON") from None
    except RecursionError:
        raise TokensError("the file is nested too deeply to be a list of tokens") from None
    if not isinstance(root, yaml.SequenceNode) or not root.value:
        raise TokensError("the file must hold a list of tokens, at least one; `rochallor token new` prints an entry")
    return list(root.value)


class _Entry:
    """One entry under examination: its fields as nodes."""

    def __init__(self, node: Any, where: str) -> None:
        self._where = where
        if not isinstance(node, yaml.MappingNode):
            raise self._wrong("an entry has the fields name, role and hash")
        self._fields = self._named(node)
        for name in _NEEDED:
            if name not in self._fields:
                raise self._wrong(f"{name} is missing")

    def token(self) -> Token:
        """Return the token; raises `TokensError`."""
        name = self._read("name", _name)
        self._where += f", '{name}'"
        role = self._read("role", Role, f"role must be one of {', '.join(Role)}")
        caller = Caller(name, role, self._job_types(role))
        return Token(
            caller, self._read("hash", _digest), self._read("expires", _moment) if self._has("expires") else None
        )

    def _named(self, node: Any) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name not in FIELDS:
                raise self._wrong(f"line {key.start_mark.line + 1} has a field that is none of {', '.join(FIELDS)}")
            if name in found:
                raise self._wrong(f"{name} is there twice")
            found[name] = value
        return found

    def _has(self, name: str) -> bool:
        node = self._fields.get(name)
        return node is not None and node.tag != "tag:yaml.org,2002:null"

    def _read(self, name: str, read: Callable[[str], Any], allowed: str = "") -> Any:
        node = self._fields[name]
        try:
            if not isinstance(node, yaml.ScalarNode):
                raise ValueError(f"{name} must be a text")  # noqa: TRY004, TRY301 - told like the others
            return read(node.value)
        except ValueError as error:
            raise self._wrong(allowed or str(error)) from None

    def _job_types(self, role: Role) -> frozenset[str] | None:
        if not self._has("jobTypes"):
            return None
        node = self._fields["jobTypes"]
        if role is not Role.WORKER:
            raise self._wrong("jobTypes is for workers only")
        types = [item.value for item in node.value] if isinstance(node, yaml.SequenceNode) else []
        if not types or not all(isinstance(name, str) and name for name in types):
            raise self._wrong("jobTypes must be a list of job types, at least one; leave it out to allow all")
        return frozenset(types)

    def _wrong(self, why: str) -> TokensError:
        return TokensError(f"{self._where}: {why}")


def _name(text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise ValueError("name must be 1 to 64 letters, digits or . _ @ / + -, and begin with a letter or digit")
    return text


def _digest(text: str) -> bytes:
    kind, digits = text[: len(HASH_KIND)].lower(), text[len(HASH_KIND) :].strip().lower()
    if kind != HASH_KIND or _HEX.fullmatch(digits) is None:
        raise ValueError("hash must be sha256: and 64 hexadecimal digits, as `rochallor token new` prints it")
    return bytes.fromhex(digits)


def _moment(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError  # noqa: TRY301 - one sentence for all that is wrong with it
        return int(at.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ValueError("expires must be a time with its zone, such as 2027-01-31T00:00:00Z") from None
