"""`python -m e2e.faults [--store NAME] [--seed N] [--rounds N] [--kills N]`: the full suite, and its table."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from e2e.faults.suite import FULL, STORES, play, table


def main() -> int:
    """Play, print the table, and end with 1 when anything was lost, doubled, stuck or unsound."""
    parser = argparse.ArgumentParser(prog="python -m e2e.faults", description="Kill engines; see that nothing is lost.")
    parser.add_argument("--store", choices=STORES, action="append", help="default: all of them")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000, help="decides the schedules")
    parser.add_argument("--rounds", type=int, default=FULL.rounds)
    parser.add_argument("--kills", type=int, default=FULL.kills, help="per round")
    given = parser.parse_args()
    _say(f"seed {given.seed}")
    size = FULL._replace(rounds=given.rounds, kills=given.kills)
    tallies = asyncio.run(play(given.store or list(STORES), given.seed, size, _say))
    for store, tally in tallies.items():
        _say(f"\n{store}")
        for fault, times in sorted(tally.faults.items()):
            _say(f"  {times:5}  {fault}")
        for sentence in (*tally.skipped, *tally.problems[:50]):
            _say(f"  {sentence}")
    _say(f"\n{table(tallies)}")
    return 1 if any(tally.problems for tally in tallies.values()) else 0


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
