"""What `--target` names, and the engines behind it: one that runs somewhere, or ones that are started for the run.

`SETTINGS` is the table of engine settings that a case may require. An engine of our own is started once per setting
that the plan needs; a foreign engine has none of them, and such cases are skipped.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from rochallor_conformance.engine.bench import ADDITIONS, Bench
from rochallor_conformance.engine.databases import Databases
from rochallor_conformance.engine.processes import Process
from rochallor_conformance.mutants.catalogue import PATCHES
from rochallor_conformance.transports.exchange import TRANSPORTS, Unreachable
from rochallor_conformance.verdict import Address

STORES = ("sqlite", "postgres")
STUB = "stub"
OURS = (*STORES, STUB)
ROLES = ("admin", "operator", "worker", "reader")
TOKENS = "tokens"
_MUTANT = f"{STUB},mutant="

SETTINGS: dict[str, dict[str, str]] = {
    TOKENS: {},  # the file is written when the engine is started
    "coercion": {"WE_EXPRESSION_COERCION_ENABLED": "true"},
    "shared-keys": {"WE_BUSINESS_KEY_UNIQUE": "false"},
    "few-deliveries": {"WE_MAX_DELIVERIES": "2"},
    "no-audit": {"WE_AUDIT_LOG_ENABLED": "false"},
    "kafka-dispatch": {"WE_DISPATCH_MODE": "kafka_outbox", "WE_KAFKA_SEED_BROKERS": "127.0.0.1:9"},
}
STARTABLE = frozenset(SETTINGS) - {"kafka-dispatch"}
"""What our engine can be started with in a test; Kafka needs a broker."""


class BadTarget(Exception):
    """The target cannot be read: engine:sqlite|postgres|stub, engine:URL[,grpc=HOST:PORT], sdk:PATH or pair:PATH."""


class Target(NamedTuple):
    """A target as it was named: one of `OURS`, or the addresses of a foreign engine. `mutant` is a stub's defect."""

    name: str
    kind: str = ""
    mutant: str = ""
    address: Address = Address()

    @property
    def settings(self) -> frozenset[str]:
        """The settings that its engines can be started with."""
        return STARTABLE if self.kind in STORES or self.mutant else frozenset()


def read_target(text: str) -> Target:
    """Return what a `--target` means.

    Raises:
        BadTarget: it means nothing.

    """
    kind, _, rest = text.partition(":")
    if kind != "engine" or not rest:
        raise BadTarget(f"{text!r} is no target of this kind. {BadTarget.__doc__}")
    if rest in OURS:
        return Target(name=rest, kind=rest)
    if rest.startswith(_MUTANT):
        return mutant_target(rest.removeprefix(_MUTANT))
    url, *others = rest.split(",")
    options = dict(each.partition("=")[::2] for each in others)
    if unknown := options.keys() - {"grpc"}:
        raise BadTarget(f"{text!r}: there is no option {', '.join(unknown)}; there is grpc=HOST:PORT")
    if not url.startswith(("http://", "https://")):
        raise BadTarget(f"{text!r}: {url!r} is neither one of {', '.join(OURS)} nor a URL. {BadTarget.__doc__}")
    return Target(name=text.removeprefix("engine:"), address=Address(rest=url, grpc=options.get("grpc", "")))


def mutant_target(strain: str) -> Target:
    """Return the stub with a defect.

    Raises:
        BadTarget: there is no such defect.

    """
    if strain not in PATCHES:
        raise BadTarget(f"there is no patch for a mutant {strain!r}; `rochallor-conformance list --mutants` shows them")
    return Target(name=f"{_MUTANT}{strain}", kind=STUB, mutant=strain)


class Fleet:
    """The engines of one run; use it with `async with`. Engines are started when a bench of theirs is first needed."""

    def __init__(self, target: Target, folder: Path) -> None:
        self.target = target
        self._folder = folder
        self._stack = AsyncExitStack()
        self._databases = Databases()
        self._addresses: dict[str, Address] = {}
        self._benches: dict[tuple[str, str], Bench] = {}

    async def __aenter__(self) -> Self:
        self._stack.callback(self._databases.close)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def transports(self) -> tuple[str, ...]:
        """Return over which transports the target can be judged."""
        if self.target.kind:
            return TRANSPORTS
        return tuple(name for name in TRANSPORTS if self.target.address.has(name))

    async def bench(self, transport: str, setting: str = "") -> Bench:
        """Return where cases with this setting are played.

        Raises:
            Unreachable: the engine does not start or does not answer.

        """
        key = (transport, setting)
        if key not in self._benches:
            bench = Bench(await self._address(setting), transport, frozenset({setting} - {""}))
            self._stack.push_async_callback(bench.close)
            await bench.look()
            self._benches[key] = bench
        return self._benches[key]

    async def _address(self, setting: str) -> Address:
        if not self.target.kind:
            return self.target.address
        if setting not in self._addresses:
            self._addresses[setting] = await self._start(setting)
        return self._addresses[setting]

    async def _start(self, setting: str) -> Address:
        process = await self._process(setting)
        self._stack.push_async_callback(process.stop)
        addresses = await process.start()
        tokens = self._tokens(setting) if setting == TOKENS else {}
        control = addresses["rest"] if self.target.kind == STUB else ""
        return Address(rest=addresses["rest"], grpc=addresses["grpc"], control=control, tokens=tokens)

    async def _process(self, setting: str) -> Process:
        if self.target.mutant:
            return Process.mutant(self.target.mutant, setting=setting, tokens=self._tokens_file(setting))
        return Process.stub() if self.target.kind == STUB else Process.engine(await self._variables(setting))

    def _tokens_file(self, setting: str) -> str:
        """Return the path of the tokens file that an engine with a setting needs, "" for none."""
        if setting != TOKENS:
            return ""
        self._tokens(setting)
        return str(self._folder / "tokens.yaml")

    async def _variables(self, setting: str) -> dict[str, str]:
        variables = dict(SETTINGS.get(setting, {}))
        if tokens := self._tokens_file(setting):
            variables["WE_AUTH_TOKENS_FILE"] = tokens
        if self.target.kind == "sqlite":
            return {**variables, "WE_SQLITE_PATH": str(self._folder / f"{setting or 'plain'}.db")}
        return {**variables, "WE_POSTGRES_DSN": await self._databases.fresh()}

    def _tokens(self, setting: str) -> dict[str, str]:
        """Return a token per role; the file with their hashes is written the first time."""
        kept = self._folder / f"{setting}.json"
        if kept.exists():
            found: dict[str, str] = json.loads(kept.read_text())
            return found
        tokens = {role: secrets.token_urlsafe(24) for role in ROLES}
        entries: list[dict[str, Any]] = [
            {
                "name": f"conformance-{role}",
                "role": role,
                "hash": f"sha256:{hashlib.sha256(token.encode()).hexdigest()}",
            }
            for role, token in tokens.items()
        ]
        for path, content in ((kept, tokens), (self._folder / "tokens.yaml", entries)):
            path.touch(mode=0o600)
            path.write_text(json.dumps(content))
        return tokens


def missing(requires: list[str], bench: Bench) -> str:
    """Return why a case cannot be played on a bench, "" if it can; our additions are not in this question."""
    lacking = [each for each in requires if each != ADDITIONS and each not in bench.capabilities]
    return f"needs {', '.join(lacking)}" if lacking else ""


__all__ = ["BadTarget", "Fleet", "Target", "Unreachable", "missing", "read_target"]
