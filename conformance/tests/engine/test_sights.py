"""What a case leaves behind is read over both doors, and compared only if nothing moved meanwhile."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from rochallor_conformance.engine.bench import ADDITIONS
from rochallor_conformance.engine.sights import MOST, READS, sights
from rochallor_conformance.transports.exchange import Answer, Unreachable

OURS = frozenset({ADDITIONS})


class Door:
    """Answers one reading after the other, the last one for ever."""

    def __init__(self, *answers: Any, implemented: bool = True) -> None:
        self.asked: list[tuple[str, str]] = []
        self._answers = list(answers)
        self._implemented = implemented

    async def call(self, operation: Any, args: Any, journal: Any, *, token: str = "") -> Answer:
        entry = journal.begin("rest", operation.id, operation.path, args, {})
        self.asked.append((operation.id, args["id"]))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        journal.end(entry, status=200, is_ok=True, response=answer, headers={"token": token})
        return Answer(exchange=entry, is_ok=True, body=answer, implemented=self._implemented)


def look(rest: Door | None, grpc: Door | None, *instances: str, able: frozenset[str] = OURS) -> list[Any]:
    address = SimpleNamespace(tokens={"admin": "secret"})
    bench: Any = SimpleNamespace(rest=rest, grpc=grpc, address=address, capabilities=able)
    return asyncio.run(sights(bench, instances))


def test_every_reading_of_the_first_instances_is_a_pair() -> None:
    """Once each, however often an instance was seen; more than a few would make every case slow."""
    rest, grpc = Door({"status": "ACTIVE"}), Door({"status": "ACTIVE"})
    assert len(look(rest, grpc, "a", "b", "a", "c", "d")) == MOST * len(READS)
    assert {instance for _, instance in grpc.asked} == {"a", "b", "c"}


def test_what_moved_between_the_readings_is_not_compared() -> None:
    """A timer may fire between two questions; that is no difference between doors."""
    assert len(look(Door(1, 2, 3, 4, 5), Door(1), "a")) == len(READS) - 2


def test_one_door_alone_has_nothing_to_agree_with() -> None:
    """An engine without gRPC, or without this rpc, is judged by what it has."""
    assert look(Door(1), None, "a") == look(None, Door(1), "a") == look(Door(1), Door(1, implemented=False), "a") == []


def test_an_engine_of_the_base_contract_is_not_asked_for_our_additions() -> None:
    """It has no audit trail, whatever one of its doors may make up."""
    rest = Door(1)
    assert len(look(rest, Door(1), "a", able=frozenset())) == len(READS) - 1
    assert "getInstanceAudit" not in {name for name, _ in rest.asked}


def test_an_engine_that_is_gone_has_been_judged_already() -> None:
    """Whoever played the case says so."""
    assert look(Door(1), Door(Unreachable("nobody answers")), "a") == []
