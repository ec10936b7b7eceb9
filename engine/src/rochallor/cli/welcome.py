"""What `rochallor dev` prints: where the engine is, and commands that work as they are printed.

Every line after `Try next` is shell; a test runs them.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from rochallor import __version__
from rochallor.cli.remote import DEFAULT_URL
from rochallor.serve import Addresses

TEXT = """\
Rochallor {version} is ready. {kept}; Ctrl-C stops it.

  REST     {rest}     its contract: {rest}/v1/openapi.json
  gRPC     {grpc}
  metrics  {metrics}

Try next, in another terminal:

# a workflow with one job for a worker, and an instance of it
curl -s {rest}/v1/definitions {json} -d '{definition}'
curl -s {rest}/v1/instances {json} -d '{{"definitionId": "hello", "variables": {{"name": "Ada"}}}}'

# what is running
{command} instance list{engine}

# a worker that does the job, with the SDK
{python} - <<'END'
from workflow_sdk import HandlerRegistry, RestEngineClient, Runner

registry = HandlerRegistry()

@registry.register("greet")
def greet(ctx):
    print("greeting", ctx["variables"]["name"], flush=True)
    return {{"greeting": f"Hello, {{ctx['variables']['name']}}!"}}

Runner(RestEngineClient("{rest}"), registry, worker_id="worker-1").run()
END
"""

DEFINITION = (
    '{"id": "hello", "name": "Hello", "steps": ['
    '{"id": "greet", "name": "Greet", "type": "SERVICE_TASK", "nextStep": "end"}, '
    '{"id": "end", "name": "End", "type": "END"}]}'
)


def welcome(addresses: Addresses, kept: str) -> str:
    """Return the text; `kept` says what becomes of the state."""
    return TEXT.format(
        version=__version__,
        kept=kept,
        definition=DEFINITION,
        json="-H 'content-type: application/json'",
        command=_as_typed("rochallor"),
        python=_as_typed("python"),
        engine="" if addresses.rest == DEFAULT_URL else f" --engine {addresses.rest}",
        **addresses._asdict(),
    )


def _as_typed(name: str) -> str:
    """Return how to call a program of this environment from the current folder, as short as it works."""
    ours = Path(sys.executable).parent / name
    found = shutil.which(name)
    if found and Path(found) == ours:
        return name
    if not ours.exists():
        return sys.executable if name == "python" else f"{sys.executable} -m rochallor"
    near = os.path.relpath(ours)
    return shlex.quote(str(ours) if near.startswith("..") else near)
