# ruff: noqa: INP001 - a build script beside the package, not a module of it
"""Puts the contract's data into what is built: `sdk-contract/` travels inside the wheel and the sdist.

Runs as hatchling's build hook. In a checkout the data lies beside this folder, in an unpacked sdist inside it; an
editable install copies nothing, because the package finds the checkout's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).resolve().parent
PLACES = (HERE.parent / "sdk-contract", HERE / "sdk-contract")
INSIDE = {"wheel": "rochallor_conformance/sdk-contract", "sdist": "sdk-contract"}
SERVER = "postgres_server.py"
SERVER_INSIDE = {"wheel": f"rochallor_conformance/engine/{SERVER}", "sdist": f"tools/{SERVER}"}


class BuildHook(BuildHookInterface[Any]):
    """Adds the folder to the archive, and the tool that starts a PostgreSQL."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the folder and where it goes."""
        if version == "editable":
            return
        source = next(place for place in PLACES if place.is_dir())
        build_data["force_include"][str(source)] = INSIDE[self.target_name]
        server = next(place for place in (HERE.parent / "tools", HERE / "tools") if place.is_dir()) / SERVER
        build_data["force_include"][str(server)] = SERVER_INSIDE[self.target_name]
