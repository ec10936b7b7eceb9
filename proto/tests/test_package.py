"""The package that carries the contract: its stubs load, its data is the source's, its sdist builds alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from rochallor_proto import CONTRACT_NAMES, contract, contract_bytes, engine_pb2, engine_pb2_grpc

PROTO = Path(__file__).resolve().parents[1]
SHIPPED = {
    f"rochallor_proto/{name}"
    for name in (
        "__init__.py",
        "py.typed",
        "engine_pb2.py",
        "engine_pb2.pyi",
        "engine_pb2_grpc.py",
        "contract/errors.json",
        "contract/openapi.json",
        "contract/mapping.json",
    )
}


def python(*arguments: str, cwd: Path) -> str:
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_stubs_load() -> None:
    """Messages and client stub come out of one module pair."""
    assert engine_pb2.StartInstanceRequest(definition_id="loan").definition_id == "loan"
    assert {"WorkflowEngineStub", "WorkflowEngineServicer"} <= vars(engine_pb2_grpc).keys()


def test_importing_the_package_loads_no_grpc(tmp_path: Path) -> None:
    """A REST-only program that reads the error table pays for neither grpc nor protobuf."""
    reads = "import sys, rochallor_proto as p; p.contract('errors')"
    program = f"{reads}; print({{'grpc', 'google.protobuf'}} & sys.modules.keys())"
    assert python("-c", program, cwd=tmp_path).strip() == "set()"


@pytest.mark.parametrize("name", CONTRACT_NAMES)
def test_carried_data_is_the_source(name: str) -> None:
    """The JSON in the package says what the YAML says; if not, run proto/build_stubs.py."""
    source: Any = yaml.safe_load((PROTO.parent / "sdk-contract" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert contract(name) == source


@pytest.mark.parametrize("read", [contract, contract_bytes])
def test_unknown_part_is_named(read: Any) -> None:
    """Asking for a part that does not exist says which do."""
    with pytest.raises(KeyError, match="errors, openapi, mapping"):
        read("../errors")


def test_wheel_can_be_built_from_the_sdist_alone(tmp_path: Path) -> None:
    """Who has only the released sdist gets the same wheel: stubs, data and runtimes new enough for them."""
    pytest.importorskip("hatchling")
    pytest.importorskip("grpc_tools")
    python("-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path), cwd=PROTO)
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = tmp_path / sdist.name.removesuffix(".tar.gz")
    python("-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path), cwd=unpacked)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith("/METADATA"))
    assert set(names) >= SHIPPED
    needed = [line for line in metadata.splitlines() if line.startswith("Requires-Dist: grpcio>=")]
    assert f"Requires-Dist: grpcio>={engine_pb2_grpc.GRPC_GENERATED_VERSION}" in needed
