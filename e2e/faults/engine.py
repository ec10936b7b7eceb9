"""The engine under test: `rochallor serve` with two additions, composed from the same parts. Run as a process.

FAULT_AT=`point:kind:count` kills the process (SIGKILL, by itself) in the `count`-th transaction that holds a command of
this kind, at one of three points: `decided`, before anything is written; `saved`, written, and committed only where the
store does both in one; `committed`, before anybody is answered. Killing it after the answer is the caller's business.

SIGUSR1 and SIGUSR2 turn its clock an hour forward or back.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from rochallor.config import Config, load_config
from rochallor.ports import Change, ClaimedJob, ClaimRequest, Clock, Store, Transaction
from rochallor.serve import Server, plan, run, stop_at_signals
from rochallor.shell.clocks import SystemClock

HOUR_MS = 3_600_000
CLAIM = "Claim"


class Trap:
    """Counts transactions of a kind as they pass a point, and kills the process at the given one."""

    def __init__(self, point: str, kind: str, count: int) -> None:
        self._point = point
        self._kind = kind
        self._left = count

    def pass_by(self, point: str, kinds: set[str]) -> None:
        """Be told that a transaction with these kinds of commands is at this point."""
        if point == self._point and self._kind in kinds:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)


class TrappedTransaction:
    """A transaction that tells the trap what it does."""

    def __init__(self, inner: Transaction, trap: Trap) -> None:
        self.kinds: set[str] = set()
        self._inner = inner
        self._trap = trap

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def save(self, changes: Sequence[Change], **options: Any) -> list[list[ClaimedJob]]:
        """Pass `decided`, then write; jobs that are made for somebody are claimed, too."""
        self.kinds |= {change.committed.command for change in changes}
        self._trap.pass_by("decided", self.kinds)
        given = await self._inner.save(changes, **options)
        if any(given):
            self.kinds.add(CLAIM)
        return given

    async def claim(self, requests: Sequence[ClaimRequest], now_ms: int) -> list[list[ClaimedJob]]:
        """Note that polls ride with it, if they get anything."""
        claimed = await self._inner.claim(requests, now_ms)
        if any(claimed):
            self.kinds.add(CLAIM)
        return claimed


def lay_trap(store: Store, trap: Trap) -> None:
    """Make every transaction and every claim of a store pass the trap."""
    begin, take = store.transaction, store.claim

    @asynccontextmanager
    async def transaction() -> AsyncIterator[TrappedTransaction]:
        async with begin() as inner:
            tx = TrappedTransaction(inner, trap)
            yield tx
            trap.pass_by("saved", tx.kinds)
        trap.pass_by("committed", tx.kinds)

    async def claim(requests: Sequence[ClaimRequest], now_ms: int) -> list[list[ClaimedJob]]:
        claimed = await take(requests, now_ms)
        if any(claimed):
            trap.pass_by("committed", {CLAIM})
        return claimed

    trapped: Any = transaction
    _: AbstractAsyncContextManager[Transaction]
    store.transaction = trapped  # type: ignore[method-assign]  # on this object only
    if store.claims_apart:  # elsewhere a claim is a transaction
        store.claim = claim  # type: ignore[method-assign]  # on this object only


class TurnableClock:
    """A clock that two signals turn."""

    def __init__(self, inner: Clock) -> None:
        self._inner = inner
        self._offset_ms = 0

    def now_ms(self) -> int:
        """Return the time as it was set."""
        return self._inner.now_ms() + self._offset_ms

    def turn(self, ms: int) -> None:
        """Jump."""
        self._offset_ms += ms


def _store(config: Config) -> Store:
    if config.postgres_dsn:
        from rochallor.stores.postgres import PostgresStore  # noqa: PLC0415 - its driver is an extra

        return PostgresStore(config.postgres_dsn)
    return plan(config).store


async def main() -> int:
    """Serve until SIGTERM; say on standard output where."""
    config = load_config(os.environ).config
    store = _store(config)
    if spec := os.environ.get("FAULT_AT"):
        point, kind, count = spec.split(":")
        lay_trap(store, Trap(point, kind, int(count)))
    clock = TurnableClock(getattr(store, "clock", None) or SystemClock())
    loop, stop = asyncio.get_running_loop(), stop_at_signals()
    for number, ms in ((signal.SIGUSR1, HOUR_MS), (signal.SIGUSR2, -HOUR_MS)):
        loop.add_signal_handler(number, clock.turn, ms)
    server = Server(config, store, clock=clock, grace_s=5)
    addresses = await server.start()
    sys.stdout.write(f"{addresses.rest}\n")
    sys.stdout.flush()
    await stop.wait()
    await server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(run(main()))
