"""Plays one case against one engine: what is given, the acts, the looks, and then the oracles over the journal."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

import msgspec

from rochallor_conformance.cases.model import Case, Step
from rochallor_conformance.cases.placeholders import Unbound, look_up, with_bindings, with_namespace
from rochallor_conformance.contract.operations import at, operations, resolve
from rochallor_conformance.engine.bench import Bench
from rochallor_conformance.engine.judging import difference
from rochallor_conformance.engine.sights import sights
from rochallor_conformance.oracles import Scene, findings
from rochallor_conformance.transports.exchange import Answer, Inexpressible, Journal, Unreachable
from rochallor_conformance.verdict import Difference, Verdict

WORKER = "worker-1"
NOBODY = "this-token-is-nobodys"
SECONDS = 30.0
PAD = "xxxxxxxx"


class Failed(Exception):
    """The case found a difference."""

    def __init__(self, where: str, found: Difference) -> None:
        super().__init__(f"{where}: {found.message}")
        self.where = where
        self.found = found


class NotThere(Exception):
    """The engine does not have what the case needs."""


async def play(case: Case, bench: Bench, namespace: str) -> Verdict:
    """Play a case; `namespace` makes its names unique.

    Raises:
        Unreachable: the engine does not answer at all.

    """
    playing = _Play(case, bench, namespace)
    try:
        async with asyncio.timeout(case.limits.get("seconds", SECONDS)):
            await playing.run()
    except Failed as failed:
        return Verdict("failed", playing.journal.exchanges, where=failed.where, found=failed.found)
    except NotThere as missing:
        return Verdict("not_implemented", playing.journal.exchanges, reason=str(missing))
    except Unreachable as silence:
        await bench.look()  # nobody answers at all: that is trouble around the run, and no verdict
        found = Difference(f"hung up, and answers other requests: {silence}", "an answer")
        return Verdict("failed", playing.journal.exchanges, where=playing.where, found=found)
    except TimeoutError:
        found = Difference(f"took longer than {case.limits.get('seconds', SECONDS)} s")
        return Verdict("failed", playing.journal.exchanges, where=playing.where, found=found)
    return Verdict("passed", playing.journal.exchanges)


class _Play:
    def __init__(self, case: Case, bench: Bench, namespace: str) -> None:
        self._case: Case = msgspec.convert(with_namespace(msgspec.to_builtins(case), namespace), Case)
        self._bench = bench
        self._bound: dict[str, Any] = {}
        self.journal = Journal()
        self.where = "given"

    async def run(self) -> None:
        await self._prepare()
        for where, step in self._case.steps:
            self.where = where
            try:
                await self._act(step)
            except (Unbound, Inexpressible) as wrong:
                raise Failed(where, Difference(str(wrong))) from wrong
        scene = Scene(exchanges=self.journal.exchanges)
        seen = (body["id"] for _, body in scene.seen_instances() if isinstance(body.get("id"), str))
        scene = msgspec.structs.replace(
            scene,
            sights=await sights(self._bench, seen),
            secrets=[token for token in self._bench.address.tokens.values() if token],
            base_only="additions" not in self._bench.capabilities,
        )
        for oracle, sentence in findings(scene):
            raise Failed(f"oracle {oracle}", Difference(sentence))

    async def _prepare(self) -> None:
        given = self._case.given
        for definition in given.definitions:
            await self._act(Step(call="uploadDefinition", args={"definition": definition}))
        if given.instance is not None:
            await self._act(Step(call="startInstance", args=given.instance, bind="instance"))

    async def _act(self, step: Step) -> None:
        if step.advance is not None:
            await self._bench.clock.advance(step.advance)
        elif step.parallel is not None:
            await self._all_at_once(step.parallel, step.outcomes)
        elif step.until is not None:
            await self._repeat(step, step.until.within_ms)
        else:
            answer = await self._send(step)
            self._judge(step, answer)
            self._bind(step, answer)

    async def _repeat(self, step: Step, within_ms: int) -> None:
        clock = self._bench.clock
        deadline = clock.now_ms() + within_ms
        while True:
            answer = await self._send(step)
            if difference(self._wanted(step), answer) is None:
                return self._bind(step, answer)
            if clock.now_ms() >= deadline:
                return self._judge(step, answer)
            await clock.look_again()

    async def _all_at_once(self, steps: list[Step], outcomes: list[Any]) -> None:
        answers = await asyncio.gather(*(self._send(step) for step in steps))
        wanted = Step(body={"outcomes": {"$unordered": with_bindings(outcomes, self._bound)}})
        self._judge(wanted, msgspec.structs.replace(
            answers[0], is_ok=True, body={"outcomes": [answer.outcome for answer in answers]}
        ))  # fmt: skip
        for step, answer in zip(steps, answers, strict=True):
            self._bind(step, answer)

    async def _send(self, step: Step) -> Answer:
        if step.http is not None:
            answer = await self._by_hand(with_bindings(step.http, self._bound), step.token)
        elif step.rpc is not None:
            assert self._bench.grpc is not None
            message = with_bindings(step.message, self._bound)
            answer = await self._bench.grpc.raw(step.rpc, message, self.journal, token=self._token(step.token))
        else:
            answer = await self._operation(step)
        answer.exchange.expected_error = step.error is not None
        answer.exchange.awaited = step.until is not None
        return answer

    async def _operation(self, step: Step) -> Answer:
        operation = operations()[step.call or ""]
        args = with_bindings(step.args, self._bound)
        if step.on:
            args[operation.id_argument] = look_up(self._bound, f"{step.on}.id")
        if "workerId" not in args and needs_worker(operation.id):
            args["workerId"] = WORKER
        if operation.has_body and operation.whole_body == "definition":
            args["definition"] = args.get("definition")
        answer = await self._bench.transport.call(operation, args, self.journal, token=self._token(step.token))
        if operation.is_ours and not answer.implemented:
            raise NotThere(f"the engine has no {operation.id}")
        return answer

    async def _by_hand(self, http: dict[str, Any], token: str) -> Answer:
        assert self._bench.rest is not None
        path = http["path"]
        headers = dict(http.get("headers", {}))
        content: bytes | None = None
        if "json" in http:
            content = msgspec.json.encode(http["json"])
            headers.setdefault("content-type", "application/json")
        elif "text" in http:
            text = str(http["text"]).replace(PAD, PAD + "x" * http.get("pad", 0), 1)
            content = text.encode() * http.get("repeat", 1)
        if bearer := self._token(token):
            headers["authorization"] = f"Bearer {bearer}"
        target = path if isinstance(path, str) else "".join(map(str, path))
        return await self._bench.rest.raw(http["method"], target, headers, content, self.journal)

    def _token(self, role: str) -> str:
        if role == "none":
            return ""
        return NOBODY if role == "nobody" else self._bench.address.tokens.get(role or "admin", "")

    def _judge(self, step: Step, answer: Answer) -> None:
        found = difference(self._wanted(step), answer)
        if found is not None:
            name = step.call or step.rpc or (step.http["method"] if step.http else "")
            raise Failed(self.where, msgspec.structs.replace(found, message=f"{name} {found.message}"))

    def _wanted(self, step: Step) -> Step:
        """Return the step with its expectations made of bound values."""
        error = step.error
        if error is not None:
            error = msgspec.structs.replace(error, message=self._put(error.message), details=self._put(error.details))
        return msgspec.structs.replace(step, body=self._put(step.body), headers=self._put(step.headers), error=error)

    def _put(self, expected: Any) -> Any:
        return expected if expected is msgspec.UNSET else with_bindings(expected, self._bound)

    def _bind(self, step: Step, answer: Answer) -> None:
        if isinstance(step.bind, str):
            self._bound[step.bind] = answer.body
        else:
            for name, path in step.bind.items():
                self._bound[name] = look_up(answer.body, path)


@cache
def needs_worker(operation: str) -> bool:
    """Return whether an operation has to say which worker asks."""
    schema = operations()[operation].body_schema
    return bool(schema) and "workerId" in resolve(at(schema)).get("required", [])
