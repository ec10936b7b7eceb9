"""Lets the conformance harness use this SDK: wf-driver/1 on standard input and output, see `sdk-contract/schemas`."""
# ruff: noqa: A002, B006, BLE001, D103, INP001, N803, PLR0917 - a script; a function and its arguments are a message of it

import asyncio
import itertools
import json
import logging
import os
import queue
import re
import sys
import threading
from importlib.metadata import version
from typing import Any

from workflow_sdk import GrpcEngineClient, HandlerRegistry, NonRetryableError, RestEngineClient, RetryAfter, Runner
from workflow_sdk.errors import EngineClientError, InvalidVariables

Json = dict[str, Any]
OUT, WRITING, TOKENS = sys.stdout, threading.Lock(), itertools.count(1)
METHODS = {"getDefinitionVersion": "get_definition", "completeUserTask": "complete_user_task_step"}
BARE_LISTS = {"pollJobs": "jobs", "getInstanceHistory": "items", "getInstanceAudit": "items"}
KINDS = {"connection-failed": "unreachable", "not-json": "other", "": "other"}
RAISED = {KeyError: "unknown", AttributeError: "unsupported", TypeError: "unsendable", InvalidVariables: "unsendable"}
clients: dict[str, Any] = {}
workers: dict[str, tuple[threading.Event, threading.Thread]] = {}
waiting: dict[str, tuple[str, queue.Queue[Json]]] = {}


def hello(protocol: str) -> Json:
    return {"protocol": protocol, "sdk": "workflow-sdk", "version": version("workflow-sdk")}


def connect(id: str, transport: str, url: str, options: Json = {}) -> None:
    make: Any = RestEngineClient if transport == "rest" else GrpcEngineClient
    clients[id] = make(url, timeout=options.get("timeoutMs", 30_000) / 1000, token=options.get("token"))


def call(client: str, op: str, args: Json) -> Any:
    method = getattr(clients[client], METHODS.get(op, snake(op)))
    first = [args.pop("id")] if "id" in args else []
    result = method(*first, **{snake(name): value for name, value in args.items()})
    return {BARE_LISTS[op]: result} if op in BARE_LISTS else result


def worker_start(id: str, client: str, workerId: str, jobTypes: list[str], options: Json = {}) -> None:
    def handler(job: Any) -> Any:
        token, reply = str(next(TOKENS)), queue.Queue[Json]()
        waiting[token] = (id, reply)
        say(event="job", worker=id, token=token, job=job)
        return act(**reply.get())

    async def asynchronous(job: Any) -> Any:
        return await asyncio.to_thread(handler, job)

    registry, stop = HandlerRegistry(), threading.Event()
    serve, pause = asynchronous if options.pop("asynchronous", False) else handler, options.pop("pollIntervalMs", 500)
    for each in jobTypes:
        registry.register(each, serve)
    settings = {"batch_reports": False} | {snake(name): value for name, value in options.items()}
    runner = Runner(clients[client], registry, workerId, poll_interval=pause / 1000, **settings)
    workers[id] = (stop, threading.Thread(target=runner.run, args=(stop,), daemon=True))
    workers[id][1].start()


def job_reply(token: str, **reply: Any) -> None:
    waiting.pop(token)[1].put(reply)


def worker_stop(id: str, mode: str) -> None:
    stop, thread = workers[id]
    while stop.set() or thread.is_alive():
        for token in [each for each, (worker, _) in waiting.copy().items() if worker == id and mode == "now"]:
            job_reply(token, action="throw")
        thread.join(0.05)
    workers.pop(id)


def reset() -> None:
    for worker in list(workers):
        worker_stop(worker, "now")
    while clients:
        clients.popitem()[1].close()


def snake(name: str) -> str:
    return "expected_revision" if name == "If-Match" else re.sub("([A-Z])", r"_\1", name).lower()


def act(action: str, variables: Any = None, message: str = "", retryable: bool = True, code: str = "",
        retryAfterMs: int | None = None) -> Any:  # fmt: skip
    if action == "hang":
        threading.Event().wait()
    if action == "fail" and not retryable:
        raise NonRetryableError(message, code=code)
    if action == "fail" and retryAfterMs is not None:
        raise RetryAfter(retryAfterMs / 1000, message)
    if action != "return":
        raise RuntimeError(message)
    return variables


def told(error: Exception) -> Json:
    if not isinstance(error, EngineClientError):
        return {"kind": RAISED.get(type(error), "other"), "message": f"{type(error).__name__}: {error}"}
    wait = {} if error.retry_after is None else {"retryAfterMs": round(error.retry_after * 1000)}
    return {"kind": KINDS.get(error.code, error.code), "message": error.message, "details": error.details, **wait}


def say(**line: Any) -> None:
    with WRITING:
        print(json.dumps(line), file=OUT, flush=True)


def answer(seq: int, command: str, **fields: Any) -> None:
    try:
        say(re=seq, result=COMMANDS[command](**fields) or {})
    except Exception as error:
        say(re=seq, error={"kind": "unsupported", "message": command} if command not in COMMANDS else told(error))
    if command == "bye":
        os._exit(0)


COMMANDS: dict[str, Any] = {"hello": hello, "connect": connect, "call": call, "worker.start": worker_start,
    "job.reply": job_reply, "worker.stop": worker_stop, "reset": reset, "bye": dict}  # fmt: skip
if __name__ == "__main__":
    sys.stdout = sys.stderr  # what is printed by mistake is no protocol
    logging.basicConfig(level=logging.DEBUG)
    for each in sys.stdin:
        threading.Thread(target=answer, kwargs=json.loads(each), daemon=True).start()
    os._exit(0)
