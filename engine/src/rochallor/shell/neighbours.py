"""Other engines on the same store: what they did wakes who waits here, and they are told what is waited for here.

News are hints and may be lost with the engine that would have sent them, so polls look again every second and watchers
every ten. What time makes due needs no news: every engine's sweeper looks at the store at least once a second.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import NoReturn

from rochallor.news import News, Signals
from rochallor.shell.executor import Executor

LOOK_AGAIN_S = 1.0
WATCHERS_EVERY = 10
LONGEST_SLEEP_MS = 1_000
"""How late this engine may learn of a timer, lease or chain that another engine has planned and will not see to."""


class Neighbours:
    """Carries news between an executor's waiting callers and the store's signals."""

    def __init__(self, signals: Signals, executor: Executor) -> None:
        self._executor = executor
        executor.polls.parked.announce = lambda job_types: signals.want(job_types=job_types)
        executor.watchers.announce = lambda instance_id: signals.want(instances=(instance_id,))
        signals.listen(self._heard)

    async def run(self) -> NoReturn:
        """Look again now and then, for ever."""
        rounds = 0
        while True:
            await asyncio.sleep(LOOK_AGAIN_S)
            rounds += 1
            self._heard(News(job_types=frozenset(self._executor.polls.counts())))
            if rounds % WATCHERS_EVERY == 0:
                self._executor.watchers.release()

    def _heard(self, news: News) -> None:
        waiting = self._executor.polls.counts()
        ready = Counter(waiting if news.gap else {name: waiting.get(name, 0) for name in news.job_types})
        if ready:
            self._executor.polls.appeared(ready)
        if news.gap:
            self._executor.watchers.release()
        for instance_id in news.instances:
            self._executor.watchers.changed(instance_id)
