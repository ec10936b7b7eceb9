"""The workflow that everybody is measured with: three service tasks in a row, small variables, claims of fifty."""

from __future__ import annotations

import json

DEFINITION = "bench-linear"
JOB_TYPE = "bench"
WORKER = "bench"
STEPS = 3
CLAIM = 50
VARIABLES = b'{"customer":"c-1","amount":1200}'
RESULT = b'{"checked":true}'


def definition(name: str = DEFINITION, job_type: str = JOB_TYPE) -> bytes:
    """Return a linear workflow of service tasks, all of one job type."""
    tasks = [
        {
            "id": f"s{number}",
            "name": f"Step {number}",
            "type": "SERVICE_TASK",
            "jobType": job_type,
            "nextStep": f"s{number + 1}" if number < STEPS - 1 else "end",
        }
        for number in range(STEPS)
    ]
    return json.dumps(
        {"id": name, "name": "Linear", "steps": [*tasks, {"id": "end", "name": "End", "type": "END"}]}
    ).encode()
