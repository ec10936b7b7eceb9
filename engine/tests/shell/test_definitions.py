"""What is compiled at run time is what is stored: not what was nearly stored, nor what another engine has replaced."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from rochallor.core.definition import parse_definition
from rochallor.core.errors import Unavailable
from rochallor.shell import definitions
from rochallor.stores.memory import MemoryStore

END = {"id": "end", "name": "end", "type": "END"}


def definition(step, layout="here"):
    task = {"id": step, "name": step, "type": "USER_TASK", "nextStep": "end"}
    metadata = {"workflowModeller": layout}
    return json.dumps({"id": "flow", "name": "flow", "metadata": metadata, "steps": [task, END]}).encode()


class Flaky(MemoryStore):
    """Its next commit may fail, after everything else went well."""

    fails = False

    @asynccontextmanager
    async def transaction(self):
        async with super().transaction() as tx:
            yield tx
            if self.fails:
                self.fails = False
                raise Unavailable("the disk is full")


@pytest.fixture(autouse=True)
def in_order(monkeypatch):
    """Uploads are compiled where they come, so that what is asked for together is one batch in this order."""

    async def here(compiled, *arguments):
        return compiled(*arguments)

    monkeypatch.setattr(asyncio, "to_thread", here)


@pytest.mark.parametrize("beside", ["a start", "another upload"])
async def test_an_upload_that_was_not_committed_is_forgotten(houses, beside):
    """Another upload becomes that version, and instances run what was stored."""
    store = Flaky()
    house = await houses(store)
    engine = house.engine
    store.fails = True
    other = (
        engine.start_instance("flow", version=1) if beside == "a start" else engine.upload_definition(definition("c"))
    )
    refused = await asyncio.gather(engine.upload_definition(definition("a")), other, return_exceptions=True)
    assert [type(error) for error in refused] == [Unavailable, Unavailable]
    assert (await engine.upload_definition(definition("b"))).version == 1
    assert (await engine.start_instance("flow")).current_step_ids == ["b"]
    assert json.loads(await engine.get_definition("flow"))["steps"][0]["id"] == "b"


async def test_what_was_committed_is_not_compiled_again_when_a_later_batch_fails(houses, monkeypatch):
    """Only what that batch has uploaded is in doubt."""
    store, compiled = Flaky(), []
    engine = (await houses(store)).engine
    await engine.upload_definition(definition("a"))
    await engine.start_instance("flow")

    def counted(*arguments, **options):
        compiled.append(arguments)
        return parse_definition(*arguments, **options)

    monkeypatch.setattr(definitions, "parse_definition", counted)
    store.fails = True
    with pytest.raises(Unavailable):
        await engine.start_instance("flow")
    await engine.start_instance("flow")
    assert compiled == []


async def test_an_upload_and_its_first_start_may_be_one_batch(house):
    """The start sees what was uploaded before it, and so do those after it."""
    for _ in range(2):
        started = await asyncio.gather(
            house.engine.upload_definition(definition("a")), house.engine.start_instance("flow", version=1)
        )
        assert started[1].current_step_ids == ["a"]


async def test_a_layout_that_another_engine_has_stored_is_seen_and_can_be_replaced(houses):
    """Every engine serves every request, also the one about where the boxes are."""
    store = MemoryStore()
    one, two = (await houses(store)).engine, (await houses(store)).engine

    async def layouts():
        raw = [await engine.get_definition("flow") for engine in (one, two)]
        return [json.loads(text)["metadata"]["workflowModeller"] for text in raw]

    for engine, layout in ((one, "old"), (one, "new"), (two, "old")):
        assert (await engine.upload_definition(definition("a", layout))).version == 1
        assert await layouts() == [layout, layout]
