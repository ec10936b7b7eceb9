"""Tokens and certificates: the SDK's four clients against an engine that asks for both."""

from __future__ import annotations

import asyncio
import inspect
import json
import pickle
from types import SimpleNamespace

import pytest
import trustme
from rochallor.access import hash_of
from rochallor.config import Config
from rochallor.serve import Server
from rochallor.serve.security import security_of
from rochallor.shell.clocks import SystemClock
from rochallor.stores.sqlite import SqliteStore
from workflow_sdk.client.async_grpc import AsyncGrpcEngineClient
from workflow_sdk.client.async_rest import AsyncRestEngineClient
from workflow_sdk.client.auth import InvalidToken, TokenInClear
from workflow_sdk.client.grpc import GrpcEngineClient
from workflow_sdk.client.rest import RestEngineClient
from workflow_sdk.client.tls import Tls
from workflow_sdk.errors import ConnectionFailed, Forbidden, Unauthorized
from workflow_sdk.retry.policy import ONCE

FACES = {
    "rest": RestEngineClient,
    "grpc": GrpcEngineClient,
    "async-rest": AsyncRestEngineClient,
    "async-grpc": AsyncGrpcEngineClient,
}
READER, ADMIN = "a-token-to-read-with", "a-token-for-everything"


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """Certificates of engine and client, from an authority each."""
    folder = tmp_path_factory.mktemp("pki")
    servers, clients = trustme.CA(), trustme.CA()
    files = {}
    for name, authority, leaf in (
        ("server", servers, servers.issue_cert("127.0.0.1")),
        ("client", clients, clients.issue_cert("worker@example.org")),
    ):
        cert, key, ca = (str(folder / f"{name}.{ending}") for ending in ("pem", "key", "ca"))
        leaf.private_key_and_cert_chain_pem.write_to_path(cert)
        leaf.private_key_pem.write_to_path(key)
        authority.cert_pem.write_to_path(ca)
        files[name] = SimpleNamespace(cert=cert, key=key, ca=ca)
    return SimpleNamespace(**files)


@pytest.fixture
async def engine(pki, tmp_path):
    """Give an engine that wants a client's certificate and a token."""
    tokens = tmp_path / "tokens.yaml"
    rows = [
        {"name": "reports", "role": "reader", "hash": hash_of(READER)},
        {"name": "ops", "role": "admin", "hash": hash_of(ADMIN)},
    ]
    tokens.write_text(json.dumps(rows), encoding="utf-8")
    config = Config(
        rest_port=0,
        grpc_port=0,
        metrics_port=0,
        auth_tokens_file=str(tokens),
        tls_cert=pki.server.cert,
        tls_key=pki.server.key,
        tls_client_ca=pki.client.ca,
    )
    server = Server(config, SqliteStore(":memory:"), security=security_of(config, SystemClock()))
    yield await server.start()
    await server.stop()


@pytest.fixture(params=FACES)
def connect(request, engine, pki):
    """`connect(token=…)`: each of the four clients in turn, with the right certificates unless others are named."""
    face = FACES[request.param]
    right = Tls(ca=pki.server.ca, cert=pki.client.cert, key=pki.client.key)

    def make(**settings):
        where = engine.rest if "rest" in request.param else engine.grpc
        return face(where, **{"tls": right, "retries": ONCE, **settings})

    return make


async def done(client, name, *args):
    """Call a method of a client of either kind; one that blocks is called off the loop."""
    method = getattr(client, name)
    return await (method(*args) if inspect.iscoroutinefunction(method) else asyncio.to_thread(method, *args))


async def closed(client):
    """Close a client of either kind."""
    await done(client, "close")


async def asked(client, name="list_definitions", *args):
    """Call a method, and close the client."""
    try:
        return await done(client, name, *args)
    finally:
        await closed(client)


async def test_right_token_and_certificates_are_let_in(connect):
    """The key may be in the certificate's file, too."""
    assert (await asked(connect(token=READER)))["items"] == []


async def test_key_in_the_certificates_file(connect, pki):
    """One file holds both."""
    both = Tls(ca=pki.server.ca, cert=pki.client.cert)
    assert (await asked(connect(token=READER, tls=both)))["items"] == []


async def test_token_function_is_asked_before_every_call(connect):
    """A token that changes is sent as it is at that moment."""
    tokens = iter(["no-such-token-at-all", READER])
    client = connect(token=lambda: next(tokens))
    with pytest.raises(Unauthorized):
        await done(client, "list_definitions")
    assert (await asked(client))["items"] == []


@pytest.mark.parametrize("face", ["async-rest", "async-grpc"])
async def test_asynchronous_clients_await_the_token(engine, pki, face):
    """The function may be `async def`."""

    async def token():
        return READER

    tls = Tls(ca=pki.server.ca, cert=pki.client.cert, key=pki.client.key)
    where = engine.rest if face == "async-rest" else engine.grpc
    assert (await asked(FACES[face](where, token=token, tls=tls)))["items"] == []


@pytest.mark.parametrize("token", [None, "no-such-token-at-all"])
async def test_missing_or_unknown_token_is_unauthorized(connect, token):
    """It is in no text that may end in a log."""
    with pytest.raises(Unauthorized) as caught:
        await asked(connect(token=token))
    assert "no-such-token" not in f"{caught.value} {caught.value!r}"


async def test_role_is_forbidden_what_is_not_its_own(connect):
    """A reader starts nothing."""
    with pytest.raises(Forbidden):
        await asked(connect(token=READER), "start_instance", "d")


@pytest.mark.parametrize("wrong", ["no certificate of its own", "an engine nobody vouches for"])
async def test_wrong_certificates_get_no_answer(connect, pki, wrong):
    """Neither side talks to a stranger."""
    tls = {
        "no certificate of its own": Tls(ca=pki.server.ca),
        "an engine nobody vouches for": Tls(cert=pki.client.cert),
    }
    with pytest.raises(ConnectionFailed):
        await asked(connect(token=READER, tls=tls[wrong]))


@pytest.mark.parametrize("token", ["", "two words", "line end\n", "ümlaut"])
async def test_token_that_cannot_be_sent_is_refused_in_words(connect, token):
    """Before anything is sent, and without showing it."""
    with pytest.raises(InvalidToken, match="printable ASCII") as caught:
        connect(token=token)
    assert not token or token not in str(caught.value)


async def test_token_shows_nowhere(connect):
    """Not in a repr, not in a settings' repr, and it is not pickled."""
    client = connect(token=ADMIN)
    assert ADMIN not in f"{client!r} {client._settings!r}"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(client._settings.bearer)


@pytest.mark.parametrize("face", FACES)
def test_token_in_clear_to_another_host_is_warned_about(face):
    """On this machine nobody is warned."""
    where = "http://{}" if "rest" in face else "{}"
    with pytest.warns(TokenInClear, match="travels unencrypted"):
        FACES[face](where.format("engine.example.org:80"), token=ADMIN)
    FACES[face](where.format("127.0.0.1:80"), token=ADMIN)


def test_key_without_a_certificate_is_a_mistake():
    """Somebody forgot something."""
    with pytest.raises(ValueError, match="pass cert= too"):
        Tls(key="client.key")


async def test_blocking_clients_do_not_await(engine, pki):
    """An `async def` token of a blocking client is refused in a sentence."""

    async def token():
        return READER

    with (
        pytest.warns(RuntimeWarning, match="never awaited"),
        pytest.raises(InvalidToken, match="only asynchronous clients await"),
        RestEngineClient(engine.rest, token=token, tls=Tls(ca=pki.server.ca), retries=ONCE) as client,
    ):
        client.list_definitions()
