"""What tests of access share: a clock that is told, and tokens of every role."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from rochallor.access import hash_of, mint
from rochallor.config import Config
from rochallor.serve import Server
from rochallor.serve.security import security_of
from rochallor.shell.clocks import SystemClock
from rochallor.stores.sqlite import SqliteStore

FREE_PORTS = {"rest_port": 0, "grpc_port": 0, "metrics_port": 0}
NOW_MS = 1_790_000_000_000


class ToldClock:
    """Says the time it was told."""

    def __init__(self) -> None:
        self.ms = NOW_MS

    def now_ms(self) -> int:
        return self.ms


@pytest.fixture
def clock():
    return ToldClock()


def entry(secret: str, name: str, role: str, **more: object) -> dict[str, object]:
    return {"name": name, "role": role, "hash": hash_of(secret), **more}


@pytest.fixture(name="entry")
def entry_fixture():
    """Build an entry of a tokens file: `entry(secret, name, role, **more)`."""
    return entry


@pytest.fixture(scope="session")
def secrets():
    """A token of each role, one that has expired, one for a single job type, one that nobody knows."""
    names = ("admin", "operator", "worker", "reader", "expired", "scorer", "stranger")
    return SimpleNamespace(**{name: mint(number) for number, name in enumerate(names, 1 << 200)})


@pytest.fixture
def tokens_file(tmp_path, secrets):
    """A tokens file with all of them but the stranger's."""
    entries = [entry(getattr(secrets, role), role, role) for role in ("admin", "operator", "worker", "reader")]
    entries.append(entry(secrets.expired, "expired", "admin", expires="2020-01-01T00:00:00Z"))
    entries.append(entry(secrets.scorer, "scorer", "worker", jobTypes=["score"]))
    path = tmp_path / "tokens.yaml"
    path.write_text(yaml.safe_dump(entries))
    return path


@pytest.fixture
async def secured(tokens_file, secrets) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """Start engines that ask for tokens; each has `addresses` and `headers(caller)`."""
    servers: list[Server] = []

    def headers(caller: str) -> dict[str, str]:
        return {} if caller == "nobody" else {"authorization": f"Bearer {getattr(secrets, caller)}"}

    async def start(**options) -> Any:
        config = Config(**FREE_PORTS, auth_tokens_file=str(tokens_file))
        security = security_of(config, SystemClock())
        server = Server(config, SqliteStore(":memory:"), security=security, **options)
        await server.start()
        servers.append(server)
        return SimpleNamespace(addresses=server.addresses, headers=headers, server=server, security=security)

    yield start
    for server in servers:
        await server.stop()
