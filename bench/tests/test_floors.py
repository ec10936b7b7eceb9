"""What is made of the figures: ratios of the same round, promises, quantiles, and a page of it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from html.parser import HTMLParser

import pytest

from bench import bars, chart, floors, window
from bench.cases import cases, pairs
from bench.contestants import DOOR, FLOOR, GRPC, LEAN, REST, REST_BATCHED, contestants
from bench.peer_turns import BATCHED, SINGLE
from bench.shape_turns import shapes


def figures(jobs_per_s: float, **others: float) -> dict[str, float]:
    return {"jobs_per_s": jobs_per_s, "p50_ms": 5.0, "p99_ms": 9.0, "engine_cpu_us": 80.0, "load_cpu_us": 9.0} | others


FLOORS = [figures(speed, waited_commit_us=20.0, waited_claim_us=10.0) for speed in (10_000, 20_000, 40_000)]
ROUNDS = {
    "postgres": {
        FLOOR: FLOORS,
        REST: [figures(speed) for speed in (4_000, 8_000, 4_000)],
        REST_BATCHED: [figures(speed) for speed in (4_000, 8_000, 16_000)],
    },
    "sqlite": {FLOOR: FLOORS, REST: [figures(speed) for speed in (4_400, 8_800, 4_400)]},
}


def found(store: str, name: str, words: str) -> bars.Judged:
    [judged] = [each for each in bars.judge(ROUNDS) if (each.store, each.name) == (store, name) and words in each.words]
    return judged


def test_a_ratio_is_of_one_round():
    """Each round is divided by its own; the median of that is judged, and the spread is kept."""
    judged = found("postgres", REST, "floor")
    assert (judged.measured, judged.lowest, judged.highest, judged.passed) == (0.4, 0.1, 0.4, True)


@pytest.mark.parametrize(
    ("store", "name", "words", "passed"),
    [
        ("postgres", REST, "p50", True),
        ("postgres", REST, "engine CPU", True),
        ("postgres", REST_BATCHED, "floor", False),
        ("postgres", REST_BATCHED, "engine CPU", False),
        ("sqlite", REST, "on postgres", True),
    ],
)
def test_ratios_have_a_least_and_times_a_most(store, name, words, passed):
    """A ratio has to reach its bar, a time must not exceed it; SQLite is held against PostgreSQL."""
    assert found(store, name, words).passed is passed


def test_what_was_not_measured_is_not_judged():
    """A bar of which one side is missing is neither kept nor missed."""
    judged = bars.judge(ROUNDS)
    assert not any(LEAN in each.words or each.name == GRPC for each in judged)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_every_bar_is_about_somebody_who_takes_part(kind):
    """The table of bars names contestants of its store only, and tables know the order of all of them."""
    others = {*shapes(kind), SINGLE, BATCHED, *pairs()} | {case.name for case in cases(kind, 1)}
    assert {bar.name for bar in bars.BARS if bar.store == kind} <= others | set(contestants(kind))
    assert set(contestants(kind, wide=True)) <= set(bars.ORDER)


def test_the_floor_is_divided_into_what_it_waits_for_and_its_own_work():
    """The parts make up the time of a job, most first: on average 100, 50 and 75 µs here."""
    runs = [figures(speed, waited_commit_us=20.0, waited_claim_us=10.0) for speed in (10_000, 20_000, 1e6 / 75)]
    parts = floors.parts_of_floor(runs)
    assert [what for what, _ in parts] == ["own work of the loop", "COMMIT", "claim 50 jobs"]
    assert [us for _, us in parts] == pytest.approx([45.0, 20.0, 10.0])


@pytest.mark.parametrize(("share", "expected_s"), [(0.5, 0.010), (0.99, 0.010), (1.0, 3.0)])
def test_quantiles_are_right_within_a_hundredth(share, expected_s):
    """Durations are counted by size; a quantile is that of the size it falls in."""
    latencies = Counter({window.bucket(0.010): 99, window.bucket(3.0): 1})
    assert window.quantile(latencies, share) == pytest.approx(expected_s, rel=0.01)


async def test_only_what_ends_inside_the_span_counts():
    """Warm-up and tidying up are in nobody's figures."""
    now_s = 0.0
    tally = window.Tally(window.Span(10.0, 20.0), monotonic_s=lambda: now_s)
    for now_s in (9.9, 10.0, 19.9, 20.0):
        tally.finished(5, now_s - 1.0)
    assert tally.figures()["count"] == 10
    assert window.quantile(tally.latencies, 0.5) == pytest.approx(1.0, rel=0.01)


async def test_running_out_of_work_voids_the_run_only_before_its_end():
    """Nothing left to claim is an error as long as it would change the figures."""
    tally = window.Tally(window.Span(10.0, 20.0), monotonic_s=lambda: 0.0)
    with pytest.raises(RuntimeError, match="--instances"):
        tally.starved()
    tally.done.set()
    tally.starved()


def test_a_page_shows_all_figures_and_needs_nobody():
    """Every contestant and verdict is on it, its drawings are well-formed, and it loads nothing."""
    artifact = {
        "what": "floors",
        "at": "2026-01-01",
        "command": ["bench", "<floors>"],
        "python": "3.11",
        "cores": 2,
        "figures": {
            "settings": {"rounds": 3, "measure_s": 4.0},
            "rounds": ROUNDS,
            "bars": [each._asdict() for each in bars.judge(ROUNDS)],
        },
    }
    page = chart.page(artifact)
    reader = Reader()
    reader.feed(page)
    assert {"script", "link", "img", "iframe"}.isdisjoint(reader.tags)
    assert reader.tags["svg"] == 6
    assert reader.tags["tr"] == 1 + len(bars.judge(ROUNDS))
    assert {name for seen in ROUNDS.values() for name in seen} <= reader.words
    assert "<floors>" in reader.words or "bench <floors>" in reader.words
    for part in page.split("<svg")[1:]:
        ET.fromstring("<svg" + part.split("</svg>")[0] + "</svg>")


class Reader(HTMLParser):
    """Collects a page's tags and words."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.words: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not any(name in {"src", "href"} for name, _ in attrs)
        self.tags[tag] += 1

    def handle_data(self, data: str) -> None:
        self.words.add(data)


def test_another_artifact_is_refused_with_what_to_do():
    """Only `floors` can be drawn."""
    with pytest.raises(ValueError, match=r"growth.*bench floors"):
        chart.page({"what": "growth"})


def test_a_door_has_no_share_of_the_floor():
    """Nothing is stored behind it."""
    rounds = {"postgres": ROUNDS["postgres"] | {DOOR: [figures(3_000)] * 3}}
    table = floors.table_of(rounds, [])
    row = list(table.columns[0].cells).index(DOOR)
    assert list(table.columns[1].cells)[row] == ""
