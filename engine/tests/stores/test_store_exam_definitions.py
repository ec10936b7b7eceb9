"""The store exam, definitions: versions stay as they were uploaded, and the newest is found."""

from __future__ import annotations

import pytest
from rochallor.ports import StoreConflict, StoredDefinition, Wanted


async def test_a_version_is_read_back_as_it_was_stored(world):
    """Id, name, description, time and the very bytes of the source come back, in and out of a transaction."""
    source = '{"z": 1,  "a": [ "\\u0000", "größe" ]}'.encode()
    stored = StoredDefinition("d", 1, "Größe", "what for", source, world.now_ms)
    async with world.store.transaction() as tx:
        await tx.insert_definition(stored)
        assert await tx.definition("d", 1) == stored
        assert await tx.latest_definition("d") == stored
    assert await world.store.reads.definition("d", 1) == stored


async def test_the_newest_version_is_the_greatest_number(world):
    """Without a version the newest is read, by number and not by text."""
    for version in (1, 2, 10):
        await world.upload("d", version)
    assert (await world.store.reads.definition("d", None)).version == 10
    async with world.store.transaction() as tx:
        assert (await tx.latest_definition("d")).version == 10
        assert (await tx.load(Wanted(latest=frozenset({"d", "unknown"})))).latest == {"d": 10}


async def test_the_newest_version_is_known_as_soon_as_it_is_there(world):
    """Also to the transaction that stores it, and whatever was loaded before."""
    assert await newest(world) == (None, {})
    await world.upload("d")
    assert await newest(world) == (1, {"d": 1})
    async with world.store.transaction() as tx:
        await tx.insert_definition(StoredDefinition("d", 2, "", "", b"{}", world.now_ms))
        assert await tx.newest_version("d") == 2
    assert await newest(world) == (2, {"d": 2})


async def newest(world):
    """Return what two ways of asking for the newest version of `d` say."""
    async with world.store.transaction() as tx:
        return await tx.newest_version("d"), (await tx.load(Wanted(latest=frozenset({"d"})))).latest


async def test_what_was_never_uploaded_is_not_found(world):
    """An unknown id or version is None."""
    await world.upload("d")
    assert await world.store.reads.definition("d", 2) is None
    assert await world.store.reads.definition("D", None) is None
    async with world.store.transaction() as tx:
        assert await tx.latest_definition("other") is None
        assert await tx.definition("d", 2) is None


async def test_a_version_exists_once(world):
    """Storing the same version twice is a conflict, and the first one stays."""
    await world.upload("d", source=b"1")
    with pytest.raises(StoreConflict):
        await world.upload("d", source=b"2")
    assert (await world.store.reads.definition("d", 1)).source == b"1"


async def test_a_layout_is_replaced_in_place(world):
    """Replacing the layout changes the source of that version and nothing else."""
    await world.upload("d", 1, source=b"1")
    await world.upload("d", 2, source=b"2")
    before = await world.store.reads.definition("d", 2)
    async with world.store.transaction() as tx:
        await tx.replace_layout(before._replace(source=b"3"))
    assert await world.store.reads.definition("d", 2) == before._replace(source=b"3")
    assert (await world.store.reads.definition("d", 1)).source == b"1"


async def names(world, keyword="", limit=10, offset=0):
    found, total = await world.store.reads.definitions(keyword, limit, offset)
    return [(stored.id, stored.version) for stored in found], total


async def test_the_list_has_the_newest_version_per_id(world):
    """Each id is listed once, in its newest version, in order of ids."""
    for definition_id, version in (("b", 1), ("a", 1), ("a", 2)):
        await world.upload(definition_id, version)
    assert await names(world) == ([("a", 2), ("b", 1)], 2)


async def test_the_list_comes_in_pages(world):
    """A page is a slice of the list; the total counts all of it."""
    for definition_id in "abc":
        await world.upload(definition_id)
    assert await names(world, limit=2) == ([("a", 1), ("b", 1)], 3)
    assert await names(world, limit=2, offset=2) == ([("c", 1)], 3)
    assert await names(world, limit=2, offset=4) == ([], 3)


@pytest.mark.parametrize(
    ("keyword", "found"),
    [
        ("loan", ["loan_1", "other"]),
        ("LOAN", ["loan_1", "other"]),
        ("n_1", ["loan_1"]),
        ("n%1", []),
        ("100%", ["other"]),
        ("überweisung", ["zahl"]),
        ("'", ["zahl"]),
        ("missing", []),
    ],
)
async def test_a_keyword_is_found_literally_in_id_or_name_whatever_its_case(world, keyword, found):
    """No character of a keyword is a wildcard, and case does not matter beyond ASCII either."""
    await world.upload("loan_1", name="first")
    await world.upload("other", name="100% Loan")
    await world.upload("zahl", name="ÜBERWEISUNG '24")
    assert [definition_id for definition_id, _ in (await names(world, keyword))[0]] == found


async def test_a_keyword_looks_at_the_newest_version_only(world):
    """A name of the past is not found."""
    await world.upload("d", 1, "old")
    await world.upload("d", 2, "new")
    assert await names(world, "old") == ([], 0)
    assert await names(world, "new") == ([("d", 2)], 1)
