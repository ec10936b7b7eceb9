"""Texts as long and as odd as they may be: PostgreSQL keeps them, too, where an index takes only so many bytes."""

from __future__ import annotations

import json
import random

import pytest
from rochallor.shell.clocks import SystemClock, SystemEntropy
from rochallor.shell.engine import Engine
from rochallor.shell.requests import Poll
from rochallor.stores.postgres import PostgresStore

ASK = {"id": "ask", "name": "ask", "type": "USER_TASK", "nextStep": "end"}
END = {"id": "end", "name": "end", "type": "END"}
CHANCE = random.Random(1)  # nothing that could be compressed


def text(characters, first, last):
    return "".join(chr(CHANCE.randrange(first, last)) for _ in range(characters))


@pytest.fixture
async def engine(postgres_database):
    engine = Engine(PostgresStore(postgres_database, max_conns=5), clock=SystemClock(), entropy=SystemEntropy())
    await engine.start()
    yield engine
    await engine.stop()


async def test_the_longest_texts_are_kept(engine):
    """An id of 256 characters, a key of 1,024 bytes, a job type of 256 characters of four bytes each."""
    longest_id, job_type = text(256, ord("A"), ord("Z")), text(256, 0x20000, 0x2A000)
    key = text(341, 0x4E00, 0x9FFF)
    work = {"id": "work", "name": "work", "type": "SERVICE_TASK", "jobType": job_type, "nextStep": "end"}
    definition = {"id": longest_id, "name": "long", "steps": [work, END]}
    await engine.upload_definition(json.dumps(definition).encode())
    started = await engine.start_instance(longest_id, business_key=key)
    [job] = await engine.poll_jobs(Poll(worker_id="w", job_types=[job_type]), default_max_jobs=1)
    await engine.complete_job(job.id, "w")
    assert (await engine.get_instance(started.id)).status == "COMPLETED"


async def test_a_name_with_a_nul_completes_a_user_task(engine):
    """What no store keeps is left out, wherever the name goes."""
    await engine.upload_definition(json.dumps({"id": "flow", "name": "flow", "steps": [ASK, END]}).encode())
    started = await engine.start_instance("flow")
    await engine.complete_user_task(started.id, "ask", completed_by="a\x00da")
    [task] = (await engine.list_user_tasks(instance_id=started.id)).items
    assert task.completed_by == "ada"
