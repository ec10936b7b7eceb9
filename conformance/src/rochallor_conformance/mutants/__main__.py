"""The stub with one defect, as a process: `python -m rochallor_conformance.mutants STRAIN`.

It is started like `rochallor-stub` and says in the same way where it answers.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import signal
from pathlib import Path
from typing import Any

import click

from rochallor_conformance.mutants.catalogue import PATCHES
from rochallor_conformance.mutants.patch import install

SETTINGS: dict[str, dict[str, Any]] = {
    "coercion": {"expression_coercion": True},
    "few-deliveries": {"max_deliveries": 2},
    "no-audit": {"audit_enabled": False},
}
"""What a setting that a case requires changes in the stub's settings; the others are not settings of the core."""


@click.command()
@click.argument("strain")
@click.option("--setting", default="", help="A setting that a case requires.")
@click.option("--tokens", type=click.Path(exists=True, path_type=Path), help="A tokens file; without it all may call.")
def main(strain: str, setting: str, tokens: Path | None) -> None:
    """Run the stub with a defect until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=logging.WARNING)
    install(PATCHES[strain])
    gc.disable()  # there is no garbage while modules are loaded, and looking for it takes a tenth of the start
    stub = _stub(setting, tokens)
    gc.freeze()
    gc.enable()
    asyncio.run(_serve(stub))


async def _serve(stub: Any) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with stub:
        click.echo(json.dumps({"rest": stub.url, "grpc": stub.grpc_target}))
        await stop.wait()


def _stub(setting: str, tokens: Path | None) -> Any:
    """Make the stub; what it is made of is imported here, after the patch was installed."""
    from rochallor.access import Guard, TokensFile  # noqa: PLC0415 - see above
    from rochallor.shell.settings import Settings  # noqa: PLC0415
    from rochallor.stores.memory import MemoryStore  # noqa: PLC0415
    from rochallor_stub.clock import START_MS  # noqa: PLC0415
    from rochallor_stub.stub import AsyncEngineStub  # noqa: PLC0415

    def share_keys(parts: Any) -> None:
        parts.store = MemoryStore(unique_keys=False)

    return AsyncEngineStub(
        settings=Settings(**SETTINGS.get(setting, {})),
        mutate=[share_keys] if setting == "shared-keys" else [],
        guard=Guard(TokensFile(tokens, lambda: START_MS).book, lambda: START_MS) if tokens else None,
    )


if __name__ == "__main__":
    main()
