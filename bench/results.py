"""Where figures go: bench/results/<what>-<store>.json, with what is needed to read them later."""

from __future__ import annotations

import json
import os
import platform
import sys
import sysconfig
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).parent / "results"


def keep(what: str, store: str, figures: object) -> Path:
    """Write an artifact; the newest of each kind replaces the one before."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{what}-{store}.json"
    about = {
        "what": what,
        "store": store,
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": ["python", "-m", "bench", *sys.argv[1:]],
        "rochallor": version("rochallor"),
        "python": interpreter(),
        "cores": os.cpu_count(),
        "figures": figures,
    }
    path.write_text(json.dumps(about, indent=2))
    return path


def interpreter(built_with: str | None = None) -> str:
    """Return Python's version, and whether it was built for speed: without that everything here is a tenth slower.

    `built_with` are the arguments of its build; by default those of this very interpreter, where it knows them.
    """
    known = sysconfig.get_config_var("CONFIG_ARGS") or "" if built_with is None else built_with
    slow = bool(known) and "--enable-optimizations" not in known
    return platform.python_version() + (", built without --enable-optimizations" if slow else "")
