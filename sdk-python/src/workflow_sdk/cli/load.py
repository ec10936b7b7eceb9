"""From `app.workers:registry` to the registry.

What goes wrong here is the commonest mistake of all, so each way has a sentence of its own. A traceback is shown only
for what the user's own module did, without our frames and those of the import machinery.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import traceback
from types import ModuleType

from workflow_sdk.cli.failures import CommandFailed
from workflow_sdk.handler.registry import HandlerRegistry

EXAMPLE = "app.workers:registry"


def load_registry(reference: str) -> HandlerRegistry:
    """Import the module and return its registry. The current folder can be imported from.

    Raises:
        CommandFailed: the reference leads to no registry.

    """
    module_name, colon, path = reference.partition(":")
    if not (colon and module_name and path):
        raise CommandFailed(f"{reference!r} names no registry. Write MODULE:NAME, for example {EXAMPLE}.")
    if "/" in module_name or "\\" in module_name or module_name.endswith(".py"):
        dotted = module_name.removesuffix(".py").replace("\\", "/").strip("./").replace("/", ".")
        raise CommandFailed(f"{module_name!r} is a path, not a module. Write {dotted}:{path}.")
    found: object = _import(module_name)
    at = module_name
    for name in path.split("."):
        if not hasattr(found, name):
            raise CommandFailed(f"{at} has no {name!r}. {_advice(found, name)}")
        found = getattr(found, name)
        at = f"{at}:{name}" if at == module_name else f"{at}.{name}"
    if not isinstance(found, HandlerRegistry):
        what = "a class" if isinstance(found, type) else f"of type {type(found).__name__}"
        raise CommandFailed(f"{reference} is {what}, not a HandlerRegistry. {_advice(sys.modules[module_name], '')}")
    return found


def serving(reference: str) -> HandlerRegistry:
    """Return the registry; one without handlers is refused, because it would poll for nothing.

    Raises:
        CommandFailed: there is no registry, or it is empty.

    """
    registry = load_registry(reference)
    if not registry.job_types():
        raise CommandFailed(
            f"{reference} has no handlers. Decorate a function with @registry.register('job-type'), "
            f"and import the module that does so from {reference.partition(':')[0]}."
        )
    return registry


def _import(name: str) -> ModuleType:
    folder = os.getcwd()  # noqa: PTH109 - sys.path holds texts
    if folder not in sys.path and "" not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise CommandFailed(
                f"There is no module {error.name!r} under {folder} or among the installed packages. "
                f"Run this in the folder that holds {name.partition('.')[0]!r}, or correct the name."
            ) from None
        raise _broken(name, error) from error
    except (Exception, SystemExit) as error:  # a module that ends the program on import does so by mistake
        raise _broken(name, error) from error


def _broken(name: str, error: BaseException) -> CommandFailed:
    trace = error.__traceback__
    while trace is not None and _is_machinery(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    shown = "".join(traceback.format_exception(type(error), error.with_traceback(trace), trace))
    return CommandFailed(
        f"{name} cannot be imported: {type(error).__name__}. Mend what the traceback shows, then try again.",
        trace=shown,
    )


def _is_machinery(file: str) -> bool:
    return file in {__file__, importlib.__file__} or file.startswith("<frozen importlib")


def _advice(owner: object, name: str) -> str:
    registries = (
        [key for key, value in vars(owner).items() if isinstance(value, HandlerRegistry)]
        if isinstance(owner, ModuleType)
        else []
    )
    if registries:
        return f"Is {registries[0]!r} meant?" if len(registries) == 1 else f"It has {', '.join(sorted(registries))}."
    close = difflib.get_close_matches(name, dir(owner), n=1)
    return f"Is {close[0]!r} meant?" if close else "Define it there: registry = HandlerRegistry()."
