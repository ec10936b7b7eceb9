"""After `mutmut run`: every surviving mutant must be explained in engine/mutants.md, and nothing else may be there.

Started in `engine/`. A survivor is a small breakage of the core that no test noticed: either a test is missing, or the
broken code means the same and mutants.md says why, in a line that names the mutant in backticks.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent
EXPLANATIONS = Path("mutants.md")
MUTANT = re.compile(r"[\w.ǁ]+__mutmut_\d+")


def main() -> int:
    """Print each mutant without an explanation and each explanation without a mutant; return 1 if there are any."""
    done = subprocess.run([BIN / "mutmut", "results"], capture_output=True, text=True, check=True)
    verdicts = {match[0]: line.strip() for line in done.stdout.splitlines() if (match := MUTANT.search(line))}
    text = EXPLANATIONS.read_text(encoding="utf-8") if EXPLANATIONS.exists() else ""
    explained = set(MUTANT.findall(text))

    unexplained = [line for name, line in verdicts.items() if name not in explained]
    outdated = sorted(explained - verdicts.keys())
    for line in unexplained:
        print(f"{line}: write the test that notices it (`mutmut show NAME` prints it), or explain it in mutants.md")
    for name in outdated:
        print(f"{name}: does not survive; take it out of mutants.md")
    print(f"{len(verdicts)} survivors, {len(unexplained)} of them unexplained, {len(outdated)} explanations outdated")
    return 1 if unexplained or outdated else 0


if __name__ == "__main__":
    sys.exit(main())
