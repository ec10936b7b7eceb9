"""Runs a module as `python -m` would, and ends with whoever holds the other end of standard input.

Engines are started behind this, because a harness that is killed cannot stop what it has started.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def _wait_for_the_end() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run the module that the first argument names, with the arguments after it."""
    threading.Thread(target=_wait_for_the_end, daemon=True).start()
    module = sys.argv[1]
    sys.argv = [module, *sys.argv[2:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
