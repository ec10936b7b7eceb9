"""Pages that show what `dispatch` and `steady` found, in the look of the page of `floors`: see `bench.chart`."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any, NamedTuple

from bench import bars
from bench.cases import pairs
from bench.svg import WIDTH, Drawing

_LEFT, _RIGHT, _ROW, _BAR = 290, 150, 26, 15
_LEAST_MS, _MOST_MS = 0.5, 1000.0
_TICKS_MS = (1, 5, 25, 100, 500)

Runs = Mapping[str, Sequence[bars.Figures]]


class Look(NamedTuple):
    """What is on a page: its title, a sentence that explains it, and its drawing."""

    title: str
    words: str
    draw: Callable[[Mapping[str, Any], Sequence[bars.Judged]], Drawing]


def page(artifact: Mapping[str, Any]) -> str:
    """Return the HTML of an artifact of one of `DRAWN`."""
    look, figures = DRAWN[artifact["what"]], artifact["figures"]
    judged = [bars.Judged(**each) for each in figures["bars"]]
    kept = f"{sum(each.passed for each in judged)} of {len(judged)} promises kept"
    template = Template(files("bench").joinpath("charts.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(look.title),
        style=_style(),
        words=escape(look.words),
        about=escape(f"{kept} · {artifact['store']} · {artifact['cores']} cores · {artifact['at']}"),
        drawing=str(look.draw(figures, judged)),
        promises="\n".join(map(_promise, judged)),
        command=escape(" ".join(artifact["command"])),
        rounds=str(figures["settings"]["rounds"]),
    )


def _style() -> str:
    """Return the look of the page of `floors`."""
    source = files("bench").joinpath("chart.html").read_text(encoding="utf-8")
    [style] = re.findall(r"<style>.*?</style>", source, re.DOTALL)
    return str(style)


def _promise(each: bars.Judged) -> str:
    style, word = ("pass", "kept") if each.passed else ("fail", "missed")
    cells = (each.name, each.words, f"{each.measured:.3g}", f"{each.lowest:.3g} to {each.highest:.3g}")
    row = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr>{row}<td class="{style}">{word}</td></tr>'


def _rows(names: Sequence[str], drawing: Drawing) -> Iterator[tuple[float, str]]:
    """Write the names from top to bottom; give each with the middle of its row."""
    for row, name in enumerate(names):
        middle = row * _ROW + _ROW / 2
        drawing.words(_LEFT - 10, middle + 4, name, anchor="end")
        yield middle, name


def _grid(drawing: Drawing, rows: int, ticks: Mapping[str, float]) -> None:
    for words, x in ticks.items():
        drawing.line(x, 0, x, rows * _ROW, "grid")
        drawing.words(x, rows * _ROW + 14, words, "small", anchor="middle")


def _mark(drawing: Drawing, x: float, middle: float) -> None:
    drawing.line(x, middle - _ROW / 2 + 2, x, middle + _ROW / 2 - 2, "mark")


def _waits(figures: Mapping[str, Any], judged: Sequence[bars.Judged]) -> Drawing:
    """Draw each case as a bar from p50 to p99 on a logarithmic scale, with the promises of both as marks."""
    runs: Runs = figures["rounds"]
    drawing = Drawing("Milliseconds from a job to its handler, by case")
    _grid(drawing, len(runs), {f"{tick_ms} ms": _at(tick_ms) for tick_ms in _TICKS_MS})
    for middle, name in _rows([*runs], drawing):
        low, high = (statistics.median(each[key] for each in runs[name]) for key in ("p50_ms", "p99_ms"))
        drawing.rect(_at(low), middle - _BAR / 2, _at(high) - _at(low), _BAR, "ours", tip=f"{name}: p50 to p99")
        for each in runs[name]:
            drawing.dot(_at(each["p50_ms"]), middle, "round")
            drawing.dot(_at(each["p99_ms"]), middle, "round")
        for bar in judged:
            if bar.name == name:
                _mark(drawing, _at(bar.limit), middle)
        drawing.words(WIDTH - _RIGHT + 12, middle + 4, f"{low:.3g} to {high:.3g} ms", "value")
    return drawing


def _at(duration_ms: float) -> float:
    """Return where a duration is on the scale; what is beyond an end is at that end."""
    held = min(max(duration_ms, _LEAST_MS), _MOST_MS)
    share = math.log(held / _LEAST_MS) / math.log(_MOST_MS / _LEAST_MS)
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * share


def _ratios(figures: Mapping[str, Any], judged: Sequence[bars.Judged]) -> Drawing:
    """Draw speeds beside those of the other half: the median as a bar, each round as a dot, a promise as a mark."""
    runs: Runs = figures["rounds"]
    others = pairs(figures["settings"]["open"])
    shares = {name: bars.ratios(runs[name], runs[others[name]]) for name in others if name in runs}
    drawing = Drawing("Jobs per second as a share of those without what makes it hard")
    scale = (WIDTH - _LEFT - _RIGHT) / max(1.0, *(share for each in shares.values() for share in each))
    _grid(drawing, len(shares), {f"{step / 4:g}": _LEFT + scale * step / 4 for step in range(5)})
    for middle, name in _rows([*shares], drawing):
        share, speed = (statistics.median(some) for some in (shares[name], _speeds(runs[name])))
        drawing.rect(_LEFT, middle - _BAR / 2, scale * share, _BAR, "ours", tip=f"{name}: {speed:,.0f} jobs/s")
        for each in shares[name]:
            drawing.dot(_LEFT + scale * each, middle, "round")
        for bar in judged:
            if (bar.name, bar.words) == (name, f"{others[name]} ≥ {bar.limit:g}"):
                _mark(drawing, _LEFT + scale * bar.limit, middle)
        drawing.words(WIDTH - _RIGHT + 12, middle + 4, f"{share:.2f} · {speed:,.0f}/s", "value")
    return drawing


def _speeds(runs: Sequence[bars.Figures]) -> list[float]:
    return [figures["jobs_per_s"] for figures in runs]


DRAWN = {
    "dispatch": Look(
        "How long a job waits for its handler",
        "From the moment a job was to be made until its handler started, p50 to p99 on a logarithmic scale. "
        "Each dot is a round; red marks are promises.",
        _waits,
    ),
    "steady": Look(
        "Whether an engine stays as it is",
        "Jobs per second as a share of those without what makes it hard. Each dot is a round; red marks are promises.",
        _ratios,
    ),
}
