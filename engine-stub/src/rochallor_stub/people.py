"""Scripted people and other systems: whoever completes user tasks and sends the signals that WAIT steps wait for.

They answer as soon as a step is reached, before time can move. An answer is a map of variables, or a function that is
given `{"instanceId", "stepId", "variables"}` and returns one; None from a function means not to answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import msgspec
from rochallor.core.model import Instance, OpenStep, StepType
from rochallor.shell.desk import Desk
from rochallor.shell.engine import Engine

from rochallor_stub.activity import Activity

Answer: TypeAlias = Mapping[str, Any] | Callable[[dict[str, Any]], Mapping[str, Any] | None]
ANSWERED_BY = "script"


class People:
    """The script of one stub: answers by step id. `errors` holds what its functions raised."""

    def __init__(self, activity: Activity) -> None:
        self.user_tasks: dict[str, Answer] = {}
        self.signals: dict[str, Answer] = {}
        self.errors: list[Exception] = []
        self._activity = activity
        self._seen: set[tuple[str, int]] = set()
        self._answering: set[asyncio.Task[None]] = set()

    def clear(self) -> None:
        """Forget the script."""
        for kept in (self.user_tasks, self.signals, self.errors, self._seen):
            kept.clear()

    def attend(self, engine: Engine) -> None:
        """Look at everything that an engine commits."""
        engine.executor.after_commit.append(lambda desk: self._look(engine, desk))

    def _look(self, engine: Engine, desk: Desk) -> None:
        for change in desk.changes:
            for step in change.after.open.values():
                script = {StepType.USER_TASK: self.user_tasks, StepType.WAIT: self.signals}.get(step.step_type, {})
                place = (change.after.id, step.seq)
                if step.step_id in script and place not in self._seen:
                    self._seen.add(place)
                    self._begin(engine, change.after, step, script[step.step_id])

    def _begin(self, engine: Engine, instance: Instance, step: OpenStep, answer: Answer) -> None:
        said = {name: msgspec.json.decode(value) for name, value in instance.variables.items()}
        place = {"instanceId": instance.id, "stepId": step.step_id, "variables": said}
        self._activity.begin()  # now and not when the task begins: the clock stands until the answer is committed
        task = asyncio.ensure_future(self._answer(engine, step, place, answer))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, engine: Engine, step: OpenStep, place: dict[str, Any], answer: Answer) -> None:
        try:
            variables = answer(place) if callable(answer) else answer
            if variables is not None:
                await _send(engine, step, place, msgspec.json.encode(variables))
        except Exception as error:  # noqa: BLE001 - told to whoever asks how the run went
            self.errors.append(error)
        finally:
            self._activity.end()


def _send(engine: Engine, step: OpenStep, place: dict[str, Any], raw: bytes) -> Awaitable[None]:
    if step.step_type is StepType.USER_TASK:
        return engine.complete_user_task(place["instanceId"], step.step_id, completed_by=ANSWERED_BY, result=raw)
    return engine.signal_wait(place["instanceId"], step.step_id, variables=raw)
