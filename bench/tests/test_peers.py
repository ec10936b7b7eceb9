"""Engines beside ours: how they are named, and what becomes of those that are missing, fail or lie."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from bench import bars, chart, peers, shapes, summary
from bench.__main__ import main
from bench.dbos_venv import interpreter
from bench.engine import EngineProcess
from bench.peer_turns import BATCHED, DBOS, DBOS_TWICE, REFERENCE, SINGLE, Peer, name_of
from bench.shape_turns import MIXED, STORM
from bench.shape_turns import SINGLE as FROM_64
from bench.sidebyside import Effort, Entry, in_turns
from bench.stores import SqliteStores

HOST = "127.0.0.1"
SHORT = Effort(rounds=1, warm_s=0.1, measure_s=1.5)  # on a starved machine, too, something ends in it


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        ("go=http://127.0.0.1:8080", Peer("go", (HOST, 8080))),
        ("go=http://127.0.0.1:8080/,grpc=localhost:9090", Peer("go", (HOST, 8080), ("localhost", 9090))),
    ],
)
def test_a_peer_is_a_name_and_where_it_is(text, peer):
    """Its gRPC door may be left out."""
    assert Peer.parse(text) == peer


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://127.0.0.1:8080", "NAME=URL"),
        ("go=http://127.0.0.1", "no host and port"),
        ("go=https://127.0.0.1:8080", "plain HTTP"),
        ("go=http://127.0.0.1:1,kafka=x:1", "NAME=URL"),
        ("ours=http://127.0.0.1:1", "another name"),
    ],
)
def test_what_is_no_peer_is_refused_with_what_is_wrong(text, words):
    """Before anything is measured."""
    with pytest.raises(ValueError, match=words):
        Peer.parse(text)


def silent() -> Console:
    return Console(quiet=True)


def failing() -> dict[str, float]:
    raise RuntimeError("it fell over")


def test_a_guest_that_fails_voids_its_own_column_only():
    """It takes no further turns, and the others' rounds are all there."""
    taken: list[str] = []

    def well() -> dict[str, float]:
        taken.append("well")
        return {"jobs_per_s": 1.0}

    rounds, failed = in_turns(silent(), [Entry("sqlite", "a", well), Entry("sqlite", "b", failing, guest=True)], 3)
    assert (rounds, failed) == ({"sqlite": {"a": [{"jobs_per_s": 1.0}] * 3}}, {"b": "it fell over"})
    assert len(taken) == 3


def test_anybody_else_who_fails_voids_the_run():
    """Nothing is made of the rest."""
    with pytest.raises(RuntimeError, match="it fell over"):
        in_turns(silent(), [Entry("sqlite", "a", failing)], 3)


