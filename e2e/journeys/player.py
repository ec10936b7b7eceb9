"""Plays one journey: starts it, does its acts when their time has come, waits for the end, and judges what came out."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from workflow_sdk.errors import BusinessKeyInUse, EngineClientError

from e2e.journeys.bank import Bank
from e2e.journeys.journey import Act, Journey, Json
from e2e.journeys.site import AsyncClient
from e2e.journeys.verdict import Traces, problems_of

PATIENCE_S = 60.0
WAIT_MS = 10_000
LINK_PAUSE_S = 0.01
TERMINAL = ("COMPLETED", "FAILED", "CANCELLED")
Interlude = Callable[[int], Awaitable[None]]


class Played(NamedTuple):
    """What came of it: `problems` are sentences, `history` is the last one seen of the instance and of its child."""

    ms: int
    problems: list[str]
    history: list[Json]


class Player:
    """Plays journeys through one client.

    `after_act` is awaited after the answer to each act, with its number; the start is act 0. With it, a journey is not
    judged by how often its handlers were called: it is there for kills, and a job whose worker died comes again.
    """

    def __init__(self, client: AsyncClient, bank: Bank, *, after_act: Interlude | None = None) -> None:
        self._client = client
        self._bank = bank
        self._after_act = after_act
        self._instances: list[str] = []

    async def play(self, journey: Journey, key: str) -> Played:
        """Play it to its end under the business key `key`, which no other has."""
        began, problems = time.perf_counter(), []
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._act_it_out(journey, key)
        except TimeoutError:
            problems.append(f"it did not end within {PATIENCE_S:g} s; {await self._state()}")
        except (EngineClientError, AssertionError) as error:
            problems.append(f"{type(error).__name__}: {error}; {await self._state()}")
        ms = round((time.perf_counter() - began) * 1000)
        history = await self._history()
        if not problems:
            problems = problems_of(journey, await self._traces(journey, key), exact_calls=self._after_act is None)
        return Played(ms, problems, history)

    async def _act_it_out(self, journey: Journey, key: str) -> None:
        first, *others = journey.definitions
        for definition in others:
            await self._client.upload_definition(definition)
        version = (await self._client.upload_definition(first))["version"]
        started = await self._client.start_instance(first["id"], journey.variables, version, key)
        self._instances.append(started["id"])
        await self._pass(0)
        for number, act in enumerate(journey.acts, 1):
            await self._do(act, first["id"], key)
            await self._pass(number)
        await self._end(self._instances[0])
        if journey.child is not None:
            await self._end(await self._child())

    async def _do(self, act: Act, definition_id: str, key: str) -> None:
        instance_id = await self._child() if act.child else self._instances[0]
        await self._until_ripe(instance_id, act)
        match act.kind:
            case "answer":
                await self._client.complete_user_task_step(instance_id, act.step, "somebody", act.data)
            case "signal":
                await self._client.signal_wait(instance_id, act.step, act.data)
            case "retry":
                await self._client.retry_step(instance_id, act.step, act.data)
            case "cancel":
                await self._client.cancel_instance(instance_id, act.data["reason"])
            case "start again":
                try:
                    twin = await self._client.start_instance(definition_id, {}, None, key)
                except BusinessKeyInUse:
                    return
                raise AssertionError(f"a second instance with the business key was started: {twin['id']}")

    async def _until_ripe(self, instance_id: str, act: Act) -> None:
        """Return when the instance has come to where the act can be done."""
        if act.kind == "retry":
            await self._end(instance_id)
            return
        while not _ripe(instance := await self._client.get_instance(instance_id), act):
            assert instance["status"] not in TERMINAL, f"it ended as {instance['status']} before it could {act.kind}"
            async for _ in self._client.watch_instance(instance_id, after=instance["revision"]):
                break

    async def _end(self, instance_id: str) -> Json:
        while not (answer := await self._client.await_instance(instance_id, wait_ms=WAIT_MS))["reached"]:
            pass
        instance: Json = answer["instance"]
        return instance

    async def _child(self) -> str:
        """Return the child's id; it is born in a transaction of its own, just after its parent's end."""
        if len(self._instances) == 1:
            parent = await self._end(self._instances[0])
            while not parent.get("childInstanceId"):
                assert parent["status"] == "COMPLETED", f"its parent ended as {parent['status']}"
                await asyncio.sleep(LINK_PAUSE_S)
                parent = await self._client.get_instance(self._instances[0])
            self._instances.append(parent["childInstanceId"])
        return self._instances[1]

    async def _pass(self, number: int) -> None:
        if self._after_act is not None:
            await self._after_act(number)

    async def _traces(self, journey: Journey, key: str) -> Traces:
        instances = [await self._client.get_instance(instance_id) for instance_id in self._instances]
        histories = [await self._client.get_instance_history(instance_id) for instance_id in self._instances]
        total = (await self._client.list_instances(business_key=key))["total"]
        assert len(instances) == 1 + (journey.child is not None)
        return Traces(instances, histories, total, self._bank.effects_of(key), len(self._bank.calls_of(key)))

    async def _history(self) -> list[Json]:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return [item for own in self._instances for item in await self._client.get_instance_history(own)]
        except (TimeoutError, EngineClientError) as error:
            return [{"unreadable": str(error)}]

    async def _state(self) -> str:
        try:
            async with asyncio.timeout(PATIENCE_S):
                found = [await self._client.get_instance(own) for own in self._instances]
        except (TimeoutError, EngineClientError) as error:
            return f"its state cannot be read: {error}"
        return f"it is {json.dumps(found, ensure_ascii=False)}"


def _ripe(instance: Json, act: Act) -> bool:
    arrived = act.step in instance["currentStepIds"] if act.step else instance["status"] == "WAITING"
    return arrived and (not act.needs or act.needs in instance["variables"])
