"""A business key when an instance comes back: it must be free, whoever else is in the batch, and wherever that ends."""

from __future__ import annotations

import asyncio

import pytest
from rochallor.core.errors import BusinessKeyInUse
from rochallor.stores.memory import MemoryStore

ROUTE = {
    "id": "route",
    "type": "DECISION",
    "conditionalNextSteps": {'mode == "quick"': "end", 'mode == "wait"': "ask"},
}
ASK = {"id": "ask", "type": "USER_TASK", "nextStep": "end"}
END = {"id": "end", "type": "END"}


@pytest.fixture
async def house(house):
    await house.upload(ROUTE, ASK, END)
    return house


async def start(house, mode):
    return await house.start(variables=b'{"mode": "%b"}' % mode.encode(), business_key="k")


async def retry(house, instance_id, mode):
    variables = b'{"mode": "%b"}' % mode.encode()
    return await house.engine.retry_step(instance_id, "route", variables=variables)


@pytest.mark.parametrize("mode", ["quick", "wait"])
async def test_a_key_that_another_holds_by_now_refuses_the_retry(house, mode):
    """Whether the instance would park or end at once."""
    failed = await start(house, "none")
    await start(house, "wait")
    with pytest.raises(BusinessKeyInUse, match="business key already in use"):
        await retry(house, failed, mode)
    assert await house.status(failed) == "FAILED"


async def test_a_key_whose_holder_ends_in_the_same_batch_is_free(house):
    """And taken for the next of the batch, if the retried instance parks."""
    failed, other = await start(house, "none"), await start(house, "none")
    holder = await start(house, "wait")
    _, retried, refused = await asyncio.gather(
        house.engine.cancel_instance(holder),
        retry(house, failed, "wait"),
        retry(house, other, "quick"),
        return_exceptions=True,
    )
    assert retried.status == "WAITING"
    assert isinstance(refused, BusinessKeyInUse)


async def test_keys_that_are_labels_may_meet_in_a_batch(houses):
    """Whoever starts or comes back with them."""
    house = await houses(MemoryStore(unique_keys=False))
    await house.upload(ROUTE, ASK, END)
    failed = await start(house, "none")
    answers = await asyncio.gather(start(house, "wait"), start(house, "wait"), retry(house, failed, "wait"))
    assert answers[2].status == "WAITING"


async def test_a_key_that_nobody_holds_is_taken_again(house):
    """By the retried instance, until it ends."""
    failed = await start(house, "none")
    assert (await retry(house, failed, "wait")).status == "WAITING"
    with pytest.raises(BusinessKeyInUse):
        await start(house, "quick")
    await house.engine.complete_user_task(failed, "ask")
    await start(house, "quick")
