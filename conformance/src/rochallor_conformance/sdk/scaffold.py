"""A driver to begin with: the templates, one folder per language, copied as they are."""

from __future__ import annotations

import shutil
from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"


class NotEmpty(Exception):
    """The folder has something in it already; name one that does not exist, or is empty."""


def languages() -> list[str]:
    """Return the languages that there is a template for."""
    return sorted(path.name for path in TEMPLATES.iterdir() if path.is_dir())


def new_driver(language: str, folder: Path) -> list[Path]:
    """Write a driver for a language into a folder; return the files.

    Raises:
        NotEmpty: there is something in the folder.

    """
    if folder.exists() and any(folder.iterdir()):
        raise NotEmpty(f"{folder} is not empty; name a folder that does not exist yet")
    shutil.copytree(TEMPLATES / language, folder, dirs_exist_ok=True)
    return sorted(path for path in folder.rglob("*") if path.is_file())
