"""`make test`: tox, then one table of what ran and the closing line that says how many passed.

REQUIRE names what must be there, separated by spaces or commas (`postgres python3.10`): a test that needs it
then fails where it would have been skipped. Belongs here: starting tox and reading its reports; what runs is in
tox.ini.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parent.parent
OLD_PYTHON = "3.10"  # the oldest that the SDK supports; the engine's own is whatever runs this

Tally = Counter[str]


def find_python(version: str) -> str | None:
    """Return a command that really runs Python `version`, or None. Shims on PATH may exist and still fail."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [f"python{version}", *(str(home / "bin" / "python") for home in pyenv.glob(f"{version}.*"))]
    for candidate in filter(shutil.which, candidates):
        probe = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        done = subprocess.run(probe, capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return candidate
    return None


def read(report: Path) -> Tally:
    """Return how many tests of one JUnit report passed, failed and were skipped."""
    tally: Tally = Counter()
    for suite in ET.parse(report).getroot().iter("testsuite"):
        tests, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        tally.update(passed=tests - skipped - failed, failed=failed, skipped=skipped)
    return tally


def summary(reports: dict[str, Path]) -> str:
    """Return the table of all runs and, as its last line, their sum in words that CI systems read."""
    tallies = {name: read(report) for name, report in reports.items()}
    rows = [f"{name:>10}: {words(tally)}" for name, tally in tallies.items()]
    return "\n".join([*rows, "", words(sum(tallies.values(), Counter()))])


def words(tally: Tally) -> str:
    """Return a tally as a closing line: `12 passed, 0 failed`, and the skipped if there were any."""
    line = f"{tally['passed']} passed, {tally['failed']} failed"
    return f"{line}, {tally['skipped']} skipped" if tally["skipped"] else line


def main(arguments: list[str]) -> int:
    """Run tox with `arguments`, print the summary, and return tox's exit code."""
    environment = dict(os.environ)
    if old_python := find_python(OLD_PYTHON):
        environment.setdefault("PYTHON310", old_python)
    required = f"python{OLD_PYTHON}" in environment.get("REQUIRE", "").replace(",", " ").split()
    options = ["--skip-missing-interpreters", "false"] if required else []

    work = ROOT / ".tox"
    for stale in work.glob("*/junit.xml"):
        stale.unlink()
    tox = [str(Path(sys.executable).parent / "tox"), "run", *options, *arguments]
    code = subprocess.run(tox, cwd=ROOT, env=environment, check=False).returncode
    print(f"\n{summary({path.parent.name: path for path in sorted(work.glob('*/junit.xml'))})}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
