"""One command at work: the working copy of the instance, the events so far, and the tokens still on their way.

`emit` is the only way anything changes: it records the event and applies it, so the state a behaviour reads is always
the state the events add up to. Tokens wait in a queue, first in first out, so that parallel branches are entered in
the author's order; `drain` moves them until each has parked, joined or gone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from rochallor.core import events as ev
from rochallor.core.apply import apply
from rochallor.core.context import Context
from rochallor.core.definition.model import Definition, Step
from rochallor.core.expressions import RunBudget
from rochallor.core.expressions.budget import PER_VALUE
from rochallor.core.model import Instance, OpenStep, Pending, StepType, Token
from rochallor.core.variables import Variables, View, size_of


class Run:
    """The working state of one command; thrown away whole when the command is refused."""

    __slots__ = ("context", "definition", "events", "instance", "now_ms", "queue", "steps_taken", "work")

    def __init__(self, definition: Definition, instance: Instance, context: Context) -> None:
        self.definition = definition
        self.instance = instance
        self.context = context
        self.now_ms = context.now_ms
        self.events: list[ev.AnyEvent] = []
        self.queue: deque[tuple[str, Token]] = deque()
        self.steps_taken = 0
        self.work = RunBudget()

    def emit(self, event: ev.AnyEvent) -> None:
        """Record a fact and let the state follow."""
        self.events.append(event)
        apply(self.instance, event, self.now_ms)

    def view(self, delta: Variables | None = None) -> View:
        """Return the variables for reading, with `delta` laid over them."""
        variables = self.instance.variables
        return View({**variables, **delta} if delta else variables, self._reading)

    def _reading(self, size: int) -> None:
        """Charge reading `size` bytes of variables."""
        self.work.charge(size // PER_VALUE)

    def send(self, step_id: str, token: Token) -> None:
        """Put a token on its way to a step."""
        self.queue.append((step_id, token))

    def open_step(
        self, step: Step, token: Token, *, waits_for: int | None = None, read: Variables | None = None
    ) -> OpenStep:
        """Enter a step: a new execution with the next sequence number and attempt; `read` is what it saw."""
        seq = self.instance.last_seq + 1
        self.emit(
            ev.StepEntered(
                seq=seq,
                step_id=step.id,
                step_type=step.type,
                attempt=self.instance.visits.get(step.id, 0) + 1,
                token=token,
                waits_for=waits_for,
                input=read,
            )
        )
        return self.instance.open[seq]

    def close(
        self,
        step: OpenStep,
        outcome: str = "COMPLETED",
        *,
        output: Variables | None = None,
        reason: str | None = None,
        by: str = "",
    ) -> None:
        """Close a step execution together with its job, task and timers."""
        self.emit(
            ev.StepClosed(
                seq=step.seq,
                step_id=step.step_id,
                step_type=step.step_type,
                entered_at_ms=step.entered_at_ms,
                outcome=outcome,  # type: ignore[arg-type]  # the four words are checked by the tests of every caller
                attempt=step.attempt,
                output=output or {},
                reason=reason,
                by=by,
                delivery=step.job.delivery if step.job else 0,
                timers=len(step.timers),
            )
        )

    def fits(self, delta: Variables) -> bool:
        """Tell whether the variables stay under their limit with `delta` merged."""
        if not delta:
            return True
        return size_of({**self.instance.variables, **delta}) <= self.context.rules.max_variables_bytes

    def fail(self, step: OpenStep, reason: str, *, output: Variables | None = None) -> None:
        """Fail the instance because of one of its open steps."""
        pending = tuple(Pending(step_id, token) for step_id, token in self.queue)
        self.emit(ev.InstanceFailed(reason=reason, seq=step.seq, pending=pending))
        self.close(step, "FAILED", reason=reason, output=output)
        self.close_rest("CANCELLED")

    def close_rest(self, outcome: str) -> None:
        """Close whatever is still open: the one routine by which an instance ends."""
        self.queue.clear()
        for step in list(self.instance.open.values()):
            self.close(step, outcome)

    def end(self, end_step_id: str) -> None:
        """Complete the instance at an END step, and ask for the next workflow if there is one."""
        self.emit(ev.InstanceCompleted(end_step_id))
        self.close_rest("ABANDONED")
        if self.definition.auto_start_next_workflow and self.definition.next_workflow_id:
            self.emit(ev.ChainRequested(self.definition.next_workflow_id))

    def drain(self, enter: Callable[[Run, str, Token], None]) -> None:
        """Move tokens with `enter` until none can move, then settle what that means for the instance."""
        while self.queue:
            step_id, token = self.queue.popleft()
            enter(self, step_id, token)
        self._settle()

    def _settle(self) -> None:
        instance = self.instance
        if instance.status.terminal:
            return
        if not instance.open:
            self.emit(ev.InstanceCompleted())
            return
        for step in instance.open.values():
            if step.step_type is not StepType.JOIN_GATEWAY:
                return
        waiting = next(iter(instance.open.values()))
        self.fail(waiting, f"JoinStarved: join '{waiting.step_id}' waits for tokens that no longer exist")
