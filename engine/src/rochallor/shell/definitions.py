"""Definitions at run time: compiled once per version, and how an upload becomes a version (or turns out to be one)."""

from __future__ import annotations

from collections import OrderedDict

from msgspec.structs import replace

from rochallor.core.definition import (
    Change,
    Definition,
    Parsed,
    Problem,
    compare,
    next_workflow_unknown,
    parse_definition,
    with_layout,
)
from rochallor.core.errors import BadRequest, Detail, InternalError, NotFound, PayloadTooLarge
from rochallor.ports import StoredDefinition, Transaction
from rochallor.shell.settings import Settings
from rochallor.shell.views import UploadView, moment

_CACHED = 1_000


class Definitions:
    """Compiled definitions by (id, version), each with the text it was compiled from.

    A version never changes but for its layout. Another engine may replace that, so whoever cares about it comes with
    the text that is stored (`compiled`). What is uploaded in a transaction is believed when that is committed; if it is
    not (`doubt`), another upload may become that version.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._compiled: OrderedDict[tuple[str, int], tuple[bytes, Definition]] = OrderedDict()
        self._uploaded: set[tuple[str, int]] = set()

    async def pinned(self, tx: Transaction, definition_id: str, version: int) -> Definition:
        """Return one compiled version; raises `NotFound`."""
        key = (definition_id, version)
        known = self._compiled.get(key)
        if known is not None:
            return known[1]
        stored = await tx.definition(definition_id, version)
        if stored is None:
            raise NotFound(f"definition '{definition_id}' has no version {version}")
        return self.compiled(stored)

    def parse(self, raw: bytes) -> Parsed:
        """Return an uploaded definition compiled, with its warnings; raises for what is wrong with it."""
        coercion = self._settings.expression_coercion
        parsed = parse_definition(raw, limits=self._settings.definition_limits, coercion=coercion)
        if parsed.too_large:
            raise PayloadTooLarge(parsed.problems[0].message)
        if parsed.definition is None:
            count = len(parsed.problems)
            first = parsed.problems[0]
            more = f" (and {count - 1} more, see details)" if count > 1 else ""
            message = f"the definition is not valid: {first.pointer or '/'}: {first.message}{more}"
            raise BadRequest(message, details=_details(parsed.problems))
        return parsed

    async def store(self, tx: Transaction, parsed: Parsed, now_ms: int, *, ordered: bool) -> UploadView:
        """Store an upload: the latest version when nothing changed, else the next one."""
        uploaded = parsed.definition
        assert uploaded is not None
        latest = await tx.latest_definition(uploaded.id)
        change = compare(self.compiled(latest), uploaded, ordered=ordered) if latest else Change.CONTENT
        if change is Change.CONTENT or latest is None:
            version = latest.version + 1 if latest else 1
            stored = StoredDefinition(
                uploaded.id, version, uploaded.name, uploaded.description, uploaded.source, now_ms
            )
            self._uploaded.add((stored.id, stored.version))
            await tx.insert_definition(stored)
            await tx.hasten_chains({stored.id}, now_ms)
        elif change is Change.LAYOUT:
            stored = latest._replace(source=with_layout(self.compiled(latest), uploaded).source)
            await tx.replace_layout(stored)
        else:
            stored = latest
        warnings = [*parsed.warnings, *await _chain_warnings(tx, uploaded)]
        return _answer(stored, _details(warnings))

    def committed(self) -> None:
        """Believe what was uploaded since."""
        self._uploaded.clear()

    def doubt(self) -> None:
        """Forget what was uploaded since: its transaction has failed, and another may become that version."""
        for key in self._uploaded:
            self._compiled.pop(key, None)
        self._uploaded.clear()

    def compiled(self, stored: StoredDefinition) -> Definition:
        """Return a stored version compiled, from memory when it is there."""
        key = (stored.id, stored.version)
        known = self._compiled.get(key)
        if known is None or known[0] != stored.source:
            # Limits hold at the door only: what was accepted once stays readable when they are lowered.
            parsed = parse_definition(stored.source, coercion=self._settings.expression_coercion)
            if parsed.definition is None:
                raise InternalError(f"definition '{stored.id}' version {stored.version} cannot be read back")
            known = self._compiled[key] = stored.source, replace(parsed.definition, version=stored.version)
            if len(self._compiled) > _CACHED:
                self._compiled.popitem(last=False)
        return known[1]


async def _chain_warnings(tx: Transaction, uploaded: Definition) -> list[Problem]:
    target = uploaded.next_workflow_id
    if not uploaded.auto_start_next_workflow or target is None or target == uploaded.id:
        return []
    return [] if await tx.latest_definition(target) else [next_workflow_unknown(target)]


def _details(problems: tuple[Problem, ...] | list[Problem]) -> tuple[Detail, ...]:
    return tuple(Detail(problem.code, problem.pointer, problem.message) for problem in problems)


def _answer(stored: StoredDefinition, warnings: tuple[Detail, ...]) -> UploadView:
    return UploadView(
        id=stored.id,
        version=stored.version,
        name=stored.name,
        description=stored.description or None,
        uploaded_at=moment(stored.uploaded_at_ms),
        warnings=warnings,
    )
