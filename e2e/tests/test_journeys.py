"""The core of the journeys: all of them on two cells, a few of them killed. `tox -e e2e` plays the whole matrix."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from random import Random

import pytest

from e2e.journeys import __main__ as command
from e2e.journeys.bank import Bank, Call
from e2e.journeys.journey import Act, Journey, Outcome
from e2e.journeys.kills import DATABASE, ENGINE, WORKER, Kill, Killer, plan
from e2e.journeys.matrix import JOURNEYS, KILLED, UNDISTURBED, Report, play
from e2e.journeys.player import Played
from e2e.journeys.site import Cell
from e2e.journeys.verdict import Traces, problems_of
from tools.postgres_server import installed_program

SEED = 7
BY_NAME = {journey.name: journey for journey in JOURNEYS}


@pytest.fixture
def server_wheel(lacking):
    if installed_program() is None:
        lacking("postgres", "the wheel with PostgreSQL is not installed")


async def played(cell, mode, *names):
    report = await play([cell], [BY_NAME[name] for name in names or BY_NAME], seed=SEED, modes=[mode])
    assert [str(failure) for failure in report.failures] == []
    return report


async def test_every_journey_ends_where_it_should_on_sqlite_over_rest():
    """Ends, histories, variables, children and effects are those of the table."""
    report = await played(Cell("sqlite", "rest"), UNDISTURBED)
    assert {name for name, _ in report.marks} == set(BY_NAME)


@pytest.mark.usefixtures("server_wheel")
async def test_every_journey_ends_where_it_should_on_postgresql_over_grpc():
    """Ends, histories, variables, children and effects are those of the table."""
    report = await played(Cell("postgres", "grpc"), UNDISTURBED)
    assert {name for name, _ in report.marks} == set(BY_NAME)


async def test_killed_on_sqlite_a_journey_ends_as_if_nothing_had_happened():
    """Engine, then worker, die in the middle; nothing is lost or doubled."""
    report = await played(Cell("sqlite", "grpc"), KILLED, "manual retry")
    assert list(report.marks.values()) == ["EW"]


@pytest.mark.usefixtures("server_wheel")
async def test_killed_on_postgresql_a_journey_ends_as_if_nothing_had_happened():
    """Engine, worker and database die in the middle; the chained child is born once."""
    report = await played(Cell("postgres", "rest"), KILLED, "chaining")
    assert list(report.marks.values()) == ["EWD"]


@pytest.mark.usefixtures("server_wheel")
async def test_two_engines_on_one_database_share_a_journey():
    """The worker's engine dies and comes back while everybody else talks to the other one."""
    cell = Cell("postgres", "grpc", engines=2)
    assert (await played(cell, KILLED, "wait and signal")).marks == {("wait and signal", cell): "E"}


CHAIN = Journey(
    "chain",
    [{"id": "parent"}, {"id": "child"}],
    Outcome("paid", "ask/FAILED pay paid", {"sum": 3, "when": ...}),
    {"work": 2},
    child=Outcome("sent", "sent"),
)


def item(step_id, status="COMPLETED", step_type="SERVICE_TASK"):
    return {"stepId": step_id, "status": status, "stepType": step_type}


def instance(definition_id, variables, status="COMPLETED"):
    return {"definitionId": definition_id, "status": status, "variables": variables, "failureReason": "it broke"}


ASKED, PAY, PAID = item("ask", "FAILED"), item("pay"), item("paid", step_type="END")
SENT, PARENT, CHILD = item("sent", step_type="END"), instance("parent", {"sum": 3, "when": 1}), instance("child", {})
TWO = Counter(work=2)
AS_IT_SHOULD = Traces([PARENT, CHILD], [[ASKED, PAY, PAID], [SENT]], 2, TWO, 2)
DIFFERENCES = {
    "reached gone, not paid": {"histories": [[ASKED, PAY, item("gone", step_type="END")], [SENT]]},
    "child reached no END, not sent": {"histories": [[ASKED, PAY, PAID], []]},
    "has pay too much in its history and lacks nothing": {"histories": [[ASKED, PAY, PAY, PAID], [SENT]]},
    "has ask too much in its history and lacks ask/FAILED": {"histories": [[item("ask"), PAY, PAID], [SENT]]},
    "parent is FAILED, not COMPLETED: it broke": {
        "instances": [instance("parent", PARENT["variables"], "FAILED"), CHILD]
    },
    "has sum = 4, not 3": {"instances": [instance("parent", {"sum": 4, "when": 1}), CHILD]},
    "has no variable when": {"instances": [instance("parent", {"sum": 3}), CHILD]},
    "3 instances carry its business key, not 2": {"born": 3},
    "its workers did {'work': 3}, not {'work': 2}": {"effects": Counter(work=3)},
    "its handlers were called 3 times, not 2": {"calls": 3},
}


