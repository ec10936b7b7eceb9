"""`python -m e2e.journeys [--store …] [--transport …] [--journey NAME] [--kill] [--seed N]`: the matrix, its table."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from e2e.journeys.matrix import CELLS, JOURNEYS, MODES, STORES, TRANSPORTS, UNDISTURBED, play


def main(arguments: list[str] | None = None) -> int:
    """Play, print what ended elsewhere and the table; return 1 when anything did."""
    parser = argparse.ArgumentParser(prog="python -m e2e.journeys", description="Play journeys on real processes.")
    parser.add_argument("--store", choices=STORES, help="default: all of them")
    parser.add_argument("--transport", choices=TRANSPORTS, help="default: all of them")
    parser.add_argument("--journey", metavar="NAME", default="", help="only journeys whose name contains this")
    parser.add_argument("--kill", action="store_true", help="also kill engine, worker and database in each")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000, help="decides when they are killed")
    given = parser.parse_args(arguments)
    journeys = [journey for journey in JOURNEYS if given.journey.lower() in journey.name.lower()]
    if not journeys:
        parser.error(f"no journey is called {given.journey!r}; there are: {'; '.join(own.name for own in JOURNEYS)}")
    cells = [cell for cell in CELLS if cell.store == (given.store or cell.store)]
    cells = [cell for cell in cells if cell.transport == (given.transport or cell.transport)]
    if given.kill:
        _say(f"seed {given.seed}")
    modes = MODES if given.kill else (UNDISTURBED,)
    try:
        report = asyncio.run(play(cells, journeys, seed=given.seed, modes=modes, say=_say))
    except RuntimeError as error:  # a process that does not start, or no PostgreSQL
        _say(f"the matrix could not be played to its end: {error}")
        return 1
    for failure in report.failures:
        _say(f"\n{failure}")
    _say(f"\n{report.table()}")
    return 1 if report.failures else 0


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
