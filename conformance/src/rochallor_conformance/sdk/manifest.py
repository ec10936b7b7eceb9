"""driver.toml: how a driver is started and what its SDK claims to be able to do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

import tomllib
from jsonschema import Draft202012Validator

from rochallor_conformance.contract.places import contract_folder
from rochallor_conformance.sdk.messages import schema_of

PYTHON = "{python}"


class BadManifest(Exception):
    """A driver.toml is missing or wrong; the message says what is needed there."""


class Manifest(NamedTuple):
    """What a driver.toml says. `command` is run in `folder`."""

    path: Path
    name: str
    command: list[str]
    transports: tuple[str, ...]
    capabilities: frozenset[str]

    @property
    def folder(self) -> Path:
        """Where the driver lies."""
        return self.path.parent


def read_manifest(path: Path) -> Manifest:
    """Read a driver.toml.

    Raises:
        BadManifest: it is not there, no TOML, or not what the schema asks for.

    """
    path = path / "driver.toml" if path.is_dir() else path
    try:
        said: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadManifest(f"there is no {path}; `rochallor-conformance new-driver` writes one to begin with") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadManifest(f"{path} is no TOML: {error}") from None
    validator = Draft202012Validator(schema_of(contract_folder(), "manifest"))
    for wrong in validator.iter_errors(said):
        raise BadManifest(f"{path} /{'/'.join(map(str, wrong.absolute_path))}: {wrong.message[:300]}")
    return Manifest(
        path=path.resolve(),
        name=said["name"],
        command=[sys.executable if word == PYTHON else word for word in said["command"]],
        transports=tuple(said["transports"]),
        capabilities=frozenset(said["capabilities"]),
    )
