"""TLS and mTLS on REST and gRPC: the right certificate, the wrong one, none, an expired one; files that are wrong."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import grpc
import httpx
import pytest
import trustme
from rochallor.config import Config, ConfigError
from rochallor.serve import Server
from rochallor.serve.security import Security
from rochallor.serve.tls import tls_of
from rochallor.stores.sqlite import SqliteStore
from rochallor_proto import engine_pb2 as pb
from rochallor_proto import engine_pb2_grpc

HOST = "127.0.0.1"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """A CA for servers, one for clients, one that nobody knows, and what they have signed, as files."""
    folder = tmp_path_factory.mktemp("pki")
    servers, clients, strangers = trustme.CA(), trustme.CA(), trustme.CA()
    expired = {"not_before": LONG_AGO, "not_after": LONG_AGO + timedelta(days=1)}
    issued = {
        "server": servers.issue_cert(HOST),
        "old_server": servers.issue_cert(HOST, **expired),
        "client": clients.issue_cert("worker@example.org"),
        "old_client": clients.issue_cert("worker@example.org", **expired),
        "stranger": strangers.issue_cert("worker@example.org"),
    }
    files = {}
    for name, leaf in issued.items():
        cert, key = folder / f"{name}.pem", folder / f"{name}.key"
        cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        key.write_bytes(leaf.private_key_pem.bytes())
        files[name] = SimpleNamespace(cert=str(cert), key=str(key))
    for name, authority in (("servers", servers), ("clients", clients), ("strangers", strangers)):
        files[name] = str(folder / f"{name}.pem")
        authority.cert_pem.write_to_path(files[name])
    return SimpleNamespace(**files)


@pytest.fixture
async def served(pki):
    """Start a server with TLS; give what reaches it over each transport, with a CA to trust and perhaps a client."""
    servers = []

    async def start(*, cert=None, client_ca=None):
        cert = cert or pki.server
        config = Config(
            rest_port=0, grpc_port=0, metrics_port=0, tls_cert=cert.cert, tls_key=cert.key, tls_client_ca=client_ca
        )
        server = Server(config, SqliteStore(":memory:"), security=Security(tls=tls_of(config)))
        await server.start()
        servers.append(server)
        return server.addresses

    yield start
    for server in servers:
        await server.stop()


async def over_rest(addresses, trusted, client=None):
    context = ssl.create_default_context(cafile=trusted)
    if client:
        context.load_cert_chain(client.cert, client.key)
    async with httpx.AsyncClient(base_url=addresses.rest, verify=context) as http:
        try:
            return (await http.get("/v1/instances")).status_code == 200
        except httpx.TransportError:
            return False


def read(path):
    with open(path, "rb") as file:  # noqa: PTH123 - a test's helper
        return file.read()


async def over_grpc(addresses, trusted, client=None):
    key, chain = (read(client.key), read(client.cert)) if client else (None, None)
    credentials = grpc.ssl_channel_credentials(read(trusted), key, chain)
    async with grpc.aio.secure_channel(addresses.grpc, credentials) as channel:
        try:
            await engine_pb2_grpc.WorkflowEngineStub(channel).ListInstances(pb.ListInstancesRequest(), timeout=20)
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.UNAVAILABLE  # noqa: PT017 - one refusal is expected, no other
            return False
        return True


OVER = pytest.mark.parametrize("over", [over_rest, over_grpc])


@OVER
async def test_who_trusts_the_authority_is_served(served, pki, over):
    """A certificate of the CA that the caller trusts is accepted; that of another is not."""
    addresses = await served()
    assert addresses.rest.startswith("https://")
    assert addresses.metrics.startswith("https://")
    assert await over(addresses, pki.servers)
    assert not await over(addresses, pki.strangers)


@OVER
async def test_an_expired_certificate_of_ours_is_seen(served, pki, over):
    """Callers do not accept an engine whose certificate has ended."""
    assert not await over(await served(cert=pki.old_server), pki.servers)


@OVER
@pytest.mark.parametrize(
    ("client", "served_then"), [("client", True), ("stranger", False), ("old_client", False), (None, False)]
)
async def test_mtls_lets_in_who_the_authority_has_signed(served, pki, over, client, served_then):
    """Right: served. Another CA's, an expired one, none: no connection."""
    addresses = await served(client_ca=pki.clients)
    assert await over(addresses, pki.servers, getattr(pki, client) if client else None) is served_then


