"""What a target is known to fail: read, matched against results, and kept honest.

An entry that has expired, that matches nothing, that is too broad, whose case passes or fails with another message is
bookkeeping to be done, and makes the run red even when nothing else is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec
import yaml

from rochallor_conformance.cases.documents import DataError, read_document

LONGEST = timedelta(days=90)
BROADEST = 20
"""An entry that covers more plays than this says nothing about any of them."""


MADE_UP = re.compile(r"[\"']?\b(?=[\w-]*\d)[\w-]{8,}")
"""What looks like an id, a token or a time: it is another one in the next run."""


class Entry(msgspec.Struct, frozen=True):
    """One thing the target is known to fail."""

    case: str
    reason: str
    owner: str
    added: str
    expires: str
    message: str
    transport: str = ""

    def fits(self, case: str, transport: str) -> bool:
        """Return whether it is about this play."""
        named = fnmatchcase(case, self.case.replace("[", "[[]")) or case.partition("[")[0] == self.case
        return named and self.transport in ("", transport)


class KnownFailures(msgspec.Struct, frozen=True):
    """A target's file."""

    target: str
    failures: list[Entry]

    def about(self, case: str, transport: str, message: str) -> Entry | None:
        """Return the entry that covers a failure with this message."""
        return next((each for each in self.failures if each.fits(case, transport) and each.message in message), None)


def read_known_failures(path: Path, schema: dict[str, Any]) -> KnownFailures:
    """Read a file; raises `DataError` when it is not what the schema asks for."""
    return msgspec.convert(read_document(path, schema).data, KnownFailures)


def bookkeeping(
    known: KnownFailures, results: Sequence[dict[str, Any]], today: date, whole: Collection[tuple[str, str]] = ()
) -> Iterator[str]:
    """Yield what is to be done about a file after a run.

    `results` are the report's. `whole` are the plays, (case, transport), of a run that leaves nothing out: a shard, or
    a few cases, cannot say that an entry for another of them matches nothing.
    """
    for entry in known.failures:
        yield from (f"{entry.case}: {sentence}" for sentence in _judged(entry, results, today, whole))


def _judged(
    entry: Entry, results: Sequence[dict[str, Any]], today: date, whole: Collection[tuple[str, str]]
) -> Iterator[str]:
    added, expires = date.fromisoformat(entry.added), date.fromisoformat(entry.expires)
    if expires - added > LONGEST:
        yield f"expires {(expires - added).days} days after it was added; {LONGEST.days} are allowed"
    if expires < today:
        yield f"expired on {entry.expires}; mend it, or say anew why not"
    about = [result for result in results if entry.fits(result["case"], result["transport"])]
    failed = [result for result in about if result["status"] in ("failed", "known")]
    if not about:
        if not any(entry.fits(*play) for play in whole):
            yield "matches no case of this run; correct or remove it"
    elif len(about) > BROADEST:
        yield f"covers {len(about)} plays; at most {BROADEST} are allowed, name them more closely"
    elif not failed:
        if any(result["status"] == "passed" for result in about):
            yield "passes; remove it"
    elif not any(result["status"] == "known" for result in failed):
        message = failed[0].get("failure", {}).get("message", "")
        yield f"fails with another message: {message[:200]!r} does not contain {entry.message!r}"


def draft(target: str, results: Iterable[dict[str, Any]], today: date) -> str:
    """Return the text of a file that covers every failure of a run, for somebody to write the reasons into."""
    entries = [
        {
            "case": result["case"],
            "transport": result["transport"],
            "reason": f"Not judged yet: {result['title']}",
            "owner": "nobody yet",
            "added": today.isoformat(),
            "expires": (today + LONGEST).isoformat(),
            "message": _stable(result["failure"]["message"]),
        }
        for result in results
        if result["status"] == "failed"
    ]
    text: str = yaml.safe_dump(
        {"target": target, "failures": entries},
        sort_keys=False,
        allow_unicode=True,
        width=118,
        default_flow_style=False,
    )
    return text


def _stable(message: str) -> str:
    """Return the part of a message that is likely to be the same next time: up to the first value in it."""
    head = message.split("\n", 1)[0]
    for mark in (", got ", ' "', " '", ": {"):
        head = head.split(mark, 1)[0]
    head = MADE_UP.split(head, maxsplit=1)[0]
    return head[:120].strip() or message[:40]


__all__ = ["DataError", "Entry", "KnownFailures", "bookkeeping", "draft", "read_known_failures"]
