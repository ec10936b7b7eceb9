"""The graph the steps make: which are reached, whether an END is, loops, and branches that miss their join.

Two kinds of edges must not be mixed. `references` are the places a step of its type really leads to; on them rest
`REF_RESOLVES`, loops and joins. `mentions` are all of them, foreign fields too: reachability counts those,
because definitions that are in use reach steps by fields the engine ignores. All walks are loops,
not recursion: 2,000 steps in a row are deeper than Python's stack.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from rochallor.core.definition.model import StepType
from rochallor.core.definition.outline import Outline, Ref, StepOutline
from rochallor.core.definition.problems import Findings

S = StepType
Graph = Mapping[str, Iterable[str]]
WALK_BUDGET = 2_000_000
"""Edges looked at for one warning; hostile uploads have 10^5 edges and 10^3 joins, real ones some hundred."""

ROUTED = {S.SERVICE_TASK, S.USER_TASK, S.WAIT, S.DECISION}
LINEAR = {S.SERVICE_TASK, S.USER_TASK, S.WAIT, S.DECISION_TABLE, S.TRANSFORMATION, S.JOIN_GATEWAY}


def references(step: StepOutline) -> Iterator[Ref]:
    """Where the step leads by its own type's fields, timers left out."""
    if step.type in ROUTED:
        yield from (branch.to for branch in step.branches)
    if step.type in LINEAR and step.next_step:
        yield step.next_step
    if step.type is S.PARALLEL_GATEWAY:
        yield from step.parallel
        if step.join:
            yield step.join


def mentions(step: StepOutline) -> Iterator[str]:
    """Every step id this step names anywhere."""
    single = [ref for ref in (step.next_step, step.join) if ref]
    routed = [branch.to for branch in step.branches]
    yield from (ref.target for ref in (*single, *routed, *step.parallel, *step.timers))


def all_reachable(definition: Outline, findings: Findings) -> None:
    """ALL_REACHABLE."""
    reached = _reached(definition)
    for step in definition.steps:
        if step.id and step.id not in reached:
            message = f"Nothing leads to {step.label} from the first step. Link it, or remove it."
            findings.error("ALL_REACHABLE", step.at, message)


def end_reachable(definition: Outline, findings: Findings) -> None:
    """END_REACHABLE."""
    reached = _reached(definition)
    if definition.steps and not any(s.type is S.END and s.id in reached for s in definition.steps):
        message = "No END can be reached from the first step. Add one and lead the last step to it."
        findings.error("END_REACHABLE", "/steps", message)


def cycles(definition: Outline, findings: Findings) -> None:
    """GRAPH_CYCLE, once per knot of steps that can all reach each other."""
    forward = _flow(definition)
    place = {step.id: step for step in definition.steps}
    for knot in _knots(forward):
        steps = sorted((place[name] for name in knot), key=lambda step: step.index)
        names = ", ".join(step.id for step in steps[:5]) + (", …" if len(steps) > 5 else "")  # noqa: PLR2004
        message = f"These steps form a loop: {names}. That is allowed; make sure that a condition ends it."
        findings.warn("GRAPH_CYCLE", steps[0].at, message)


def branches_meet(definition: Outline, findings: Findings) -> None:
    """BRANCH_MAY_MISS_JOIN: a path of a branch that stops, or ends the instance, before the join."""
    flow = _flow(definition)
    backward = _reversed(flow)
    joins = {step.join.target for step in definition.steps if step.join and step.join.target in flow}
    if len(joins) * sum(len(targets) for targets in flow.values()) > WALK_BUDGET:
        return
    stops = [name for name, targets in flow.items() if not targets]
    missing = {join: _walk((stop for stop in stops if stop != join), backward, avoid={join}) for join in joins}
    for step in definition.steps:
        if step.type is S.PARALLEL_GATEWAY and step.join and step.join.target in joins:
            for branch in step.parallel:
                if branch.target in missing[step.join.target]:
                    message = (
                        f"From {branch.target!r} a path ends before the join {step.join.target!r}. If all others "
                        "wait there, the instance fails with JoinStarved; lead every path to the join or an END "
                        "that is meant to end everything."
                    )
                    findings.warn("BRANCH_MAY_MISS_JOIN", branch.at, message)


def _reached(definition: Outline) -> set[str]:
    named = {step.id: tuple(mentions(step)) for step in reversed(definition.steps)}
    return _walk((step.id for step in definition.steps[:1]), named)


def _flow(definition: Outline) -> dict[str, tuple[str, ...]]:
    """Edges a token can take to known steps; a timer that only adds a token moves none."""
    known = {step.id for step in definition.steps}
    flow: dict[str, tuple[str, ...]] = {}
    for step in definition.steps:
        taken = [ref for ref in references(step) if ref != step.join]
        moved = [ref for ref, part in zip(step.timers, step.boundaries, strict=True) if part.fields.get("interrupting")]
        flow[step.id] = tuple(dict.fromkeys(ref.target for ref in (*taken, *moved) if ref.target in known))
    return flow


def _walk(start: Iterable[str], edges: Graph, avoid: AbstractSet[str] = frozenset()) -> set[str]:
    """All names that can be reached from `start`, itself included, without passing `avoid`."""
    waiting = list(start)
    seen = set(waiting)
    while waiting:
        for name in edges.get(waiting.pop(), ()):
            if name not in seen and name not in avoid:
                seen.add(name)
                waiting.append(name)
    return seen


def _reversed(edges: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    backward: dict[str, list[str]] = {name: [] for name in edges}
    for name, targets in edges.items():
        for target in targets:
            backward[target].append(name)
    return backward


def _knots(edges: Mapping[str, tuple[str, ...]]) -> Iterator[set[str]]:
    """Groups of names on a common cycle (strongly connected components, after Kosaraju)."""
    backward = _reversed(edges)
    placed: set[str] = set()
    for name in reversed(_finishing_order(edges)):
        if name in placed:
            continue
        group = _walk([name], backward, avoid=placed)
        placed |= group
        if len(group) > 1 or name in edges[name]:
            yield group


def _finishing_order(edges: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Names in the order a depth-first walk leaves them."""
    done: list[str] = []
    seen: set[str] = set()
    for root in edges:
        stack = [] if root in seen else [(root, iter(edges[root]))]
        seen.add(root)
        while stack:
            name, targets = stack[-1]
            fresh = next((target for target in targets if target not in seen), None)
            if fresh is None:
                done.append(name)
                stack.pop()
            else:
                seen.add(fresh)
                stack.append((fresh, iter(edges[fresh])))
    return done
