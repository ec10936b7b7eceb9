"""What a runner is given as its client."""

from __future__ import annotations

from typing import Any

import pytest
from workflow_sdk import HandlerRegistry, Runner
from workflow_sdk.runner.async_runner import AsyncRunner


class Least:
    """A client of the application's own, with the documented methods and nothing else."""

    def poll_jobs(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        return []

    def complete_job(self, *_: Any, **__: Any) -> None: ...

    def fail_job(self, *_: Any, **__: Any) -> None: ...


@pytest.mark.parametrize(("face", "example"), [(Runner, "RestEngineClient"), (AsyncRunner, "AsyncRestEngineClient")])
def test_a_url_is_no_client(face: Any, example: str) -> None:
    """A worker that could only poll in vain is refused when it is made, with what to write instead."""
    with pytest.raises(TypeError) as refused:
        face("http://localhost:8080", HandlerRegistry(), "w")
    assert str(refused.value) == f"client must be an engine client, such as {example}(url), not a str"


def test_three_methods_make_a_client() -> None:
    """Clients and doubles of others go on working."""
    Runner(Least(), HandlerRegistry(), "w")
