"""Many clients who mean no good, at once, against a real engine: refused, memory bounded, nobody else disturbed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from rochallor.config import SETTINGS

MIB = 1024 * 1024
EACH = 20
NORMAL_REQUESTS = 60
MOST_GROWTH_MIB = 300
PATIENT_S = 30.0
JSON = b"content-type: application/json\r\n"


@pytest.fixture
def engine(tmp_path):
    """A real engine process; gives (port, pid)."""
    variables = {"WE_SQLITE_PATH": str(tmp_path / "x.db"), "WE_REST_PORT": "0", "WE_GRPC_PORT": "0"}
    variables |= {"WE_METRICS_PORT": "0", "WE_LOG_FORMAT": "json", "WE_LOG_LEVEL": "error"}
    code = (
        "import sys; from rochallor.serve import serve; from rochallor.config import load_config; import os;"
        "sys.exit(serve(load_config(os.environ), on_ready=lambda a: print(a.rest, flush=True)))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], env=variables, stdout=subprocess.PIPE, text=True)
    port = int(process.stdout.readline().rsplit(":", 1)[1])
    yield port, process.pid
    process.kill()
    process.wait()
    process.stdout.close()


def memory_mib(pid):
    """Return the resident memory of a process."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("this system does not tell how much memory a process has")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def post(body_head, path="/v1/instances"):
    return b"POST %b HTTP/1.1\r\nhost: x\r\n%b" % (path.encode(), JSON) + body_head + b"\r\n"


def sized(body, path="/v1/instances"):
    return post(b"content-length: %d\r\n" % len(body), path) + body


DEEP = b'{"definitionId":"none","variables":{"a":' + b"[" * 500_000 + b"]" * 500_000 + b"}}"
DIGITS = b'{"definitionId":"none","variables":{"a":' + b"9" * 1_000_000 + b"}}"
EXPONENT = b'{"definitionId":"none","variables":{"a":1e999999999}}'


async def connect(port):
    return await asyncio.open_connection("127.0.0.1", port)


async def asks(port, request):
    """Send a request and return its status, 0 for a connection that was cut."""
    reader, writer = await connect(port)
    try:
        writer.write(request)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENT_S)
        return int(head.split()[1])
    except (ConnectionError, asyncio.IncompleteReadError):
        return 0
    finally:
        writer.transport.abort()


async def endless(port, head):
    """Send 100 MB in parts, as long as the engine takes them; return the status."""
    reader, writer = await connect(port)
    try:
        writer.write(post(head))
        part = b"x" * 65_536
        chunk = b"10000\r\n" + part + b"\r\n" if b"chunked" in head else part
        with suppress(ConnectionError):
            for _ in range(1_600):
                if writer.is_closing():
                    break
                writer.write(chunk)
                await writer.drain()
                await asyncio.sleep(0)
        return int((await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENT_S)).split()[1])
    except (ConnectionError, asyncio.IncompleteReadError):
        return 0
    finally:
        writer.transport.abort()


async def holds(port, part):
    """Send a part of a request and keep the connection."""
    _, writer = await connect(port)
    writer.write(part)
    with suppress(ConnectionError):
        await writer.drain()
    return writer


async def normal(port):
    """Work as a client does; return the longest time an answer took, in seconds."""
    definition = {"id": "n", "name": "N", "steps": [{"id": "end", "name": "End", "type": "END"}]}
    longest = 0.0
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENT_S) as client:
        assert (await client.post("/v1/definitions", json=definition)).status_code == 201
        for number in range(NORMAL_REQUESTS):
            began = time.perf_counter()
            answer = await client.post("/v1/instances", json={"definitionId": "n", "variables": {"n": number}})
            longest = max(longest, time.perf_counter() - began)
            assert (answer.status_code, answer.json()["status"]) == (201, "COMPLETED")
    return longest


@pytest.mark.slow
async def test_hostile_clients_disturb_nobody(engine):
    """Slow heads, slow bodies, 100 MB, deep JSON, huge numbers, all at once, and a client that works meanwhile."""
    port, pid = engine
    await normal(port)
    before_mib = memory_mib(pid)
    held = [await holds(port, b"POST /v1/instances HTTP/1.1\r\nx: ") for _ in range(EACH * 5)]
    held += [await holds(port, post(b"content-length: 3000000\r\n") + b"x" * 2_900_000) for _ in range(EACH)]
    bombs = [asks(port, sized(body)) for body in (DEEP, DIGITS, EXPONENT) for _ in range(EACH)]
    floods = [endless(port, b"content-length: 100000000\r\n") for _ in range(EACH)]
    floods += [endless(port, b"transfer-encoding: chunked\r\n") for _ in range(EACH)]
    longest_s, *statuses = await asyncio.gather(normal(port), *bombs, *floods)
    growth_mib = memory_mib(pid) - before_mib
    for writer in held:
        writer.transport.abort()
    print(f"\nlongest answer {longest_s:.3f} s, memory +{growth_mib:.0f} MiB, statuses {sorted(set(statuses))}")  # noqa: T201
    assert set(statuses[: EACH * 3]) == {400}
    assert set(statuses[EACH * 3 :]) <= {413, 429, 0}
    assert growth_mib < MOST_GROWTH_MIB
    assert longest_s < PATIENT_S / 2
    await normal(port)


@pytest.mark.parametrize("body", [DEEP, DIGITS, EXPONENT], ids=["deep", "digits", "exponent"])
async def test_a_bomb_is_a_bad_request(engine, body):
    """JSON that is too deep, or a number that no machine holds, is the caller's mistake and says so."""
    port, _ = engine
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for path in ("/v1/instances", "/v1/definitions", "/v1/instances/x/signals/y", "/v1/jobs/poll"):
            answer = await client.post(path, content=body, headers={"content-type": "application/json"})
            assert answer.status_code in {400, 404}, path
            assert len(answer.content) < 2_000
            assert json.loads(answer.content)["error"] in {"bad-request", "not-found"}
    assert SETTINGS
