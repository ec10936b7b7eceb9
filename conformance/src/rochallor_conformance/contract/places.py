"""Where the contract's data lies: the folder `sdk-contract` with cases, requirements, schemas and revisions."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "ROCHALLOR_CONTRACT"
_PACKAGE = Path(__file__).resolve().parents[1]
_PLACES = (_PACKAGE / "sdk-contract", _PACKAGE.parents[2] / "sdk-contract")


class NoContract(Exception):
    """The folder with the contract's data is not there; install the package, or set ROCHALLOR_CONTRACT to it."""


def contract_folder() -> Path:
    """Return the folder: the one ROCHALLOR_CONTRACT names, the installed one, or the checkout's.

    Raises:
        NoContract: there is none.

    """
    named = os.environ.get(VARIABLE)
    for place in (Path(named),) if named else _PLACES:
        if (place / "cases").is_dir():
            return place
    raise NoContract(f"no contract data in {named or 'the package'}; set {VARIABLE} to a folder like sdk-contract/")
