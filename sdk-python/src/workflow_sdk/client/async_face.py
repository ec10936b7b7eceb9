"""What is built from several operations, with `async def`: `face` for asynchronous clients; a test compares the two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workflow_sdk.client.async_base import AsyncBaseEngineClient, Json
from workflow_sdk.client.async_handle import AsyncInstanceHandle
from workflow_sdk.client.pages import MOST_PER_PAGE, pages_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from typing import Any


class AsyncClient(AsyncBaseEngineClient):
    """A client with what is comfortable beside what is there."""

    async def start(
        self,
        definition_id: str,
        variables: Mapping[str, Any] | None = None,
        *,
        version: int | None = None,
        business_key: str | None = None,
    ) -> AsyncInstanceHandle:
        """Start an instance and return it as a handle, to wait for its result or to act on it."""
        started = await self.start_instance(definition_id, variables, version, business_key)
        return self.instance(started["id"])

    def instance(self, instance_id: str) -> AsyncInstanceHandle:
        """Return a handle of an instance; the engine is not asked whether there is one."""
        return AsyncInstanceHandle(self, instance_id, self._settings.clock)

    async def iter_definitions(self, keyword: str = "") -> AsyncIterator[Json]:
        """Yield every definition that `list_definitions` lists, page after page."""
        async for item in pages_async(lambda page: self.list_definitions(keyword, page, MOST_PER_PAGE)):
            yield item

    async def iter_instances(
        self, definition_id: str = "", status: str = "", business_key: str = ""
    ) -> AsyncIterator[Json]:
        """Yield every instance that `list_instances` lists, page after page, none twice."""
        async for item in pages_async(
            lambda page: self.list_instances(definition_id, status, business_key, page, MOST_PER_PAGE)
        ):
            yield item

    async def iter_user_tasks(
        self, instance_id: str = "", definition_id: str = "", status: str = ""
    ) -> AsyncIterator[Json]:
        """Yield every user task that `list_user_tasks` lists, page after page, none twice."""
        async for item in pages_async(
            lambda page: self.list_user_tasks(instance_id, definition_id, status, page, MOST_PER_PAGE)
        ):
            yield item
