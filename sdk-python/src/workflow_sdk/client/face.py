"""What is built from several operations: handles of instances, lists without pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workflow_sdk.client.base import BaseEngineClient, Json
from workflow_sdk.client.handle import InstanceHandle
from workflow_sdk.client.pages import MOST_PER_PAGE, pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any


class Client(BaseEngineClient):
    """A client with what is comfortable beside what is there."""

    def start(
        self,
        definition_id: str,
        variables: Mapping[str, Any] | None = None,
        *,
        version: int | None = None,
        business_key: str | None = None,
    ) -> InstanceHandle:
        """Start an instance and return it as a handle, to wait for its result or to act on it."""
        started = self.start_instance(definition_id, variables, version, business_key)
        return self.instance(started["id"])

    def instance(self, instance_id: str) -> InstanceHandle:
        """Return a handle of an instance; the engine is not asked whether there is one."""
        return InstanceHandle(self, instance_id, self._settings.clock)

    def iter_definitions(self, keyword: str = "") -> Iterator[Json]:
        """Yield every definition that `list_definitions` lists, page after page."""
        yield from pages(lambda page: self.list_definitions(keyword, page, MOST_PER_PAGE))

    def iter_instances(self, definition_id: str = "", status: str = "", business_key: str = "") -> Iterator[Json]:
        """Yield every instance that `list_instances` lists, page after page, none twice."""
        yield from pages(lambda page: self.list_instances(definition_id, status, business_key, page, MOST_PER_PAGE))

    def iter_user_tasks(self, instance_id: str = "", definition_id: str = "", status: str = "") -> Iterator[Json]:
        """Yield every user task that `list_user_tasks` lists, page after page, none twice."""
        yield from pages(lambda page: self.list_user_tasks(instance_id, definition_id, status, page, MOST_PER_PAGE))
