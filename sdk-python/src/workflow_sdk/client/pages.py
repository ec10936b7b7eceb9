"""One long list from the engine's pages.

Lists begin with the newest, so what is added meanwhile pushes items onto the next page: those come again and are left
out here. What is removed meanwhile may hide an item from whoever turns the pages; that is so in any paged list.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count
from typing import Any

Json = dict[str, Any]
MOST_PER_PAGE = 100


class _Seen:
    """What was yielded already; an item is known by what identifies it, whichever list it is from."""

    def __init__(self) -> None:
        self._seen: set[tuple[object, ...]] = set()

    def fresh(self, page: Json) -> list[Json]:
        found: list[Json] = []
        for item in page["items"]:
            key = tuple(item.get(name) for name in ("id", "version", "instanceId", "stepId", "stepExecutionId"))
            if key not in self._seen:
                self._seen.add(key)
                found.append(item)
        return found


def _is_last(page: Json, number: int) -> bool:
    return not page["items"] or (number + 1) * int(page.get("pageSize") or MOST_PER_PAGE) >= page["total"]


def pages(page: Callable[[int], Json]) -> Iterator[Json]:
    """Yield the items of `page(0)`, `page(1)`, ... until the last."""
    seen = _Seen()
    for number in count():
        found = page(number)
        yield from seen.fresh(found)
        if _is_last(found, number):
            return


async def pages_async(page: Callable[[int], Awaitable[Json]]) -> AsyncIterator[Json]:
    """Do the same where `page` is asynchronous."""
    seen = _Seen()
    for number in count():
        found = await page(number)
        for item in seen.fresh(found):
            yield item
        if _is_last(found, number):
            return
