"""Following one instance live: one view per committed revision, in order, none missed, none twice.

The record in the store is what is followed; a notice of a change only says when to look again. So a notice may come
twice, late or (from another engine on the same store) not at all, and a watcher that is slow or was away simply reads
on after the last revision it took. Nothing is collected for a watcher but a few revisions read ahead.

When it ends: once the instance is in a final state and everything committed up to then has been taken. What changes it
afterwards (a manual retry of a failed run, the link to a chained child) is delivered if it is committed by the time
the watcher asks on; otherwise to whoever watches again after the last revision.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from itertools import islice

import msgspec
from msgspec import Raw

from rochallor.core import events as ev
from rochallor.core.apply import apply, fold
from rochallor.core.errors import BadRequest, NotFound, Unavailable
from rochallor.core.ids import step_execution_id
from rochallor.core.model import Instance
from rochallor.ports import Reads
from rochallor.shell.views import InstanceChangeView, InstanceEventView, moment
from rochallor.shell.wakeups import Watchers

LOOK_AGAIN_S = 20.0
"""How long to rely on being told of changes; another engine's notice may have been lost."""

AHEAD = 100
"""How many revisions a watcher keeps beyond the one it is at work on; it reads the rest again when it gets there."""

_TOLD = ("event", "seq", "step_id")


class Live:
    """All watches of one engine."""

    def __init__(self, reads: Reads, watchers: Watchers) -> None:
        self.reads = reads
        self.watchers = watchers
        self.ended = False

    async def open(self, instance_id: str, after_revision: int = 0) -> Watch:
        """Return a watch of the revisions after `after_revision`; raises `NotFound`, `BadRequest`, `Unavailable`."""
        self.check()
        instance = await self.reads.instance(instance_id)
        if instance is None:
            raise NotFound(f"no instance has the id '{instance_id}'")
        if not 0 <= after_revision <= instance.revision:
            message = f"instance '{instance_id}' has no revision {after_revision}, its latest is {instance.revision}"
            raise BadRequest(f"{message}; watch after that one, or after 0 for all of them")
        if after_revision == instance.revision:
            return Watch(self, instance_id, instance.copy())
        record = await self.reads.history(instance_id)
        return Watch(self, instance_id, fold(record[:after_revision]), record[after_revision:])

    def end(self) -> None:
        """Let all watchers go: the engine is going down."""
        self.ended = True
        self.watchers.release()

    def check(self) -> None:
        """Raise `Unavailable` once the watches were ended."""
        if self.ended:
            message = "the engine is shutting down; watch again after the last revision you have, on another one"
            raise Unavailable(message, retry_after_ms=1_000)


class Watch:
    """The revisions of one instance from one on, as its watcher asks for them."""

    def __init__(
        self, live: Live, instance_id: str, state: Instance | None, ahead: Iterable[ev.Committed] = ()
    ) -> None:
        self._live = live
        self._instance_id = instance_id
        self._state = state
        self._ahead = deque(islice(ahead, AHEAD))

    @property
    def over(self) -> bool:
        """Tell whether all that was read of a finished instance has been taken: waiting on would be for nothing."""
        return self._state is not None and self._state.status.terminal and not self._ahead

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> InstanceEventView:
        view = await self.next()
        if view is None:
            raise StopAsyncIteration
        return view

    async def next(self) -> InstanceEventView | None:
        """Return the next revision, waiting until there is one; None when there will be none.

        Raises `Unavailable` when the engine stops or the store cannot be reached. May be cancelled and called again.
        """
        if not self._ahead:
            self._ahead.extend(islice(await self._later(), AHEAD))
        return self._told(self._ahead.popleft()) if self._ahead else None

    async def _later(self) -> list[ev.Committed]:
        """Return what was committed after the last revision taken, when there is something or the end is reached."""
        after = self._state.revision if self._state else 0
        while True:
            # First registered, then read: a commit in between is either read or told of.
            changed = self._live.watchers.watch(self._instance_id)
            try:
                self._live.check()
                record = await self._live.reads.history(self._instance_id, after)
                if record or self.over:
                    return record
                async with asyncio.timeout(LOOK_AGAIN_S):
                    await changed.wait()
            except asyncio.TimeoutError:
                continue
            finally:
                self._live.watchers.unwatch(self._instance_id, changed)

    def _told(self, committed: ev.Committed) -> InstanceEventView:
        self._state = state = _after(self._state, committed)
        return InstanceEventView(
            instance_id=committed.instance_id,
            revision=committed.revision,
            at=moment(committed.at_ms),
            status=state.status.value,
            current_step_ids=state.current_step_ids,
            changes=[_change(committed.instance_id, event) for event in committed.events],
        )


def _after(state: Instance | None, committed: ev.Committed) -> Instance:
    """Return the state after a revision, in place; without variables, which no view shows and may be large."""
    if state is None:
        state = fold((committed,))
        assert state is not None
    else:
        for event in committed.events:
            apply(state, event, committed.at_ms)
        state.revision = committed.revision
    state.variables.clear()
    return state


def _change(instance_id: str, event: ev.AnyEvent) -> InstanceChangeView:
    rest = {name: value for name, value in _fields(event).items() if name not in _TOLD}
    seq = getattr(event, "seq", None)
    return InstanceChangeView(
        kind=type(event).__name__,
        step_id=getattr(event, "step_id", None),
        step_execution_id=step_execution_id(instance_id, seq) if seq is not None else None,
        detail=Raw(msgspec.json.encode(rest)) if rest else None,
    )


def _fields(event: ev.AnyEvent) -> dict[str, Raw]:
    """Return an event's fields as the record and the audit spell them, values still JSON."""
    return _decode_fields(msgspec.json.encode(event))


_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
