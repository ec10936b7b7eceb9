"""The wire contract of the workflow engine, for Python programs.

- `rochallor_proto.engine_pb2` and `rochallor_proto.engine_pb2_grpc`: messages and stubs, made from
  `workflow/v1/engine.proto`.
- `contract("errors")`, `contract("openapi")`, `contract("mapping")`: the contract's data, as plain dicts.

Importing this package loads neither grpc nor protobuf; only the stub modules do.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

__all__ = ["CONTRACT_NAMES", "contract", "contract_bytes"]

CONTRACT_NAMES = ("errors", "openapi", "mapping")


@cache
def contract(name: str) -> dict[str, Any]:
    """Return one part of the contract as a dict, read once and shared: treat it as read-only.

    Args:
        name: `errors` (error codes and what they are on each transport), `openapi` (the REST document) or
            `mapping` (which REST field is which proto field).

    Raises:
        KeyError: there is no part of that name.

    """
    document: dict[str, Any] = json.loads(contract_bytes(name))
    return document


def contract_bytes(name: str) -> bytes:
    """Return one part of the contract as UTF-8 JSON text, ready to be served.

    Raises:
        KeyError: there is no part of that name.

    """
    if name not in CONTRACT_NAMES:
        raise KeyError(f"no contract part {name!r}; there are {', '.join(CONTRACT_NAMES)}")
    return (resources.files(__name__) / "contract" / f"{name}.json").read_bytes()
