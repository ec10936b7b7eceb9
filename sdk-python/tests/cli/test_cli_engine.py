"""From an address and a token file to a client."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from workflow_sdk.cli.engine import open_client
from workflow_sdk.cli.failures import CommandFailed

if TYPE_CHECKING:
    from rochallor_stub import EngineStub

    from ..conftest import FakeEngine


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("localhost", "--engine 'localhost' is no address. Write http://HOST:PORT or grpc://HOST:PORT."),
        ("http://h:port", "--engine 'http://h:port' is no address. Write http://HOST:PORT or grpc://HOST:PORT."),
        ("ftp://host", "--engine must begin with http://, https:// or grpc://, not 'ftp://host'."),
        ("grpc://host", "--engine grpc://host names no port. Write grpc://HOST:PORT, for example grpc://host:9090."),
    ],
)
def test_a_wrong_address_is_explained(address: str, sentence: str) -> None:
    """The sentence says what an address looks like."""
    with pytest.raises(CommandFailed) as caught:
        open_client(address)
    assert str(caught.value) == sentence


def test_the_token_is_sent_and_followed(engine: FakeEngine, tmp_path: Path) -> None:
    """Every call carries the token of the file; a replaced file is noticed, an unreadable one is not."""
    file = tmp_path / "token"
    file.write_text("first\n")
    with open_client(engine.url, str(file)) as client:
        client.poll_jobs("w", ["greet"])
        _with(tmp_path / "new", "second").replace(file)
        client.poll_jobs("w", ["greet"])
        file.unlink()
        client.poll_jobs("w", ["greet"])
    sent = [exchange.headers["authorization"] for exchange in engine.exchanges]
    assert sent == ["Bearer first", "Bearer second", "Bearer second"]


def test_the_token_is_sent_over_grpc(stub: EngineStub, tmp_path: Path) -> None:
    """GRPC calls carry it as metadata."""
    with open_client(f"grpc://{stub.grpc_target}", str(_with(tmp_path / "token", "first"))) as client:
        client.list_definitions()
    [entry] = stub.journal.of("listDefinitions", "grpc")
    assert ("authorization", "[redacted]") in [tuple(pair) for pair in dict(entry.request_headers).items()]


@pytest.mark.parametrize("content", ["", "two words", "t\u00f6ken", "a\nb"])
def test_a_file_without_a_token_is_refused(content: str, tmp_path: Path) -> None:
    """What a header could not carry is refused before anything runs, without showing it."""
    file = _with(tmp_path / "token", content)
    with pytest.raises(CommandFailed) as caught:
        open_client("http://localhost:1", str(file))
    assert str(caught.value) == f"{file} holds no token. It must be one line of ASCII without spaces."


def test_a_missing_token_file_is_told(tmp_path: Path) -> None:
    """The sentence names the file and the option."""
    with pytest.raises(CommandFailed, match=r"cannot be read: No such file or directory. Correct --token-file\."):
        open_client("http://localhost:1", str(tmp_path / "token"))


def _with(file: Path, content: str) -> Path:
    file.write_text(content, encoding="utf-8")
    return file
