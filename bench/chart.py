"""A page that shows what `floors`, `shapes` or `peers` found: one HTML file with its drawings in it, and nothing else.

Everything is drawn from the artifact, so a page can be made long after the run and on another machine. It has no
scripts and asks nobody for anything. What other reports found is drawn in `bench.charts`.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any, NamedTuple

from bench import bars, charts
from bench.contestants import DOOR, FLOOR
from bench.floors import PARTS, parts_of_floor
from bench.peer_turns import OURS
from bench.peer_turns import REFERENCE as PEERS_REFERENCE
from bench.sidebyside import speed_of
from bench.svg import WIDTH, Drawing

_LEFT, _RIGHT, _ROW, _BAR = 160, 150, 26, 15
_FAR = 10
_WHOSE = ("engine", "database", "load")
_COLOURS = {name: number for number, name in enumerate(PARTS)}
"""The same part has the same colour on every store."""


class _Words(NamedTuple):
    """What a page of a report says: its title, what the report is, whose bars have colour and whose are grey."""

    title: str
    intro: str
    ours: str
    others: str = ""


_WORDS = {
    "floors": _Words(
        "How close to what the store can do",
        "An engine over each transport, beside loops that are no engines and write the same rows to the same store. "
        "A job is one completion with the claim of the next; every commit waits for the disk.",
        "engine",
        "bare loop",
    ),
    "shapes": _Words(
        "One engine under all shapes of load",
        "Few callers and many, starts only, wide and heavy instances, two engines. A job is one completion with the "
        "claim of the next; every commit waits for the disk.",
        "engine",
    ),
    "peers": _Words(
        "Our engine beside others",
        "The same load on all engines in the same run, in turns. A step of DBOS counts as a job; every commit waits "
        "for the disk.",
        "ours",
        "others",
    ),
}


def page(artifact: Mapping[str, Any]) -> str:
    """Return the HTML of an artifact; raises `ValueError` for one that is not drawn."""
    what = artifact.get("what", "")
    if what in charts.DRAWN:
        return charts.page(artifact)
    words = _WORDS.get(what)
    if words is None:
        drawn = ", ".join(f"`python -m bench {name}`" for name in (*_WORDS, *charts.DRAWN))
        raise ValueError(f"this is an artifact of '{what}'; charts are drawn of {drawn}")
    figures = artifact["figures"]
    settings, rounds = figures["settings"], figures["rounds"]
    judged = [bars.Judged(**each) for each in figures["bars"]]
    reference = settings.get("reference", FLOOR)
    parts = {name: escape(text) for name, text in words._asdict().items()} | {
        "legend": f'<i class="bare"></i>{escape(words.others)} ' * bool(words.others),
        "reference": escape(f"the {reference}" if reference == FLOOR else f"'{reference}'"),
        "command": escape(" ".join(artifact["command"])),
        "at": escape(artifact["at"]),
        "machine": escape(f"{artifact['cores']} cores, Python {artifact['python']}"),
        "rounds": str(settings["rounds"]),
        "seconds": f"{settings['measure_s']:g}",
        "verdict": "; ".join([_verdict(judged), *map(escape, _void(figures))]),
        "promises": "\n".join(map(_promise, judged)),
        "speed": "\n".join(_section(kind, str(_speed(kind, seen, judged, reference))) for kind, seen in rounds.items()),
        "cost": "\n".join(_section(kind, str(_cost(kind, seen, reference))) for kind, seen in rounds.items()),
        "floor": _WAITS * (reference == FLOOR)
        + "\n".join(_section(kind, str(_floor(kind, seen[FLOOR]))) for kind, seen in rounds.items() if FLOOR in seen),
    }
    return Template(files("bench").joinpath("chart.html").read_text(encoding="utf-8")).substitute(parts)


_WAITS = """<h2>Where the floor's time goes</h2>
<p class="soft">One connection that waits for each of its statements in turn.</p>
"""


def _void(figures: Mapping[str, Any]) -> Iterator[str]:
    for name, why in figures.get("failed", {}).items():
        yield f"{name} is void: {why}"


def _section(kind: str, drawing: str) -> str:
    return f"<h3>{escape(_TITLES.get(kind, kind))}</h3>\n{drawing}"


_TITLES = {"postgres": "PostgreSQL", "sqlite": "SQLite"}


def _verdict(judged: Sequence[bars.Judged]) -> str:
    kept = sum(each.passed for each in judged)
    return f"{kept} of {len(judged)} promises kept" if judged else "no promise was measured"


def _promise(each: bars.Judged) -> str:
    style, word = ("pass", "kept") if each.passed else ("fail", "missed")
    spread = f"{each.lowest:.3g} to {each.highest:.3g}"
    cells = (_TITLES.get(each.store, each.store), each.name, each.words, f"{each.measured:.3g}", spread)
    row = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr>{row}<td class="{style}">{word}</td></tr>'


def _named(seen: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Return the contestants from top to bottom, each with the top of its row."""
    names = sorted(seen, key=bars.ORDER.index) if FLOOR in seen else seen
    for row, name in enumerate(names):
        yield row * _ROW, name


