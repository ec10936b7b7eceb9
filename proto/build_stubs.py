# ruff: noqa: INP001 - a build script beside the package, not a module of it
"""Makes what this package ships but does not keep: the gRPC stubs and the contract's data as JSON.

Runs as hatchling's build hook (wheel, sdist, editable) and by hand: `python proto/build_stubs.py`.

The descriptor keeps the file name `workflow/v1/engine.proto`, because that name is part of the contract
(reflection, and every other client's copy of the file); only the Python modules move into `rochallor_proto`.
Calling protoc on another path would break it.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).resolve().parent
PROTO = "workflow/v1/engine.proto"
PACKAGE = HERE / "src" / "rochallor_proto"
CONTRACT_SOURCE = HERE.parent / "sdk-contract"
CONTRACT_NAMES = ("errors", "openapi", "mapping")
STUBS = ("engine_pb2.py", "engine_pb2.pyi", "engine_pb2_grpc.py")

# The oldest runtimes that load what this grpcio-tools writes, as the written files themselves say.
_PROTOBUF_FLOOR = re.compile(r"^# Protobuf Python Version: (\S+)", re.MULTILINE)
_GRPC_FLOOR = re.compile(r"^GRPC_GENERATED_VERSION = '([^']+)'", re.MULTILINE)


class BuildHook(BuildHookInterface[Any]):
    """Writes the generated files before hatchling collects what goes into the archive."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generate, and let the wheel ask for runtimes that can load the result."""
        del version
        make_stubs()
        make_contract()
        build_data.setdefault("dependencies", []).extend(runtime_floors())


def make_stubs() -> None:
    """Write the three Python files that protoc makes of engine.proto."""
    from grpc_tools import protoc  # noqa: PLC0415 - a build requirement, absent where only the sdist is unpacked

    well_known = resources.files("grpc_tools") / "_proto"
    with tempfile.TemporaryDirectory() as out:
        flags = [f"--{plugin}_out={out}" for plugin in ("python", "pyi", "grpc_python")]
        if protoc.main(["protoc", f"-I{HERE}", f"-I{well_known}", *flags, PROTO]):
            msg = f"protoc refused {PROTO}; its own message is above"
            raise RuntimeError(msg)
        made = (Path(out) / PROTO).parent
        for name in STUBS:
            _write(PACKAGE / name, _rehomed((made / name).read_text(encoding="utf-8")))


def make_contract() -> None:
    """Write `contract/*.json` from the YAML beside this package; an unpacked sdist carries the JSON."""
    for name in CONTRACT_NAMES:
        source = CONTRACT_SOURCE / f"{name}.yaml"
        target = PACKAGE / "contract" / f"{name}.json"
        if source.exists():
            _write(target, _as_json(source))
        elif not target.exists():
            msg = (
                f"neither {source} nor {target} exists; build from a full checkout or from a released sdist, "
                "which carries the JSON"
            )
            raise FileNotFoundError(msg)


def runtime_floors() -> list[str]:
    """Return the oldest runtimes that generated code loads on; it refuses those older than its generator."""
    stub, grpc_stub = ((PACKAGE / name).read_text(encoding="utf-8") for name in ("engine_pb2.py", "engine_pb2_grpc.py"))
    floors = {"protobuf": _PROTOBUF_FLOOR.search(stub), "grpcio": _GRPC_FLOOR.search(grpc_stub)}
    return [f"{name}>={found[1]}" for name, found in floors.items() if found]


def _rehomed(text: str) -> str:
    return text.replace("from workflow.v1 import engine_pb2", "from rochallor_proto import engine_pb2")


def _as_json(source: Path) -> str:
    import yaml  # noqa: PLC0415 - a build requirement, absent where only the sdist is unpacked

    return json.dumps(yaml.safe_load(source.read_text(encoding="utf-8")), ensure_ascii=False, indent=1) + "\n"


def _write(path: Path, text: str) -> None:
    """Replace a file at one stroke and only if it changed: who reads it meanwhile sees a whole one."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    half.write_text(text, encoding="utf-8")
    half.replace(path)


if __name__ == "__main__":
    make_stubs()
    make_contract()
    sys.stdout.write(f"stubs and contract data are in {PACKAGE}\n")
