"""The driver of the Python SDK after the SDK was broken in the way that the variable SDK_MUTANT names."""

import os
import runpy
from pathlib import Path

from patches import PATCHES, TROUBLES

if defect := os.environ.get("SDK_MUTANT"):
    {**PATCHES, **TROUBLES}[defect]()
runpy.run_path(str(Path(__file__).parents[4] / "sdk-python" / "conformance" / "driver.py"), run_name="__main__")
