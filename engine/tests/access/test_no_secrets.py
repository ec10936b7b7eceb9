"""No secret in logs, errors or `repr`: a busy run with right, wrong and broken tokens, at the most talkative level."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from queue import Queue
from threading import Thread

import grpc
import httpx
import pytest
import yaml
from rochallor.access import hash_of
from rochallor.config import Config
from rochallor_proto import engine_pb2 as pb
from rochallor_proto import engine_pb2_grpc

CODE = (
    "import os, sys; from rochallor.serve import serve; from rochallor.config import load_config;"
    "sys.exit(serve(load_config(os.environ), on_ready=lambda a: print(a.rest, a.grpc, flush=True)))"
)


@pytest.fixture
def busy(tokens_file, tmp_path):
    """A real engine that logs all it can; gives its addresses, its process, and the lines of its log."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("WE_")}
    variables |= {"WE_SQLITE_PATH": str(tmp_path / "x.db"), "WE_AUTH_TOKENS_FILE": str(tokens_file)}
    variables |= dict.fromkeys(("WE_REST_PORT", "WE_GRPC_PORT", "WE_METRICS_PORT"), "0")
    variables |= {"WE_HOST": "127.0.0.1", "WE_LOG_LEVEL": "debug", "WE_LOG_FORMAT": "json"}
    process = subprocess.Popen(
        [sys.executable, "-c", CODE], env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    lines = Queue()
    reader = Thread(target=lambda: [lines.put(line) for line in process.stderr], daemon=True)
    reader.start()
    rest, grpc_target = process.stdout.readline().split()
    yield rest, grpc_target, process, lines
    process.kill()
    process.wait()
    reader.join()
    process.stdout.close()
    process.stderr.close()


def until(lines, seen, word):
    """Take lines of the log until one has the word."""
    while True:
        seen.append(lines.get(timeout=20))
        if word in seen[-1]:
            return


async def test_no_token_and_no_hash_is_ever_written(busy, secrets, tokens_file, entry):
    """Requests of every kind, a good and a broken tokens file, a shutdown: nothing of a token is in any line."""
    rest, target, process, lines = busy
    texts, log = [], []
    callers = vars(secrets)
    async with httpx.AsyncClient(base_url=rest) as client, grpc.aio.insecure_channel(target) as channel:
        stub = engine_pb2_grpc.WorkflowEngineStub(channel)
        for secret in callers.values():
            for value in (f"Bearer {secret}", secret, f"Basic {secret}"):
                for method, path in (("GET", "/v1/instances"), ("POST", "/v1/definitions"), ("GET", f"/v1/{secret}")):
                    texts.append((await client.request(method, path, headers={"authorization": value})).text)
                with contextlib.suppress(grpc.aio.AioRpcError):
                    await stub.ListInstances(pb.ListInstancesRequest(), metadata=(("authorization", value),))
        texts.append((await client.get(f"/v1/instances?token={secrets.admin}")).text)
    tokens_file.write_text(f"- {secrets.admin}: {{")
    process.send_signal(signal.SIGHUP)
    await asyncio.to_thread(until, lines, log, "cannot be used")
    tokens_file.write_text(yaml.safe_dump([entry(secrets.stranger, "stranger", "admin")]))
    process.send_signal(signal.SIGHUP)
    await asyncio.to_thread(until, lines, log, "was read again")
    async with httpx.AsyncClient(base_url=rest) as client:
        for caller, status in (("stranger", 200), ("admin", 401)):
            bearer = {"authorization": f"Bearer {callers[caller]}"}
            assert (await client.get("/v1/instances", headers=bearer)).status_code == status
    process.terminate()
    await asyncio.to_thread(until, lines, log, '"stopped"')
    written = "".join([*log, *texts])
    assert '"request"' in written
    for secret in callers.values():
        assert secret not in written
        assert secret[5:20] not in written
        assert hash_of(secret)[7:20] not in written


def test_a_configuration_does_not_show_its_secrets():
    """`repr` leaves out the DSN, which may hold a password, and the brokers' password."""
    shown = repr(Config(postgres_dsn="postgresql://u:pa55@h/d", kafka_sasl_password="pa55", auth_tokens_file="t"))
    assert "pa55" not in shown
