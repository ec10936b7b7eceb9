"""The quick checks, one after the other: style, types, import directions, the shape of the tree.

Every check runs even if an earlier one failed, so that one call tells everything there is to mend.
Belongs here: the table of checks. What each demands is written in pyproject.toml, .importlinter and tree.py.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

CHECKS = {
    "style": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
    "types of the SDK and the examples, as pyright sees them": ["basedpyright", "--pythonpath", sys.executable],
    "import directions": ["lint-imports", "--no-logo"],
    "tree": ["python", "tools/tree.py"],
}


def main() -> int:
    """Run every check and return 1 if any found something, else 0."""
    failed = []
    for name, (tool, *arguments) in CHECKS.items():
        print(f"--- {name}: {tool} {' '.join(arguments)}", flush=True)
        if subprocess.run([str(BIN / tool), *arguments], cwd=ROOT, check=False).returncode:
            failed.append(name)
    print(f"checks that found something: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
