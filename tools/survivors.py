"""After `mutmut run`: a second look at what survived, a table, and the explanations in engine/mutants.md.

Started in `engine/`. mutmut imports the core once and switches a mutant on afterwards, so code that runs while a module
is imported (a table of operators that is built by a function) is never broken by it. Survivors in such functions are
tried again in a process of their own, where the mutant is there from the first import on. What survives then is a small
breakage of the core that no test notices: either a test is missing, or the broken code means the same and mutants.md
says why, in a line that names the mutant in backticks.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

EXPLANATIONS = Path("mutants.md")
MUTANTS = Path("mutants")
CORE = MUTANTS / "src" / "rochallor" / "core"
TESTS = Path("tests") / "core"
MUTANT = re.compile(r"[\w.ǁ]+__mutmut_\d+")
SURVIVED, NO_TESTS, TIMED_OUT = 0, 33, 36
# The random searches have no end of their own and find nothing that the others do not.
LEFT_OUT = ("test_stateful.py", "test_expressions_properties.py")


def verdicts() -> dict[str, int | None]:
    """Return mutmut's exit code for every mutant; None: never tried."""
    found: dict[str, int | None] = {}
    for file in sorted(CORE.rglob("*.meta")):
        found |= json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"]
    return found


def suspects(codes: dict[str, int | None]) -> list[str]:
    """Return the mutants that nobody has killed."""
    return [name for name, code in codes.items() if code in {SURVIVED, NO_TESTS, None}]


AT_IMPORT = """
import importlib, pkgutil, sys
called = set()
def seen(frame, event, _):
    if event == "call" and frame.f_globals.get("__name__", "").startswith("rochallor.core"):
        called.add((frame.f_globals["__name__"], frame.f_code.co_qualname))
sys.setprofile(seen)
import rochallor.core
for module in pkgutil.walk_packages(rochallor.core.__path__, "rochallor.core."):
    importlib.import_module(module.name)
sys.setprofile(None)
for module, function in called:
    print(module, function)
"""


def run_at_import() -> set[str]:
    """Return, as mutmut calls them, the functions of the core that run while it is imported."""
    command = [sys.executable, "-c", AT_IMPORT]
    environment = os.environ | {"PYTHONPATH": "src"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return {mangled(*line.split()) for line in done.stdout.splitlines() if "<" not in line}


def mangled(module: str, function: str) -> str:
    """Return how mutmut calls a function, or a method `Class.method`, without the number of a mutant.

    >>> mangled("rochallor.core.run", "Run.close")
    'rochallor.core.run.xǁRunǁclose'
    """
    owner, _, name = function.rpartition(".")
    return f"{module}.xǁ{owner}ǁ{name}" if owner else f"{module}.x_{name}"


def survives(name: str) -> bool:
    """Run the core's tests in a process in which the mutant is there from the beginning, the likely ones first."""
    environment = os.environ | {"MUTANT_UNDER_TEST": name, "PYTHONPATH": "src"}
    left_out = [f"--ignore={TESTS / test}" for test in LEFT_OUT]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--rootdir=.", *left_out]
    arguments = [*command, *map(str, likely(name)), str(TESTS)]
    return subprocess.run(arguments, cwd=MUTANTS, env=environment, capture_output=True, check=False).returncode == 0


def likely(name: str) -> list[Path]:
    """Return the test files whose names have a word of the mutant's module in them."""
    words = set(name.partition(".x")[0].removeprefix("rochallor.core.").split("."))
    files = [file for file in sorted((MUTANTS / TESTS).glob("test_*.py")) if file.name not in LEFT_OUT]
    return [file.relative_to(MUTANTS) for file in files if any(word in file.stem for word in words)]


def table(codes: Iterable[str], survivors: Sequence[str]) -> str:
    """Return mutants and survivors per module, as text."""
    of_all, surviving = Counter(map(module, codes)), Counter(map(module, survivors))
    width = max(map(len, of_all))
    lines = [f"{'module':{width}}  mutants  survive"]
    lines += [f"{name:{width}}  {count:7}  {surviving[name] or '':>7}" for name, count in sorted(of_all.items())]
    return "\n".join([*lines, f"{'all':{width}}  {of_all.total():7}  {surviving.total():7}"])


def module(name: str) -> str:
    """Return the module of a mutant, below the core."""
    return name.partition(".x")[0].removeprefix("rochallor.core.")


def main() -> int:
    """Print the table, each survivor without explanation, each explanation without survivor; return 1 if any."""
    codes, early = verdicts(), run_at_import()
    survivors = suspects(codes)
    doubtful = [name for name in survivors if name.rpartition("__mutmut_")[0] in early]
    print(f"{len(codes)} mutants; {len(doubtful)} run at import and are tried again, one by one …", flush=True)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        killed = {name for name, alive in zip(doubtful, pool.map(survives, doubtful), strict=True) if not alive}
    survivors = [name for name in survivors if name not in killed]
    print(table(codes, survivors))
    text = EXPLANATIONS.read_text(encoding="utf-8") if EXPLANATIONS.exists() else ""
    explained = set(MUTANT.findall(text))
    unexplained = [name for name in survivors if name not in explained]
    outdated = sorted(explained - set(survivors))
    for name in unexplained:
        print(f"{name}: write the test that notices it (`mutmut show NAME` prints it), or explain it in mutants.md")
    for name in outdated:
        print(f"{name}: does not survive; take it out of mutants.md")
    print(f"{len(survivors)} survivors, {len(unexplained)} of them unexplained, {len(outdated)} explanations outdated")
    return 1 if unexplained or outdated else 0


if __name__ == "__main__":
    sys.exit(main())
