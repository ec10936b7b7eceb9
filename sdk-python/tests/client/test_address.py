"""Where an engine is: proxies that the environment names, what may be shown, hosts of gRPC targets."""

from __future__ import annotations

import pytest
from workflow_sdk.client.address import host_of, proxy_of, shown_url

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, "http://engine.example.org", None),
        ({"http_proxy": "http://p:3128"}, "http://engine.example.org:8080", "http://p:3128"),
        ({"http_proxy": "http://p:3128"}, "https://engine.example.org", None),
        ({"https_proxy": "http://s:3128"}, "https://engine.example.org", "http://s:3128"),
        ({"all_proxy": "http://a:3128"}, "http://engine.example.org", "http://a:3128"),
        ({"http_proxy": "http://p:3128", "no_proxy": "example.org"}, "http://engine.example.org", None),
        ({"http_proxy": "http://p:3128", "no_proxy": "localhost"}, "http://localhost:8080", None),
        ({"http_proxy": "http://p:3128"}, "not a url", None),
    ],
)
def test_proxy_is_the_environment_s(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str, proxy: str | None
) -> None:
    """As curl and httpx read it."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_of(url) == proxy


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://localhost:8080", "http://localhost:8080"),
        ("https://ann:secret@engine.example.org/base", "https://engine.example.org/base"),
    ],
)
def test_password_is_not_shown(url: str, shown: str) -> None:
    """Errors and reprs end in logs."""
    assert shown_url(url) == shown


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("localhost:9090", "localhost"),
        ("dns:///engine.example.org:9090", "engine.example.org"),
        ("[::1]:9090", "[::1]"),
        ("ipv4:127.0.0.1:9090", "127.0.0.1"),
        ("engine", "engine"),
        ("::1", "::1"),
    ],
)
def test_host_of_a_grpc_target(target: str, host: str) -> None:
    """Whatever form gRPC takes."""
    assert host_of(target) == host
