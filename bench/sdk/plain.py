"""The plain loop: what one writes against the REST routes at first, and what users of the first SDK had.

One poll for as many jobs as there are slots free, a thread pool for the handlers, one httpx call for every completion
on a client that all threads share, a fixed sleep between polls. Nothing in it is slowed down on purpose: without its
sleep it polls as soon as a slot is free.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx


def work(
    base_url: str,
    job_type: str,
    handler: Callable[[dict[str, Any]], dict[str, Any]],
    *,
    parallelism: int,
    sleep_s: float,
    stop: threading.Event,
) -> None:
    """Work until told to stop, then finish what was claimed; raises what any call raised."""
    slots = threading.Semaphore(parallelism)
    errors: list[BaseException] = []

    def finish(job: dict[str, Any]) -> None:
        try:
            result = handler(job)
            answer = client.post(f"/v1/jobs/{job['id']}/complete", json={"workerId": "plain", "variables": result})
            answer.raise_for_status()
        except BaseException as error:  # noqa: BLE001 - raised by the loop, which ends
            errors.append(error)
        finally:
            slots.release()

    with httpx.Client(base_url=base_url, timeout=30.0) as client, ThreadPoolExecutor(parallelism) as pool:
        while not stop.is_set() and not errors:
            slots.acquire()
            free = 1
            while slots.acquire(blocking=False):
                free += 1
            asked = {"workerId": "plain", "jobTypes": [job_type], "maxJobs": free}
            jobs = client.post("/v1/jobs/poll", json=asked).raise_for_status().json()["jobs"]
            for job in jobs:
                pool.submit(finish, job)
            if len(jobs) < free:
                slots.release(free - len(jobs))
            if sleep_s:
                time.sleep(sleep_s)
    if errors:
        raise errors[0]
