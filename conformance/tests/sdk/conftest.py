"""What the tests about SDKs share: the driver of our own SDK, drivers that are wrong, and a way to judge one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rochallor_conformance.sdk.manifest import Manifest, read_manifest

HERE = Path(__file__).parent
OURS = HERE.parents[2] / "sdk-python" / "conformance" / "driver.toml"


@pytest.fixture(scope="session")
def ours() -> Manifest:
    return read_manifest(OURS)


@pytest.fixture
def wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Manifest]:
    """Make the driver that is wrong in one way."""

    def make(how: str, capabilities: str = "[]") -> Manifest:
        monkeypatch.setenv("WRONG", how)
        monkeypatch.setenv("COUNTER", str(tmp_path / "starts"))
        path = tmp_path / "driver.toml"
        script = HERE / "drivers" / "wrong.py"
        path.write_text(
            f'name = "nothing"\ncommand = ["{{python}}", "{script}"]\ntransports = ["rest"]\n'
            f"capabilities = {capabilities}\n"
        )
        return read_manifest(path)

    return make


@pytest.fixture(scope="session")
def broken() -> Manifest:
    """The driver of an SDK that the variable SDK_MUTANT breaks."""
    return read_manifest(HERE / "mutants")
