"""`workflow-worker check`: what would go wrong before anything runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from workflow_sdk.cli.engine import open_client
from workflow_sdk.cli.failures import FAILED, FINE, NO_ENGINE, CommandFailed
from workflow_sdk.cli.listing import table
from workflow_sdk.cli.load import load_registry
from workflow_sdk.cli.options import Settings
from workflow_sdk.definition import Problem, Workflow, check
from workflow_sdk.errors import ConnectionFailed, EngineClientError, Forbidden
from workflow_sdk.json_types import is_dict

_PATIENCE_SECONDS = 5.0


def perform(settings: Settings) -> int:
    """Print what was found; return the exit code."""
    registry = load_registry(settings.registry)
    sys.stdout.write(table(registry))
    workflows = [_workflow(name) for name in settings.definition]
    problems = check(registry, *workflows, elsewhere=settings.elsewhere) if workflows else []
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    code = FAILED if any(problem.severity == "error" for problem in problems) else FINE
    if workflows:
        sys.stdout.write(_summary(problems, len(workflows)))
    if settings.engine:
        code = code or _ask(settings)
    return code


def _summary(problems: list[Problem], count: int) -> str:
    errors = sum(problem.severity == "error" for problem in problems)
    definitions = "1 definition" if count == 1 else f"{count} definitions"
    return f"{definitions}: {errors or 'no'} {'error' if errors == 1 else 'errors'}\n"


def _workflow(name: str) -> Workflow:
    try:
        document: Any = json.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandFailed(f"{name} cannot be read: {error.strerror}. Correct --definition.") from None
    except ValueError as error:
        raise CommandFailed(f"{name} is not JSON: {error}. Correct the file.") from None
    if not is_dict(document):
        raise CommandFailed(f"{name} holds no definition: a definition is a JSON object. Correct the file.")
    return Workflow.from_dict(document)


def _ask(settings: Settings) -> int:
    with open_client(settings.engine, settings.token_file, _PATIENCE_SECONDS) as client:
        try:
            client.list_definitions(page_size=1)
        except Forbidden:
            pass  # a worker's token need not read definitions; the engine knows it, and that is what was asked
        except ConnectionFailed as error:
            raise CommandFailed(f"{error}. Start the engine, or correct --engine.", code=NO_ENGINE) from None
        except EngineClientError as error:
            raise CommandFailed(f"{settings.engine} refused: {error}. See --token-file.", code=FAILED) from None
    sys.stdout.write(f"the engine at {settings.engine} answers\n")
    return FINE