class Liar(BaseHTTPRequestHandler):
    """Takes everything, and has always the same job."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer({"id": "i1", "status": "COMPLETED"})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._answer({"id": "i1", "jobs": [{"id": "j1", "instanceId": "i1"}]})

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, what: object) -> None:
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def liar():
    with ThreadingHTTPServer((HOST, 0), Liar) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Peer("liar", (HOST, server.server_port))
        server.shutdown()


def test_a_twin_of_ours_is_measured_and_who_is_missing_or_lies_is_named(liar, tmp_path: Path):
    """A whole run on SQLite: the same load over both transports, with ratios to ours, printed with versions."""
    with EngineProcess({"WE_SQLITE_PATH": str(tmp_path / "twin.db")}) as engine:
        twin = Peer("twin", (HOST, engine.port), (HOST, engine.grpc_port))
        wanted = peers.Wanted((twin, liar, Peer("gone", (HOST, 9))), effort=SHORT)
        measured = peers.measure(silent(), [SqliteStores(tmp_path)], wanted)
    ours = {name_of("ours", transport) for transport in ("rest", "grpc")}
    assert set(measured["rounds"]["sqlite"]) == ours | {name_of("twin", "rest"), name_of("twin", "grpc")}
    assert "handed out twice" in measured["failed"][name_of("liar", "rest")]
    assert "nobody answers" in measured["failed"][name_of("gone", "rest")]
    assert all(runs[0]["jobs_per_s"] > 0 for runs in measured["rounds"]["sqlite"].values())
    console = Console(width=136, record=True, quiet=False, file=(tmp_path / "out").open("w"))
    peers.report(console, measured)
    told = console.export_text()
    console.file.close()
    assert all(word in told for word in ("twin, base REST", "void: gone", "rochallor: ", "synchronous FULL"))


def test_shapes_are_measured_beside_single_reports(tmp_path: Path):
    """A whole run on SQLite: the reference always takes part, a start storm is judged, and a mixture has durations."""
    wanted = shapes.Wanted(SHORT, only=("storm", "mixed"), instances=6_000)
    measured = shapes.measure(silent(), [SqliteStores(tmp_path)], wanted)
    seen = measured["rounds"]["sqlite"]
    assert [*seen] == [FROM_64, STORM, MIXED]
    assert "starts_per_s" in seen[STORM][0]
    assert seen[MIXED][0]["instance_p50_ms"] > 0
    [storm] = measured["bars"]
    assert (storm["name"], storm["limit"]) == (STORM, 0.5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--peer NAME=URL"),
        (["--dbos", "--store", "sqlite"], "same PostgreSQL"),
        (["--peer", "nowhere"], "NAME=URL"),
    ],
)
def test_a_command_that_measures_nobody_is_refused_with_what_to_do(arguments, words):
    """Nothing is started before that."""
    result = CliRunner().invoke(main, ["peers", *arguments])
    assert (result.exit_code, words in result.output) == (2, True)


def figures(jobs_per_s: float) -> dict[str, float]:
    return {"jobs_per_s": jobs_per_s, "p50_ms": 5.0, "p99_ms": 9.0, "engine_cpu_us": 80.0, "load_cpu_us": 9.0}


ROUNDS = {
    "postgres": {
        REFERENCE: [figures(6_000)],
        SINGLE: [figures(8_000)],
        BATCHED: [figures(13_999)],
        DBOS: [{"jobs_per_s": 400.0, "p50_ms": 5.0, "p99_ms": 9.0, "load_cpu_us": 2_000.0}],
    }
}


@pytest.mark.parametrize("whom", [DBOS, DBOS_TWICE])
def test_dbos_is_held_against_jobs_reported_singly_and_in_batches(whom):
    """Twenty times single is enough, and a hair less than 35 times batched is not; of one process and of two."""
    seen = ROUNDS["postgres"]
    rounds = {"postgres": {SINGLE: seen[SINGLE], BATCHED: seen[BATCHED], whom: seen[DBOS]}}
    judged = {each.name: (each.measured, each.passed) for each in bars.judge(rounds)}
    assert judged == {SINGLE: (20.0, True), BATCHED: (pytest.approx(34.9975), False)}


@pytest.mark.parametrize("what", ["shapes", "peers"])
def test_a_page_is_drawn_of_it(what):
    """Everybody is on it with their ratio and unit, who failed is named, and far too long a bar is cut."""
    rounds = ROUNDS if what == "peers" else {"sqlite": {FROM_64: [figures(6_000)], STORM: [{"starts_per_s": 5_000.0}]}}
    if what == "shapes":
        rounds["sqlite"][STORM][0] |= {"p50_ms": 1.0, "load_cpu_us": 5_000.0}
    reference = REFERENCE if what == "peers" else FROM_64
    artifact = {
        "what": what,
        "at": "2026-01-01",
        "command": ["bench", what],
        "python": "3.11",
        "cores": 2,
        "figures": {
            "settings": {"rounds": 1, "measure_s": 4.0, "reference": reference},
            "rounds": rounds,
            "bars": [each._asdict() for each in bars.judge(rounds)],
            "failed": {"go": "it fell over"},
        },
    }
    page = chart.page(artifact)
    expected = ["go is void: it fell over", "✂", *(name for seen in rounds.values() for name in seen)]
    assert [part for part in expected if part not in page] == []
    assert ("5,000 starts/s" in page) == (what == "shapes")
    assert "Where the floor's time goes" not in page


def test_the_one_table_has_ratios_bars_and_who_failed():
    """Bars first, then the ratio of the others to the reference."""
    measured = {"settings": {"reference": REFERENCE}, "rounds": ROUNDS, "failed": {"go": "it fell over"}}
    lines = [(line.what, line.kept) for line in summary.of_sidebyside(measured)]
    assert lines == [(SINGLE, True), (BATCHED, False), (REFERENCE, None), (DBOS, None), ("go", None)]


def test_an_environment_that_cannot_be_made_says_what_to_do(tmp_path: Path):
    """A file where its folder should be: the sentence asks for a package index and names the place."""
    (tmp_path / "venv").write_text("")
    with pytest.raises(RuntimeError, match=r"package index.*venv"):
        interpreter(tmp_path / "venv" / "x")
