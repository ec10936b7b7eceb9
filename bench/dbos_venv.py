"""An environment with DBOS Transact from PyPI, made when it is asked for: our own lock file stays free of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.results import FOLDER

HOME = FOLDER / "dbos-venv"
_PACKAGE = "dbos"


def interpreter(home: Path = HOME) -> str:
    """Return its Python, after making it unless it is there; raises `RuntimeError` with what to do when it cannot be.

    Pip is told nothing about indexes or certificates: what the environment says is honoured.
    """
    python = home / "bin" / "python"
    try:
        if not python.exists():
            _run(sys.executable, "-m", "venv", str(home))
        if _ask(str(python), f"import {_PACKAGE}").returncode:
            _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", _PACKAGE)
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().rpartition("\n")[2]
        raise RuntimeError(f"no environment with {_PACKAGE}: {last}; is a package index in reach? ({home})") from None
    return str(python)


def version(python: str) -> str:
    """Return which DBOS that is."""
    return _ask(python, f"from importlib.metadata import version; print(version('{_PACKAGE}'))").stdout.strip()


def _ask(python: str, statement: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([python, "-c", statement], capture_output=True, text=True, check=False)


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, text=True, check=True)
