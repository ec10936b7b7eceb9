"""The store exam, lists: filtered, ordered, in pages, with a total."""

from __future__ import annotations

import pytest
from rochallor.core import commands as cmd
from rochallor.core.errors import Unavailable
from rochallor.ports import InstanceFilter, UserTaskFilter, UserTaskRow


async def ids(world, limit=10, offset=0, **where):
    found, total = await world.store.reads.instances(InstanceFilter(**where), limit, offset)
    return [instance.id for instance in found], total


async def test_the_latest_start_comes_first(world):
    """Instances come by start time descending; those of one moment by id."""
    a, b = await world.start(), await world.start()
    world.now_ms += 1
    c = await world.start()
    assert await ids(world) == ([c.id, a.id, b.id], 3)


async def test_instances_come_in_pages(world):
    """A page is a slice of the order; the total counts all that match."""
    order = [(await world.start()).id for _ in range(3)]
    assert await ids(world, 2) == (order[:2], 3)
    assert await ids(world, 2, 2) == (order[2:], 3)
    assert await ids(world, 2, 4) == ([], 3)


async def test_a_listed_instance_is_whole(world):
    """The list gives the same instances as reading each of them."""
    instance = await world.start("wide", b'{"a": {"b": "\\u0000"}}', business_key="k")
    assert (await world.store.reads.instances(InstanceFilter(), 1, 0))[0] == [instance]


async def test_instances_are_filtered_by_every_field(world):
    """Definition, status and business key narrow the list, alone and together."""
    plain = await world.start(business_key="k")
    waiting = await world.start("approval", business_key="k")
    gone = await world.cancel(await world.start())
    assert await ids(world, definition_id="straight") == ([plain.id, gone.id], 2)
    assert await ids(world, status="WAITING") == ([waiting.id], 1)
    assert await ids(world, business_key="k") == ([plain.id, waiting.id], 2)
    assert await ids(world, definition_id="approval", status="WAITING", business_key="k") == ([waiting.id], 1)
    assert await ids(world, definition_id="approval", status="ACTIVE") == ([], 0)


async def test_a_filter_is_compared_exactly(world):
    """Quotes, wildcards and case in a filter mean themselves."""
    await world.start(business_key="key")
    for key in ("KEY", "k%", "' OR 1=1 --"):
        assert await ids(world, business_key=key) == ([], 0)


async def test_all_ids_can_be_walked(world):
    """Walking ids from the last one seen reaches every instance once, in order."""
    expected = [(await world.start()).id for _ in range(5)]
    seen, after = [], ""
    while page := await world.store.reads.instance_ids(after, 2):
        seen += page
        after = page[-1]
    assert seen == expected


async def tasks(world, limit=10, offset=0, **where):
    return await world.store.reads.user_tasks(UserTaskFilter(**where), limit, offset)


async def test_an_open_user_task_is_listed_with_all_a_person_needs(world):
    """A task says what it belongs to and since when it waits."""
    instance = await world.start("approval", business_key="k")
    row = UserTaskRow(instance.id, 1, "ok", "approval", 1, "k", "OPEN", world.now_ms, None, "")
    assert await tasks(world) == ([row], 1)


async def test_a_completed_user_task_stays_with_who_did_it(world):
    """A task stays in the list when it is done."""
    instance = await world.start("approval")
    opened_ms = world.now_ms
    world.now_ms += 5
    await world.do(cmd.CompleteUserTask(instance_id=instance.id, step_id="ok", completed_by="ann"))
    [row], _ = await tasks(world)
    assert (row.status, row.created_at_ms) == ("COMPLETED", opened_ms)
    assert (row.closed_at_ms, row.completed_by) == (world.now_ms, "ann")


async def test_an_interrupted_user_task_is_cancelled(world):
    """A task that its timer or its instance closed is CANCELLED, by nobody."""
    first = await world.start("approval")
    second = await world.start("approval")
    await world.cancel(second)
    world.now_ms += 10_000
    await world.do(cmd.FireTimer(instance_id=first.id, seq=1, index=0))
    rows, _ = await tasks(world)
    assert [(row.status, row.completed_by) for row in rows] == [("CANCELLED", "")] * 2


async def test_a_task_opened_and_closed_in_one_batch_is_listed_closed(world):
    """A task that did not outlive its batch is still on record."""
    first = world.started("approval")
    command = cmd.CompleteUserTask(instance_id=first.after.id, step_id="ok", completed_by="ann")
    await world.save(first, world.change(first.after, command))
    [row], _ = await tasks(world)
    assert (row.status, row.closed_at_ms, row.completed_by) == ("COMPLETED", world.now_ms, "ann")


async def test_user_tasks_come_oldest_first_in_pages(world):
    """Tasks come by age; a page is a slice; the total counts all that match."""
    order = []
    for _ in range(3):
        order.append((await world.start("approval")).id)
        world.now_ms += 1
    first, total = await tasks(world, 2)
    rest, _ = await tasks(world, 2, 2)
    assert [row.instance_id for row in first + rest] == order
    assert total == 3


async def test_user_tasks_are_filtered_by_every_field(world):
    """Instance, definition and status narrow the list, alone and together."""
    one = await world.start("approval")
    two = await world.start("wide")
    await world.cancel(one)
    assert [row.instance_id for row in (await tasks(world, instance_id=one.id))[0]] == [one.id]
    assert [row.instance_id for row in (await tasks(world, definition_id="wide"))[0]] == [two.id]
    assert [row.instance_id for row in (await tasks(world, status="OPEN"))[0]] == [two.id]
    assert await tasks(world, definition_id="wide", status="CANCELLED") == ([], 0)


async def test_an_open_store_answers_a_ping(world):
    """Ping returns while the store is open."""
    await world.store.ping()


async def test_a_closed_store_is_unavailable(build, tmp_path):
    """Before it is opened and after it is closed, a store refuses to work instead of losing things."""
    store = build(tmp_path)
    with pytest.raises(Unavailable):
        await store.ping()
    await store.open()
    await store.close()
    with pytest.raises(Unavailable):
        await store.ping()
    with pytest.raises(Unavailable):
        async with store.transaction():
            pass


async def test_closing_twice_is_closing_once(build, tmp_path):
    """A second close, or one without an open, is no error."""
    store = build(tmp_path)
    await store.close()
    await store.open()
    await store.close()
    await store.close()
