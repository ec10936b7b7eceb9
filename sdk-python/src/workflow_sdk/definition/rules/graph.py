"""Rules about the graph the steps make: what is reached, whether an END is, loops, branches that miss their join.

Reachability follows every mention of a step; loops and joins follow only what a token can really do. All walks are
loops, not recursion: 2,000 steps in a row are deeper than Python's stack.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from workflow_sdk.definition.problems import Problem, warning
from workflow_sdk.definition.rules.outline import Outline

Edges = Mapping[str, Collection[str]]
_NAMED_AT_MOST = 5
_WALK_BUDGET = 2_000_000
"""Edges looked at for one warning; the engine looks no further either."""


def graph_problems(outline: Outline) -> Iterator[Problem]:
    """Yield what is wrong with the graph."""
    yield from _unreached(outline)
    flow = _flow(outline)
    backward: dict[str, list[str]] = {name: [] for name in flow}
    for name, targets in flow.items():
        for target in targets:
            backward[target].append(name)
    yield from _loops(outline, flow, backward)
    yield from _missed_joins(outline, flow, backward)


def _unreached(outline: Outline) -> Iterator[Problem]:
    named = {step.id: tuple(step.mentions) for step in reversed(outline.steps)}
    reached = _walk((step.id for step in outline.steps[:1]), named)
    for step in outline.steps:
        if step.id and step.id not in reached:
            message = f"Nothing leads to {step.label} from the first step. Link it, or remove it."
            yield Problem("ALL_REACHABLE", step.part.at, message)
    if outline.steps and not any(step.type == "END" and step.id in reached for step in outline.steps):
        message = "No END can be reached from the first step. Add one and lead the last step to it."
        yield Problem("END_REACHABLE", "/steps", message)


def _flow(outline: Outline) -> dict[str, tuple[str, ...]]:
    """Return the edges a token can take; a timer that only adds a token moves none."""
    known = {step.id for step in outline.steps}
    flow: dict[str, tuple[str, ...]] = {}
    for step in outline.steps:
        taken = [ref for ref in step.references if ref != step.join]
        moved = [ref for ref, part in zip(step.timers, step.boundaries, strict=True) if part.fields.get("interrupting")]
        flow[step.id] = tuple(dict.fromkeys(ref.target for ref in (*taken, *moved) if ref.target in known))
    return flow


def _loops(outline: Outline, flow: Edges, backward: Edges) -> Iterator[Problem]:
    """Yield GRAPH_CYCLE once for each knot of steps that can all reach each other."""
    place = {step.id: step for step in outline.steps}
    left = _on_loops(flow, backward)
    while left:
        start = next(iter(left))
        knot = _walk([start], flow, within=left) & _walk([start], backward, within=left)
        left -= knot
        if len(knot) > 1 or start in flow[start]:
            steps = sorted((place[name] for name in knot), key=lambda step: step.index)
            names = ", ".join(step.id for step in steps[:_NAMED_AT_MOST])
            message = f"These steps form a loop: {names}. That is allowed; make sure that a condition ends it."
            yield warning("GRAPH_CYCLE", steps[0].part.at, message)


def _on_loops(flow: Edges, backward: Edges) -> set[str]:
    """Return the steps that stand on a loop or between two: what is left when loose ends are cut off."""
    left = set(flow)
    for edges, against in ((flow, backward), (backward, flow)):
        count = {name: sum(target in left for target in edges[name]) for name in left}
        loose = [name for name, targets in count.items() if not targets]
        while loose:
            name = loose.pop()
            left.discard(name)
            for neighbour in against[name]:
                if neighbour in left:
                    count[neighbour] -= 1
                    if not count[neighbour]:
                        loose.append(neighbour)
    return left


def _missed_joins(outline: Outline, flow: Edges, backward: Edges) -> Iterator[Problem]:
    """Yield BRANCH_MAY_MISS_JOIN for a branch with a path that stops, or ends the instance, before the join."""
    joins = {step.join.target for step in outline.steps if step.join and step.join.target in flow}
    if len(joins) * sum(map(len, flow.values())) > _WALK_BUDGET:
        return
    stops = [name for name, targets in flow.items() if not targets]
    missing = {
        join: _walk((stop for stop in stops if stop != join), backward, within=flow.keys() - {join}) for join in joins
    }
    for step in outline.steps:
        if step.type == "PARALLEL_GATEWAY" and step.join:
            for branch in step.parallel:
                if branch.target in missing.get(step.join.target, ()):
                    message = (
                        f"From {branch.target!r} a path ends before the join {step.join.target!r}. Lead every path to "
                        "the join, or to an END that is meant to end everything."
                    )
                    yield warning("BRANCH_MAY_MISS_JOIN", branch.at, message)


def _walk(start: Iterable[str], edges: Edges, within: Collection[str] | None = None) -> set[str]:
    """Return all names that can be reached from `start`, itself included, by names of `within`."""
    waiting = list(start)
    seen = set(waiting)
    while waiting:
        for name in edges.get(waiting.pop(), ()):
            if name not in seen and (within is None or name in within):
                seen.add(name)
                waiting.append(name)
    return seen
