"""The shape of the tree: no module too long, nothing generated committed, no path of somebody's machine.

Belongs here: promises about files as files. What code does is a test's business, how it reads is ruff's.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent

LINES_AT_MOST = 400
REASON = re.compile(r"^# Long because: \S", re.MULTILINE)
REASON_WITHIN = 500  # characters from the top of a module

# A home directory belongs to one machine. The checkout's own place is added when the check runs.
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|Users|root)/[A-Za-z]")


def too_long(name: str, text: str) -> Iterator[str]:
    """Yield a sentence if the module `name` is longer than allowed and gives no reason at its top."""
    lines = text.count("\n")
    if lines > LINES_AT_MOST and not REASON.search(text[:REASON_WITHIN]):
        yield (
            f"{name}: {lines} lines, more than {LINES_AT_MOST}. It has found its second noun: split it, "
            "or give the reason at its top as '# Long because: ...'."
        )


def machine_paths(name: str, text: str, checkout: str) -> Iterator[str]:
    """Yield a sentence for each line that names a place on one machine: a home directory or `checkout`."""
    for number, line in enumerate(text.splitlines(), start=1):
        if MACHINE_PATH.search(line) or checkout in line:
            yield f"{name}:{number}: names a path of one machine. Use a path relative to the tree."


def git(*arguments: str) -> list[str]:
    """Return the lines that a git command prints about the tree."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def findings() -> Iterator[str]:
    """Yield one sentence per broken promise, over the files that are or could be committed."""
    for name in git("ls-files", "--cached", "--ignored", "--exclude-standard"):
        yield f"{name}: is made from other files (.gitignore lists it), so it must not be committed."
    for name in sorted(git("ls-files", "--cached", "--others", "--exclude-standard")):
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue  # a picture, a file just deleted, a submodule
        if name.endswith(".py"):
            yield from too_long(name, text)
        yield from machine_paths(name, text, str(ROOT))


def main() -> int:
    """Print what is wrong; return 1 if anything is, else 0."""
    try:
        found = list(findings())
    except (subprocess.CalledProcessError, FileNotFoundError):
        print("skipped: not a git checkout, so nobody knows what would be committed")
        return 0
    print("\n".join(found) or "the tree keeps its shape")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
