"""What the audience sees: a tree that grows as steps are committed; without a terminal, a line per step.

It watches the engine's commits, not its answers, so it shows what is durable in the moment it is.
"""

from __future__ import annotations

from types import TracebackType

import msgspec
from rich.console import Console
from rich.live import Live
from rich.text import Text
from rich.tree import Tree
from typing_extensions import Self

from rochallor.core.events import Event, StepClosed, StepEntered
from rochallor.core.model import Instance, StepType
from rochallor.demo.journeys import Journey
from rochallor.shell.desk import Desk

MARKS = {
    "RUNNING": ("●", "yellow", "waiting"),
    "COMPLETED": ("✓", "green", "done"),
    "FAILED": ("✗", "red", "interrupted"),
    "ABANDONED": ("-", "dim", "abandoned"),
    "CANCELLED": ("-", "dim", "cancelled"),
}
IN_PARALLEL = (StepType.PARALLEL_GATEWAY,)


class ShownStep(msgspec.Struct):
    """One step execution on the board; `nested` when it runs beside others."""

    step_id: str
    step_type: StepType
    nested: bool
    state: str = "RUNNING"


class Board:
    """Shows one journey while it is open: `with Board(...)`, and feed it every committed desk."""

    def __init__(self, journey: Journey, key: str, console: Console) -> None:
        self._title = f"{journey.name} · {journey.door}"
        self._key = key
        self._console = console
        self._steps: dict[str, dict[int, ShownStep]] = {}
        self._heads: dict[str, str] = {}
        self._live = Live(self._tree(), console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        else:
            self._console.print(self._title, highlight=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def see(self, desk: Desk) -> None:
        """Take in what a batch committed."""
        changed = False
        for change in desk.changes:
            if change.after.business_key == self._key:
                for event in change.committed.events:
                    changed |= self._take(change.after, event)
        if changed and self._live is not None:
            self._live.update(self._tree(), refresh=True)

    def _take(self, instance: Instance, event: Event) -> bool:
        steps = self._steps.setdefault(instance.id, {})
        self._heads.setdefault(instance.id, f"{instance.definition_id} v{instance.definition_version}")
        if isinstance(event, StepEntered):
            nested = bool(event.token.activation) and event.step_type is not StepType.JOIN_GATEWAY
            steps[event.seq] = ShownStep(event.step_id, event.step_type, nested)
        elif isinstance(event, StepClosed):
            steps[event.seq].state = event.outcome
        else:
            return False
        if self._live is None:
            self._print(instance.id, steps[event.seq])
        return True

    def _print(self, instance_id: str, step: ShownStep) -> None:
        """Print a line for a step that closed, or that somebody has to do something about."""
        if step.state == "RUNNING" and step.step_type is not StepType.USER_TASK:
            return
        word = MARKS[step.state][2]
        text = f"  {self._heads[instance_id]:<21} {step.step_id:<19} {step.step_type.value:<16} {word}"
        self._console.print(text, highlight=False)

    def _tree(self) -> Tree:
        tree = Tree(Text(self._title, style="bold"))
        for instance_id, steps in self._steps.items():
            branch = tree.add(Text(self._heads[instance_id], style="cyan"))
            gateway = branch
            for step in steps.values():
                here = (gateway if step.nested else branch).add(_label(step))
                if step.step_type in IN_PARALLEL:
                    gateway = here
        return tree


def _label(step: ShownStep) -> Text:
    mark, style, word = MARKS[step.state]
    label = Text.assemble((mark, style), " ", step.step_id, " ", (step.step_type.value, "dim"))
    return label if step.state == "COMPLETED" else label.append(f"  {word}", style)
