"""Which function serves which job type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

Handler = Callable[[dict[str, Any]], Any]
"""Takes the job as a dict; returns a dict of variables to set, or None. May be `async def`."""

H = TypeVar("H", bound=Handler)


@dataclass(frozen=True)
class Registration:
    """One handler and what was said about it; limits and timeouts of a handler go here."""

    job_type: str
    handler: Handler


class HandlerRegistry:
    """Handlers by job type. Registering a type again replaces its handler."""

    def __init__(self) -> None:
        self._registrations: dict[str, Registration] = {}

    @overload
    def register(self, job_type: str, handler: H) -> H: ...

    @overload
    def register(self, job_type: str) -> Callable[[H], H]: ...

    def register(self, job_type: str, handler: H | None = None) -> H | Callable[[H], H]:
        """Register `handler` for `job_type`; without a handler, return the decorator that does.

        The function comes back as it is, so a decorated handler is still an ordinary function to call in a test.

        Raises:
            ValueError: the job type is empty.
            TypeError: the handler cannot be called.

        """
        if not job_type:
            raise ValueError("job_type must be the text that the definition's step has as jobType")
        if handler is None:
            return lambda function: self._add(job_type, function)
        return self._add(job_type, handler)

    def _add(self, job_type: str, handler: H) -> H:
        if not callable(handler):
            raise TypeError(f"the handler for {job_type!r} is a {type(handler).__name__}, not a function")
        self._registrations[job_type] = Registration(job_type, handler)
        return handler

    def get(self, job_type: str) -> Handler | None:
        """Return the very function that was registered, None when there is none."""
        registration = self._registrations.get(job_type)
        return None if registration is None else registration.handler

    def job_types(self) -> list[str]:
        """Return the registered types, in the order of their first registration."""
        return list(self._registrations)
