"""A patch: a few edits of the engine's source, applied while its modules are loaded."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple

PACKAGE = "rochallor"


class Edit(NamedTuple):
    """Text of a module (`core.routing`: below the engine's package) that is replaced; "" adds to the module's end."""

    module: str
    old: str
    new: str


Patch = tuple[Edit, ...]


class Misfit(Exception):
    """A patch does not fit the engine: what it changes is gone or is there more than once."""


def misfits(patch: Patch) -> Iterator[str]:
    """Yield a sentence for each module that a patch cannot change in the engine that is installed."""
    for module in _modules(patch):
        try:
            edited(_path_of(module).read_text(encoding="utf-8"), module, patch)
        except (Misfit, OSError) as error:
            yield str(error)
        except SyntaxError as error:
            yield f"{module}, line {error.lineno}: the patch makes no valid Python: {error.msg}"


def install(patch: Patch) -> None:
    """Let the engine be imported with a patch; call this before anything of it was.

    Raises:
        Misfit: it was imported already.

    """
    if loaded := [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        raise Misfit(f"{loaded[0]} is loaded already; a patch has to come first")
    sys.meta_path.insert(0, _Finder(patch))


def edited(source: str, module: str, patch: Patch) -> CodeType:
    """Return a module's code with the patch's edits of it.

    Raises:
        Misfit: a text that should be replaced is not there exactly once.

    """
    for edit in patch:
        if edit.module != module:
            continue
        if edit.old and (count := source.count(edit.old)) != 1:
            raise Misfit(f"{module} has {count} times {edit.old!r}, which the patch replaces; adapt the patch")
        source = source.replace(edit.old, edit.new) if edit.old else f"{source}\n\n{edit.new}\n"
    return compile(source, f"{PACKAGE}.{module}", "exec", dont_inherit=True)


def _modules(patch: Patch) -> list[str]:
    return list(dict.fromkeys(edit.module for edit in patch))


def _path_of(module: str) -> Path:
    """Return where a module's source is, without importing it."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.origin:
        raise Misfit("the engine is not installed: pip install rochallor-conformance[engines]")
    base = Path(spec.origin).parent.joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


class _Finder(MetaPathFinder):
    """Finds the modules that a patch changes."""

    def __init__(self, patch: Patch) -> None:
        self._patch = patch
        self._names = {f"{PACKAGE}.{module}" for module in _modules(patch)}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec whose loader patches, None for modules that stay as they are."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname in self._names else None
        if spec is not None and spec.origin:
            spec.loader = _Loader(fullname, spec.origin, self._patch)
        return spec


class _Loader(SourceFileLoader):
    """Loads a module with its edits, past the cache of compiled modules."""

    def __init__(self, fullname: str, path: str, patch: Patch) -> None:
        super().__init__(fullname, path)
        self._patch = patch

    def get_code(self, fullname: str) -> CodeType:
        """Return the patched code."""
        source = self.get_data(self.path).decode()
        return edited(source, fullname.removeprefix(f"{PACKAGE}."), self._patch)
