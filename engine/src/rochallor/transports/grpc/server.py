"""The gRPC server: what it offers, and the limits of its connections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import grpc
from grpc_reflection.v1alpha import reflection

from rochallor.transports.grpc import health as health_service
from rochallor.transports.grpc.servicer import SERVICE, Observe, handlers

if TYPE_CHECKING:
    from rochallor.access import Guard
    from rochallor.shell.engine import Engine
    from rochallor.transports.grpc.health import Health

ENVELOPE_BYTES = 1024 * 1024
"""What a message may take beside the body that the engine accepts: job ids, tokens, field tags of many results."""


MAX_RPCS = 4_096
"""How many requests may be under way; each may hold a message, and a poll may wait half a minute."""

MAX_STREAMS = 1_000
"""How many of them one connection may have; more wait at the client, by the rules of HTTP/2."""

MAX_METADATA_BYTES = 32 * 1024
HANDSHAKE_MS = 20_000


def create_server(
    engine: Engine,
    *,
    health: Health | None = None,
    observe: Observe | None = None,
    share_port: bool = False,
    guard: Guard | None = None,
    max_rpcs: int = MAX_RPCS,
    interceptors: Sequence[Any] = (),
) -> Any:
    """Return a `grpc.aio.Server` for the engine, neither bound nor started; make it inside the running event loop.

    `health`: given by whoever wants to call its `stop()` before a shutdown. `observe`: told about every request.
    `share_port`: let several processes listen on one port; otherwise a port that is taken is an error, not a surprise.
    `guard`: admits callers by their tokens; health and reflection need none. `interceptors`: see every call first.
    """
    options = _options(engine.settings.max_body_bytes + ENVELOPE_BYTES, share_port=share_port)
    server = grpc.aio.server(options=options, maximum_concurrent_rpcs=max_rpcs, interceptors=interceptors)
    probes = health or health_service.Health(engine)
    server.add_generic_rpc_handlers((handlers(engine, observe, guard), probes.handlers()))
    names = (SERVICE, health_service.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    return server


def bind(server: Any, host: str, port: int, credentials: Any = None) -> int:
    """Listen on `host` (a name or an address) and `port`, 0 for a free one; return the port.

    With `credentials` it speaks TLS. Raises `OSError` when that cannot be, most often because another process has the
    port.
    """
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        bound = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address}; is another engine running there? Choose another port") from error
    return int(bound)


def _options(max_message_bytes: int, *, share_port: bool) -> tuple[tuple[str, int], ...]:
    return (
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.so_reuseport", int(share_port)),
        ("grpc.max_concurrent_streams", MAX_STREAMS),
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
        # Workers keep idle connections alive with pings; grpc's default is to hang up on who pings twice in 5 min.
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
    )
