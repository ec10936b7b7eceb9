"""Ports for several processes: reserved by the parent, listened on by each worker with SO_REUSEPORT.

The parent binds and does not listen, so it is handed no connection, and keeps the port from others while no worker
has it. Each worker has a queue of its own in the kernel; the one of a worker that dies is lost with it, as it is when
a single engine dies, and clients connect again.
"""

from __future__ import annotations

import socket
import sys
from typing import NamedTuple


class Reserved(NamedTuple):
    """A port, and the socket that holds it."""

    port: int
    holder: socket.socket


def can_share() -> bool:
    """Tell whether the system gives connections to one port to several processes in turn (Linux does)."""
    return sys.platform == "linux" and hasattr(socket, "SO_REUSEPORT")


def reserve(host: str, port: int) -> Reserved:
    """Hold `port` of `host`, 0 for a free one; raises `OSError` when somebody else listens there."""
    family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    _must_be_free(family, kind, protocol, address)
    holder = socket.socket(family, kind, protocol)
    try:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(address)
    except OSError:
        holder.close()
        raise
    return Reserved(int(holder.getsockname()[1]), holder)


def _must_be_free(family: int, kind: int, protocol: int, address: tuple[object, ...]) -> None:
    """Bind without sharing first: two sets of workers on one port would each get half of the requests."""
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            message = f"cannot listen on {address[0]}:{address[1]}: {(error.strerror or str(error)).lower()}"
            raise OSError(error.errno, message) from error
