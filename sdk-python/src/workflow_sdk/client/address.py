"""Where an engine is, as it may be shown, and what is said to every engine over HTTP. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

# Servers close idle connections after five seconds or more. Closing first keeps a request from being written into a
# connection that is just going away, which would leave it unknown whether it was taken.
KEEPALIVE_SECONDS = 4.0
HEADERS = {"accept": "application/json", "user-agent": "workflow-sdk"}


def proxy_of(base_url: str) -> str | None:
    """Return the proxy that the environment names for an engine (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, ...), or None.

    Asked once for each set of connections: aiohttp would look it up for every request, on a thread.
    """
    parts = urlsplit(base_url)
    if proxy_bypass(parts.hostname or ""):
        return None
    known = getproxies()
    return known.get(parts.scheme) or known.get("all")


def shown_url(base_url: str) -> str:
    """Return a base URL as it may be shown: without a password."""
    before, at, after = base_url.rpartition("@")
    return f"{before.partition('://')[0]}://{after}" if at else base_url


def host_of(target: str) -> str:
    """Return the host of a gRPC target such as `dns:///host:port`, `[::1]:9090` or `host:port`."""
    name = target.rpartition("/")[2].removeprefix("dns:").removeprefix("ipv4:").removeprefix("ipv6:")
    host, colon, port = name.rpartition(":")
    return host if colon and port.isdigit() and (":" not in host or host.endswith("]")) else name
