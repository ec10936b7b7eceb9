"""A flame graph as one SVG: whose calls a process spent its time in, the callers above what they call.

It is drawn from folded stacks (`outermost;...;innermost count`, as samplers write them) and from nothing else. What all
samples have in common is left out, so that the picture begins where there is something to tell apart; so are calls too
narrow to be seen. Every box says its share when the pointer rests on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bench.svg import WIDTH, Drawing

ROOMS = (
    ("rochallor/core/", "core", "decides", "#d9773f"),
    ("rochallor/shell/", "shell", "batches, claims, views", "#d8b13a"),
    ("rochallor/stores/", "stores", "rows and statements", "#5b9e5f"),
    ("rochallor/", "doors", "from the socket to the command and back", "#4f86c6"),
    ("asyncpg/", "driver", "the database's protocol", "#8a6fb5"),
    ("", "loop", "event loop and libraries", "#a7a7a7"),
)
"""Whose code a frame is by the beginning of its path, the first that fits; with what it does, and its colour."""

_FRAME = re.compile(r"(?P<name>.+) \((?P<path>.*?)(:\d+)?\)")
_ROW, _TEXT_WIDTH, _PADDING = 17, 5.6, 3
_NARROWEST = 0.003
_ONE_WAY = 0.97
_DEEPEST = 30
_HEAD, _PER_LEGEND_ROW, _LEGEND_ROW = 26, 2, 16

_STYLE = (
    "text{font:10px ui-monospace,monospace;fill:#1b1b1b}.title,.legend{font:12px system-ui,sans-serif}"
    "@media(prefers-color-scheme:dark){.title,.legend{fill:#e6e6e6}}"
)


@dataclass
class Call:
    """A function in the place it was called from: how many samples were in it, and in what it called."""

    frame: str = ""
    samples: int = 0
    calls: dict[str, Call] = field(default_factory=dict)

    def called(self, frame: str) -> Call:
        """Return the call of a function from here."""
        if frame not in self.calls:
            self.calls[frame] = Call(frame)
        return self.calls[frame]

    @property
    def room(self) -> int:
        """Whose code it is: a row of `ROOMS`."""
        match = _FRAME.fullmatch(self.frame)
        path = match["path"] if match else ""
        return next(number for number, (prefix, *_) in enumerate(ROOMS) if path.startswith(prefix))

    @property
    def name(self) -> str:
        """The function, without its file."""
        match = _FRAME.fullmatch(self.frame)
        return match["name"] if match else self.frame


def folded(lines: Iterable[str]) -> Call:
    """Return the tree of all calls.

    Raises:
        ValueError: a line is no folded stack, or there is none.

    """
    root = Call()
    for line in filter(None, map(str.strip, lines)):
        stack, _, count = line.rpartition(" ")
        if not stack or not count.isdigit():
            raise ValueError(f"not a folded stack, which is `outer;inner count`: {line[:80]!r}")
        call = root
        call.samples += int(count)
        for frame in stack.split(";"):
            call = call.called(re.sub(r":\d+\)$", ")", frame))
            call.samples += int(count)
    if not root.samples:
        raise ValueError("there are no samples: the process was idle, or the sampler could not read it")
    return root


def begun(root: Call) -> Call:
    """Return the first call whose time goes several ways."""
    while len(root.calls) > 0:
        widest = max(root.calls.values(), key=lambda call: call.samples)
        if widest.samples < _ONE_WAY * root.samples:
            return root
        root = widest
    return root


def shares(root: Call) -> dict[str, float]:
    """Return which part of all samples was in whose code, by the innermost frame; whole rooms, in `ROOMS`' order."""
    own = [0] * len(ROOMS)
    for call, _, _ in _boxes(root, 0.0, 0, narrowest=0.0):
        own[call.room] += call.samples - sum(each.samples for each in call.calls.values())
    return {name: own[number] / root.samples for number, (_, name, _, _) in enumerate(ROOMS)}


def drawn(root: Call, title: str) -> str:
    """Return the picture as SVG, with its colours in it."""
    begin = begun(root)
    drawing = Drawing(title, style=_STYLE)
    drawing.words(0, 14, title, "title")
    parts = shares(begin)
    for number, (_, name, does, colour) in enumerate(ROOMS):
        x, y = WIDTH / _PER_LEGEND_ROW * (number % _PER_LEGEND_ROW), _HEAD + number // _PER_LEGEND_ROW * _LEGEND_ROW
        drawing.rect(x, y, 11, 11, "", fill=colour)
        drawing.words(x + 16, y + 10, f"{name}: {does}, {parts[name]:.0%}", "legend")
    top = _HEAD + (len(ROOMS) + 1) // _PER_LEGEND_ROW * _LEGEND_ROW + 8
    for call, at, depth in _boxes(begin, 0.0, 0, narrowest=_NARROWEST):
        share = call.samples / begin.samples
        x, y, width = at * WIDTH, top + depth * _ROW, share * WIDTH
        tip = f"{call.frame or 'all'}: {share:.1%}"
        drawing.rect(x, y, width - 0.5, _ROW - 1, "", tip=tip, fill=ROOMS[call.room][-1])
        if text := _fitting(call.name, width):
            drawing.words(x + _PADDING, y + 12, text)
    return str(drawing)


def _boxes(call: Call, at: float, depth: int, *, narrowest: float) -> Iterator[tuple[Call, float, int]]:
    """Yield each call with where it begins, from 0 to 1, and how deep it is; the widest of its calls first."""
    stack = [(call, at, depth)]
    whole = call.samples
    while stack:
        call, at, depth = stack.pop()
        yield call, at, depth
        if narrowest and depth >= _DEEPEST:
            continue
        for each in sorted(call.calls.values(), key=lambda each: -each.samples):
            if each.samples >= narrowest * whole:
                stack.append((each, at, depth + 1))
            at += each.samples / whole


def _fitting(name: str, width: float) -> str:
    """Return as much of a name as there is room for, nothing when that says nothing."""
    room = int((width - 2 * _PADDING) / _TEXT_WIDTH)
    short = name if len(name) <= room else name.rpartition(".")[2]
    return short if len(short) <= room else f"{short[: room - 1]}…" if room > len("_abcd") else ""