async def test_plain_text_gets_nothing_from_a_tls_port(served):
    """A caller without TLS is cut off, on both transports."""
    addresses = await served()
    async with httpx.AsyncClient() as http:
        with pytest.raises(httpx.TransportError):
            await http.get(addresses.rest.replace("https", "http") + "/healthz")
    async with grpc.aio.insecure_channel(addresses.grpc) as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await engine_pb2_grpc.WorkflowEngineStub(channel).ListInstances(pb.ListInstancesRequest(), timeout=20)


def test_old_versions_of_tls_are_not_spoken(pki):
    """TLS 1.2 is the oldest."""
    tls = tls_of(Config(tls_cert=pki.server.cert, tls_key=pki.server.key))
    assert tls.context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_without_files_there_is_no_tls():
    """Nothing set, plain text."""
    assert tls_of(Config()) is None


@pytest.fixture
def wrong(pki, tmp_path):
    """Files that are wrong, each in its own way."""
    texts = {
        "empty": b"",
        "garbage": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "binary": bytes(range(256)),
    }
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text)
    locked = tmp_path / "locked.key"
    locked.write_bytes(read(pki.server.key).replace(b"BEGIN", b"BEGIN ENCRYPTED").replace(b"END", b"END ENCRYPTED"))
    return {
        "missing": str(tmp_path / "missing"),
        "locked": str(locked),
        "cert": pki.server.cert,
        "key": pki.server.key,
        "other_key": pki.client.key,
        **{name: str(tmp_path / name) for name in texts},
    }


@pytest.mark.parametrize(
    ("cert", "key", "client_ca", "sentence"),
    [
        ("cert", None, None, "^WE_TLS_KEY is not set: TLS needs both"),
        (None, "key", None, "^WE_TLS_CERT is not set: TLS needs both"),
        (None, None, "cert", "^WE_TLS_CERT is not set: TLS needs both"),
        ("missing", "key", None, "^WE_TLS_CERT: .*missing cannot be read: No such file"),
        ("cert", "missing", None, "^WE_TLS_KEY: .*missing cannot be read"),
        ("empty", "key", None, "^WE_TLS_CERT: .*empty holds no certificate in PEM"),
        ("key", "key", None, "^WE_TLS_CERT: .* holds no certificate in PEM"),
        ("cert", "cert", None, "^WE_TLS_KEY: .* holds no private key in PEM"),
        ("cert", "other_key", None, "^WE_TLS_KEY: .* is not the key of the certificate in WE_TLS_CERT"),
        ("garbage", "key", None, "^WE_TLS_CERT and WE_TLS_KEY: .* cannot be used"),
        ("cert", "locked", None, "^WE_TLS_CERT and WE_TLS_KEY: .* without a passphrase"),
        ("cert", "key", "missing", "^WE_TLS_CLIENT_CA: .*missing cannot be read"),
        ("cert", "key", "empty", "^WE_TLS_CLIENT_CA: .*empty holds no certificate"),
        ("cert", "key", "garbage", "^WE_TLS_CLIENT_CA: .*garbage holds no certificate"),
        ("cert", "key", "binary", "^WE_TLS_CLIENT_CA: .*binary holds no certificate"),
    ],
)
def test_a_wrong_file_stops_the_start_by_name(wrong, cert, key, client_ca, sentence):
    """Before anything listens: the variable at fault, its file, and what it should hold."""
    files = {name: wrong[of] for name, of in (("tls_cert", cert), ("tls_key", key), ("tls_client_ca", client_ca)) if of}
    with pytest.raises(ConfigError, match=sentence):
        tls_of(Config(**files))


def test_the_key_is_not_printed(pki):
    """Neither the configuration nor what is made of it shows the private key."""
    config = Config(tls_cert=pki.server.cert, tls_key=pki.server.key)
    assert "PRIVATE" not in repr(tls_of(config)) + repr(config)
