"""How engines on one database wake each other: LISTEN and NOTIFY on a connection of its own.

Told after the commit, beside the writer: NOTIFY takes a lock that every notifying commit of the database waits for, so
it is sent once for many commits, and only about what another engine has said it waits for. Messages are hints. One that
is lost (a crash between commit and NOTIFY, a broken connection) delays a waiting poll until it looks again by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

import asyncpg
import msgspec
import structlog

from rochallor.core.errors import Unavailable, WorkflowError
from rochallor.news import News
from rochallor.stores.postgres.claims import SQL
from rochallor.stores.postgres.connect import Line, translated
from rochallor.stores.postgres.interests import Interests, Topic

log = structlog.get_logger("rochallor.postgres")

CHANNEL = "rochallor"
MOST_BYTES = 7_500
"""What fits into one NOTIFY, which takes 8,000 bytes."""

LONGEST_NAME = 1_000
"""A job type that is longer has to do without news; as JSON it might not fit."""

RETRY_S = 0.25


class Message(msgspec.Struct, omit_defaults=True, rename={"sender": "from"}):
    """What goes over the channel: what happened, what the sender waits for; `hello` asks what others wait for."""

    sender: str
    news: list[Topic] = []
    wants: list[Topic] = []
    hello: bool = False


_decode = msgspec.json.Decoder(Message).decode


class PostgresSignals:
    """See `rochallor.ports.Signals`. `name` tells this engine from the others."""

    def __init__(self, line: Line, name: str) -> None:
        self._line = line
        self._name = name
        self._interests = Interests()
        self._heard: Callable[[News], None] | None = None
        self._news: dict[Topic, None] = {}
        self._wants: dict[Topic, None] = {}
        self._hello = False
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._listening: Any = None

    def listen(self, heard: Callable[[News], None]) -> None:
        """Call `heard` whenever another engine did something that is waited for here."""
        self._heard = heard

    def want(self, *, job_types: Collection[str] = (), instances: Collection[str] = ()) -> None:
        """Let the others know what is waited for here, unless they were told a moment ago."""
        topics = (*(Topic("job", name) for name in job_types), *(Topic("instance", name) for name in instances))
        self._send(self._wants, self._interests.want(topics, self._now_s()))

    def publish(self, *, job_types: Collection[str], instances: Collection[str]) -> None:
        """Say what was committed, to those who wait for it."""
        topics = [*(Topic("job", name) for name in job_types), *(Topic("instance", name) for name in instances)]
        self._send(self._news, self._interests.publish(topics, self._now_s()))

    async def start(self) -> None:
        """Begin to listen; raises `Unavailable`."""
        await self._connection()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._line.close()

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    def _send(self, outbox: dict[Topic, None], topics: Collection[Topic]) -> None:
        short = [topic for topic in topics if len(topic.name) <= LONGEST_NAME]
        if short:
            outbox.update(dict.fromkeys(short))
            self._wake.set()

    async def _run(self) -> None:
        """Send what gathers, one message at a time, and stay connected."""
        while True:
            try:
                connection = await self._connection()
                await self._wake.wait()
                self._wake.clear()
                message = self._next()
                with translated():
                    await connection.execute(SQL["notify"], CHANNEL, message)
            except Unavailable:
                self._line.drop()
                await asyncio.sleep(RETRY_S)
            except (WorkflowError, asyncpg.PostgresError) as error:
                log.warning("news for other engines was lost", why=str(error))

    async def _connection(self) -> Any:
        """Return a connection that listens. On a new one, what the others said meanwhile is lost: look everywhere."""
        connection = await self._line.get()
        if self._listening is not connection:
            with translated():
                await connection.add_listener(CHANNEL, self._receive)
                connection.add_termination_listener(lambda _lost: self._wake.set())
            self._listening = connection
            self._hello = True
            self._wants.update(dict.fromkeys(self._interests.ours(self._now_s())))
            self._wake.set()
            self._tell(News(gap=True))
        return connection

    def _next(self) -> str:
        """Return the message to send now; what does not fit is for the next."""
        message = Message(self._name, hello=self._hello)
        self._hello = False
        room = MOST_BYTES
        for outbox, told in ((self._wants, message.wants), (self._news, message.news)):
            while outbox and room > 0:
                topic = next(iter(outbox))
                room -= len(msgspec.json.encode(topic))
                if room < 0 and (told or message.wants):
                    break
                del outbox[topic]
                told.append(topic)
        if self._wants or self._news:
            self._wake.set()
        return msgspec.json.encode(message).decode()

    def _receive(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        try:
            message = _decode(payload)
        except msgspec.MsgspecError:
            return  # somebody else's
        if message.sender == self._name:
            return
        now_s = self._now_s()
        if message.hello:
            self._send(self._wants, self._interests.ours(now_s))
        self._send(self._news, self._interests.wanted(message.wants, now_s))
        if message.news:
            self._tell(News(_names(message.news, "job"), _names(message.news, "instance")))

    def _tell(self, news: News) -> None:
        if self._heard is not None:
            self._heard(news)


def _names(topics: Collection[Topic], kind: str) -> frozenset[str]:
    return frozenset(topic.name for topic in topics if topic.kind == kind)