@pytest.mark.parametrize("sentence", DIFFERENCES)
def test_the_verdict_sees_every_difference(sentence):
    """Whatever is otherwise than in the table is said in a sentence, and nothing is said of what is right."""
    problems = problems_of(CHAIN, AS_IT_SHOULD._replace(**DIFFERENCES[sentence]), exact_calls=True)
    assert sentence in "; ".join(problems)
    assert problems_of(CHAIN, AS_IT_SHOULD, exact_calls=True) == []


def test_a_killed_journey_may_call_its_handlers_again():
    """A delivery whose worker died is no effect of its own; another effect is."""
    assert problems_of(CHAIN, AS_IT_SHOULD._replace(calls=5), exact_calls=False) == []
    assert problems_of(CHAIN, AS_IT_SHOULD._replace(calls=5, effects=Counter(work=3)), exact_calls=False)


def test_true_is_not_one():
    """A boolean that should be a number is a difference."""
    traces = AS_IT_SHOULD._replace(instances=[instance("parent", {"sum": 3, "when": 1}), CHILD])
    journey = CHAIN._replace(outcome=CHAIN.outcome._replace(variables={"when": True}))
    assert problems_of(journey, traces, exact_calls=True) == ["parent has when = 1, not True"]


def test_a_seed_decides_the_moment_of_every_kill():
    """One seed, one moment; over many, every call of a handler and every answer is hit, held and not."""
    journey = CHAIN._replace(acts=[Act("signal", "x")])
    kills = {victim: {plan(journey, victim, Random(seed)) for seed in range(300)} for victim in (ENGINE, WORKER)}
    assert plan(journey, DATABASE, Random(1)) == plan(journey, DATABASE, Random(1))
    assert {(kill.call, kill.held) for kill in kills[ENGINE] if kill.call} == {
        (number, held) for number in (1, 2) for held in (True, False)
    }
    assert {kill.act for kill in kills[ENGINE] if not kill.call} == {0, 1}
    assert kills[WORKER] == {Kill(WORKER, call=1), Kill(WORKER, call=2)}


async def test_a_kill_that_never_comes_is_a_failure():
    """A journey that was to be killed and was not has shown nothing."""
    killer = Killer(Kill(ENGINE, call=9), None, Bank(), "key")
    await killer.after_act(0)
    assert await killer.finish() == ["the moment never came for: engine killed during handler call 9"]


async def test_the_bank_counts_an_effect_once_and_its_caller_may_die():
    """Two deliveries of one step execution are one effect, known even if the first caller hung up unanswered."""
    held, release = asyncio.Event(), asyncio.Event()

    async def hold():
        held.set()
        await release.wait()

    async with Bank() as bank:
        bank.at_call("root", 1, hold)
        for key in ("1", "1", "2"):
            reader, writer = await asyncio.open_connection("127.0.0.1", bank.port)
            writer.write(json.dumps(Call("root", "work", key)._asdict()).encode() + b"\n")
            if release.is_set():
                await reader.readline()
            else:
                await held.wait()
                writer.transport.abort()
                release.set()
            writer.close()
        assert (bank.effects_of("root"), len(bank.calls_of("root"))) == ({"work": 2}, 3)


@pytest.mark.parametrize("problems", [[], ["parent reached gone, not paid"]])
def test_a_journey_that_ends_elsewhere_is_an_exit_code_a_sentence_and_its_history(monkeypatch, capsys, problems):
    """It is exit code 1, with what was expected, every step execution, and the command to see it again."""

    async def broken(cells, journeys, **_more):
        report = Report(1)
        report.note(journeys[0], cells[0], Played(12, [], []))
        report.note(journeys[0], cells[0], Played(34, problems, [ASKED]), "worker killed during handler call 1")
        return report

    monkeypatch.setattr(command, "play", broken)
    assert command.main(["--journey", "chaining", "--kill", "--seed", "1"]) == bool(problems)
    printed = capsys.readouterr().out
    assert f"12 ✓ {'✗' if problems else 'W'}\n" in printed
    failure = f"chaining on sqlite/rest, worker killed during handler call 1: {problems and problems[0]}"
    again = 'again: python -m e2e.journeys --store sqlite --transport rest --journey "chaining" --kill --seed 1'
    assert [part in printed for part in (failure, '"stepId": "ask"', again)] == [bool(problems)] * 3


def test_a_matrix_that_cannot_be_played_is_exit_code_1(monkeypatch, capsys):
    """Without a server, or with an engine that does not start, nothing has passed."""

    async def nowhere(*_args, **_more):
        raise RuntimeError("no PostgreSQL here")

    monkeypatch.setattr(command, "play", nowhere)
    assert command.main([]) == 1
    assert "could not be played to its end: no PostgreSQL here" in capsys.readouterr().out


def test_an_unknown_journey_is_answered_with_those_there_are(capsys):
    """A typing error does not play nothing and pass."""
    with pytest.raises(SystemExit, match="2"):
        command.main(["--journey", "lone"])
    assert "chaining; business key" in capsys.readouterr().err
