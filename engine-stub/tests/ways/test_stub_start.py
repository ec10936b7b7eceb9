"""A stub starts quickly because it loads little; what it loads is counted, not timed."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"asyncpg", "confluent_kafka", "opentelemetry", "pydantic", "schemathesis", "sqlalchemy", "numpy", "httpx"}


def test_nothing_heavy_is_loaded() -> None:
    """Neither database drivers nor exporters nor clients come with a stub."""
    code = (
        "import sys, rochallor_stub.cli, rochallor_stub.stub; print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(done.stdout.split())
