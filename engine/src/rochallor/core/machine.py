"""The machine: (definition, instance, command, context) -> (instance, events, reply). The one idea of the engine.

Pure and total: it either raises a `WorkflowError`, and nothing has happened, or returns a new state together with the
events that led to it; `fold` of all events is that state. A reply may itself be an error although events were made: a
result that breaks the step's schema fails the instance for good *and* is refused to the worker who sent it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from rochallor.core import commands as cmd
from rochallor.core import events as ev
from rochallor.core import lifecycle, reports
from rochallor.core.context import Context
from rochallor.core.definition.model import Definition
from rochallor.core.enter import enter
from rochallor.core.errors import WorkflowError
from rochallor.core.model import Instance
from rochallor.core.reports import Verdict
from rochallor.core.run import Run


class Outcome(msgspec.Struct, frozen=True):
    """A command's result: the new state, what happened (possibly nothing), the verdict on a report, the refusal."""

    instance: Instance
    events: tuple[ev.AnyEvent, ...]
    verdict: Verdict | None = None
    error: WorkflowError | None = None


def step(definition: Definition, instance: Instance | None, command: cmd.Command, context: Context) -> Outcome:
    """Do one command. `instance` is never changed; None only for `StartInstance`.

    Raises:
        WorkflowError: the command is refused; no event, no new state.

    """
    if isinstance(command, cmd.StartInstance):
        run, answer = lifecycle.start(definition, command, context), None
    else:
        assert instance is not None
        run = Run(definition, instance.copy(), context)
        answer = _DECIDE[type(command)](run, command)
    if not run.events:
        assert instance is not None
        return Outcome(instance, (), *_split(answer))
    run.drain(enter)
    run.instance.revision += 1
    return Outcome(run.instance, tuple(run.events), *_split(answer))


Answer = tuple[Verdict, WorkflowError | None] | WorkflowError | None


def _split(answer: Answer) -> tuple[Verdict | None, WorkflowError | None]:
    return answer if isinstance(answer, tuple) else (None, answer)


_DECIDE: dict[type[cmd.Command], Callable[[Run, Any], Answer]] = {
    cmd.CompleteJob: reports.complete_job,
    cmd.FailJob: reports.fail_job,
    cmd.ExpireLease: reports.expire_lease,
    cmd.FireTimer: lifecycle.fire_timer,
    cmd.CompleteUserTask: lifecycle.complete_user_task,
    cmd.SignalWait: lifecycle.signal_wait,
    cmd.CancelInstance: lifecycle.cancel,
    cmd.RetryStep: lifecycle.retry_step,
    cmd.LinkChild: lifecycle.link_child,
}
