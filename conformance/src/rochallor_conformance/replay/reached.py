"""Which documented statuses a fuzzer reached, and why it did not reach the others.

`NOT_TO_BE_REACHED` is the table of reasons. A status that was neither reached nor is excused there makes the session
incomplete: what was not met was not tested.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from rochallor_conformance.contract.operations import operations

NOT_TO_BE_REACHED: dict[int, str] = {
    410: "only where jobs are dispatched through Kafka",
    429: "only under more load than the engine accepts",
    500: "a bug of the engine; reaching it is a finding",
    503: "only while the store does not answer or the engine stops",
}
WITHOUT_TOKENS: dict[int, str] = {
    401: "needs an engine that asks for tokens: engine:sqlite or engine:postgres",
    403: "needs an engine that asks for tokens: engine:sqlite or engine:postgres",
}
OF_ONE: dict[tuple[str, int], str] = {
    ("uploadDefinition", 409): "only when two uploads of one id meet at one moment",
    ("getOpenapi", 403): "every role may read it",
    ("getDefinitionSchema", 403): "every role may read it",
}
"""Reasons of one operation; they win over those of a status."""


class Finding(msgspec.Struct):
    """An answer that the contract does not allow. `times` counts how often; `command` sends the first one again."""

    operation: str
    sentence: str
    command: str
    times: int = 1


class Tally:
    """What a fuzzing session saw of the operations in `only`; empty is all. `base_only`: of an engine without ours."""

    def __init__(self, only: frozenset[str] = frozenset(), *, base_only: bool = False) -> None:
        self.only = only
        self.base_only = base_only
        self.reached: Counter[tuple[str, int]] = Counter()
        self.findings: dict[tuple[str, str], Finding] = {}
        self.is_cut = False

    def note(self, operation: str, status: int) -> None:
        """Count an answer."""
        self.reached[operation, status] += 1

    def find(self, operation: str, sentence: str, command: str) -> None:
        """Note a finding; what follows a colon are its values, and the same of one operation is counted."""
        key = (operation, sentence.partition(": ")[0])
        if key in self.findings:
            self.findings[key].times += 1
        else:
            self.findings[key] = Finding(operation, sentence, command)

    def rows(self, *, has_tokens: bool) -> list[tuple[str, int, int, str]]:
        """Return (operation, documented status, how often reached, why not) for every line of the table."""
        excused = NOT_TO_BE_REACHED if has_tokens else NOT_TO_BE_REACHED | WITHOUT_TOKENS
        return [
            (name, status, count, "" if count else OF_ONE.get((name, status), excused.get(status, "")))
            for name, operation in operations().items()
            if not self.only or name in self.only
            for status in sorted(operation.answers)
            for count in [self.reached[name, status]]
        ]

    def lines(self, *, has_tokens: bool) -> list[str]:
        """Return the table for a person: a line per operation, then the reasons."""
        reasons: list[str] = []
        found: dict[str, list[str]] = {}
        for name, status, count, why in self.rows(has_tokens=has_tokens):
            if why and why not in reasons:
                reasons.append(why)
            told = f"{status} ({count})" if count else f"{status} [{reasons.index(why) + 1 if why else '!'}]"
            found.setdefault(name, []).append(told)
        width = max(map(len, found))
        table = [f"{name:<{width}}  {'  '.join(statuses)}" for name, statuses in found.items()]
        return [*table, *(f"[{index}] {why}" for index, why in enumerate(reasons, 1))]

    def missed(self, *, has_tokens: bool) -> list[str]:
        """Return what was neither reached nor is excused."""
        return [
            f"{name} {status}" for name, status, count, why in self.rows(has_tokens=has_tokens) if not (count or why)
        ]