def _speed(
    kind: str, seen: Mapping[str, Sequence[bars.Figures]], judged: Sequence[bars.Judged], reference: str
) -> Drawing:
    """Draw how fast each is beside the reference: the median as a bar, each round as a dot, a promise as a mark."""
    seen = {name: runs for name, runs in seen.items() if name != DOOR}
    drawing = Drawing(f"Jobs per second beside {reference}, {_TITLES.get(kind, kind)}")
    shares = {name: bars.ratios(runs, seen[reference]) for name, runs in seen.items()}
    scale = (WIDTH - _LEFT - _RIGHT) / max(1.0, *(share for each in shares.values() for share in each))
    bottom = len(seen) * _ROW
    for step in range(5):
        x = _LEFT + scale * step / 4
        drawing.line(x, 0, x, bottom, "grid")
        drawing.words(x, bottom + 14, f"{step / 4:g}", "small", anchor="middle")
    for top, name in _named(seen):
        middle, share = top + _ROW / 2, statistics.median(shares[name])
        speed = speed_of(seen[name])
        style = "bare" if _bare(name, seen) else "ours"
        drawing.words(_LEFT - 10, middle + 4, name, anchor="end")
        drawing.rect(_LEFT, middle - _BAR / 2, scale * share, _BAR, style, tip=f"{name}: {speed}")
        for each in shares[name] if name != reference else ():
            drawing.dot(_LEFT + scale * each, middle, "round")
        farthest = max(shares[name])
        for bar in judged:
            if (bar.store, bar.name) == (kind, name) and bar.words.startswith(f"{reference} "):
                x = _LEFT + scale * bar.limit
                drawing.line(x, top + 2, x, top + _ROW - 2, "mark")
                farthest = max(farthest, bar.limit)
        drawing.words(_LEFT + scale * farthest + 8, middle + 4, f"{share:.2f} · {speed}", "value")
    return drawing


_BARE = bars.ORDER[:3]


def _bare(name: str, seen: Mapping[str, Any]) -> bool:
    """Tell whether somebody is not ours: a loop, or a guest among the peers."""
    return name in _BARE or (PEERS_REFERENCE in seen and not name.startswith(f"{OURS},"))


def _cost(kind: str, seen: Mapping[str, Sequence[bars.Figures]], reference: str) -> Drawing:
    """Draw the processor time per job, by whose it is; what is far beyond the reference is cut off and says so."""
    drawing = Drawing(f"Processor microseconds per job, {_TITLES.get(kind, kind)}")
    costs = {
        name: {whose: _median(runs, f"{whose}_cpu_us") for whose in _WHOSE if f"{whose}_cpu_us" in runs[0]}
        for name, runs in seen.items()
    }
    room, most = WIDTH - _LEFT - _RIGHT, _FAR * sum(costs[reference].values())
    usual = room / max(min(sum(cost.values()), most) for cost in costs.values())
    for top, name in _named(seen):
        middle, x, whole = top + _ROW / 2, float(_LEFT), sum(costs[name].values())
        scale = usual * min(1.0, most / whole)
        drawing.words(_LEFT - 10, middle + 4, name, anchor="end")
        for whose, us in costs[name].items():
            drawing.rect(x, middle - _BAR / 2, scale * us - 1, _BAR, whose, tip=f"{name}, {whose}: {us:.1f} µs")
            x += scale * us
        told = " + ".join(f"{us:.0f}" for us in costs[name].values()) + " µs"
        drawing.words(x + 8, middle + 4, f"✂ {whole:,.0f} µs in all" if whole > most else told, "value")
    return drawing


def _floor(kind: str, runs: Sequence[bars.Figures]) -> Drawing:
    """Draw what the floor waits for: one line in parts, and their names below it."""
    drawing = Drawing(f"Where the floor's time goes, {_TITLES.get(kind, kind)}")
    parts = parts_of_floor(runs)
    whole, x = sum(us for _, us in parts), 0.0
    for place, (what, us) in enumerate(parts):
        width = WIDTH * us / whole
        style = f"part{_COLOURS[what]}"
        drawing.rect(x, 0, width - 1, 24, style, tip=f"{what}: {us:.1f} µs per job")
        x += width
        column, row = place % 2, place // 2
        left, top = column * WIDTH / 2, 36 + row * 20
        drawing.rect(left, top, 12, 12, style)
        drawing.words(left + 20, top + 10, f"{us / whole:.0%}  {what}, {us:.1f} µs per job")
    return drawing


def _median(runs: Sequence[bars.Figures], key: str) -> float:
    return statistics.median(figures[key] for figures in runs)
