"""Nothing leaves the engine that is nobody's business: no secret, no SQL, no stack trace, no path of a file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from rochallor_conformance.oracles.scene import Scene

INSIDE = re.compile(
    r"Traceback \(most recent|File \"/|site-packages/|\.py:\d+|\bgoroutine \d+ \[|panic: |"
    r"\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM)\b.+\b(?:FROM|VALUES|SET|WHERE)\b|"
    r"sqlite3\.|asyncpg\.|SQLSTATE|pq: |violates .*constraint|UNIQUE constraint failed"
)


def leaks(scene: Scene) -> Iterator[str]:
    """Yield a sentence for each answer that tells too much."""
    for exchange in scene.exchanges:
        told = json.dumps([exchange.response, exchange.response_headers], ensure_ascii=False, default=str)
        told = told.replace('\\"', '"')
        for secret in scene.secrets:
            if secret in told:
                yield f"{exchange.target} answers with a token in it"
        if not exchange.is_ok and (found := INSIDE.search(told)):
            yield f"{exchange.target} shows its inside: {found.group(0)[:80]!r}"
