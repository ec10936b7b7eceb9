"""Writes docs/reference/sdk-python.md from the signatures and docstrings of the Python SDK.

`python tools/api_reference.py` writes it anew; a test fails when the page and the code disagree. Sources are read,
never imported, so the page is the same with and without the extras. Belongs here: which modules are shown, and how a
docstring becomes Markdown. What the page says belongs into the docstrings.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "sdk-python" / "src"
PAGE = ROOT / "docs" / "reference" / "sdk-python.md"

MODULES = (
    "workflow_sdk.handler.registry",
    "workflow_sdk.handler.context",
    "workflow_sdk.runner.runner",
    "workflow_sdk.runner.async_runner",
    "workflow_sdk.runner.kafka_runner",
    "workflow_sdk.client.rest",
    "workflow_sdk.client.grpc",
    "workflow_sdk.client.async_rest",
    "workflow_sdk.client.async_grpc",
    "workflow_sdk.client.base",
    "workflow_sdk.client.face",
    "workflow_sdk.client.handle",
    "workflow_sdk.client.ends",
    "workflow_sdk.client.tls",
    "workflow_sdk.client.auth",
    "workflow_sdk.retry.policy",
    "workflow_sdk.definition",
    "workflow_sdk.testing",
    "workflow_sdk.errors",
    "workflow_sdk.retry.backoff",
    "workflow_sdk.metrics.metrics",
)
# Public for other modules of the SDK, of no use to applications.
INTERNAL = {"context_of", "engine_error", "error_of", "offers", "status_of"}

INTRODUCTION = """# The Python SDK

Every public name with its signature, written from the docstrings by `python tools/api_reference.py`. `workflow_sdk`
itself exports what most programs need. Times are in seconds, or in milliseconds where the name ends in `_ms`.

In signatures, `Json` is a dict as JSON has it, `Next` a step or its id, `Conditions` a dict of expression to step,
`Duration` ISO 8601 text or a `timedelta`.
"""

_WIDE = 100
_SECTIONS = {"Args:": "Arguments:", "Raises:": "Raises:"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def page(modules: Iterable[str] = MODULES, source: Path = SOURCE) -> str:
    """Return the page."""
    parts, contents = [], ["| module | names |\n|---|---|\n"]
    for name in modules:
        tree = _parse(name, source)
        summary = (ast.get_docstring(tree) or "").split("\n\n")[0]
        members = list(_members(tree, source))
        contents.append(f"| `{name}` | {' '.join(_link(each) for _, each in members)} |\n")
        parts += [f"## `{name}`\n", f"{_joined(summary)}\n", *_constants(tree), *(text for text, _ in members)]
    return _without_dead_links("\n".join([INTRODUCTION, "".join(contents), *parts]))


def _without_dead_links(text: str) -> str:
    """Leave the name of what is not on the page, and take its link away."""
    there = {name.lower() for name in re.findall(r"^#+ `(\w+)`", text, re.MULTILINE)}
    return re.sub(
        r"\[(`\w+`)\]\(#(\w+)\)", lambda link: link[0] if link[2] in there else link[1], text, flags=re.MULTILINE
    )


def _link(name: str) -> str:
    return f"[`{name}`](#{name.lower()})"


def _constants(tree: ast.Module) -> Iterator[str]:
    """Yield one block with the plain values of a module."""
    assigned = [each for each in tree.body if isinstance(each, ast.Assign) and isinstance(each.value, ast.Constant)]
    lines = [line for line in map(_source_of, assigned) if not line.startswith("_")]
    if lines:
        yield _code("\n".join(lines))


def _parse(module: str, source: Path) -> ast.Module:
    file = source.joinpath(*module.split("."))
    path = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def _members(tree: ast.Module, source: Path) -> Iterator[tuple[str, str]]:
    """Yield Markdown and name of all that is public; a package shows what it exports, wherever that is defined."""
    exports = _exports(tree)
    if not exports:
        yield from (each for each in _shown(tree.body) if each[1] not in INTERNAL)
    homes = {
        alias.name: statement.module
        for statement in tree.body
        if isinstance(statement, ast.ImportFrom) and statement.module
        for alias in statement.names
    }
    for wanted in sorted(exports, key=str.casefold):
        yield from (each for each in _shown(_parse(homes[wanted], source).body) if each[1] == wanted)


def _exports(tree: ast.Module) -> list[str]:
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(statement.value)
            return names
    return []


def _shown(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Yield the Markdown and the name of each public class, function, and constant that explains itself."""
    for statement, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.ClassDef) and not statement.name.startswith("_"):
            yield _class(statement), statement.name
        elif isinstance(statement, Function) and _is_public(statement):
            yield _function(statement), statement.name
        elif isinstance(statement, ast.Assign):
            name, told = ast.unparse(statement.targets[0]), _string(after)
            if not name.startswith("_") and told:
                yield f"### `{name}`\n\n{_code(_source_of(statement))}\n{_markdown(told)}", name


def _string(statement: ast.stmt | None) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return str(statement.value.value)
    return ""


def _class(node: ast.ClassDef) -> str:
    bases = [ast.unparse(base) for base in node.bases]
    ours = " and ".join(_base(base) for base in bases if base not in {"ABC", "Exception"})
    made = _made(node)
    parts = [
        f"### `{node.name}`\n",
        _code(_signature(node.name, *made)) if made else "",
        f"A kind of {ours}.\n" if ours else "",
        _markdown(ast.get_docstring(node) or ""),
        *(_method(each) for each in node.body if isinstance(each, Function) and _is_public(each)),
    ]
    return "\n".join(part for part in parts if part)


def _base(name: str) -> str:
    return f"`{name}`" if name.startswith("dict") or hasattr(builtins, name) else _link(name)


def _made(node: ast.ClassDef) -> tuple[list[str]] | None:
    """Return the arguments that make an instance; None when the class adds nothing to its base."""
    if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        return (list(_fields(node)),)
    for each in node.body:
        if isinstance(each, ast.FunctionDef) and each.name == "__init__":
            return (_arguments(each.args),)
    return None


def _fields(node: ast.ClassDef) -> Iterator[str]:
    for each in node.body:
        if isinstance(each, ast.AnnAssign):
            keyword, default = "", each.value
            if isinstance(default, ast.Call):  # field(...)
                given = {option.arg for option in default.keywords}
                keyword = "*, " if "kw_only" in given else ""
                default = ast.Constant(...) if given & {"default", "default_factory"} else None
            shown = "" if default is None else f" = {_source_of(default)}"
            yield f"{keyword}{_source_of(each.target)}: {_source_of(each.annotation)}{shown}"


def _arguments(arguments: ast.arguments) -> list[str]:
    """Return the arguments as they are written, without `self`."""
    ordered = [*arguments.posonlyargs, *arguments.args]
    missing: list[ast.expr | None] = [None] * (len(ordered) - len(arguments.defaults))
    shown = [_argument(*pair) for pair in zip(ordered, [*missing, *arguments.defaults], strict=True)]
    if arguments.vararg:
        shown.append(f"*{_argument(arguments.vararg, None)}")
    elif arguments.kwonlyargs:
        shown.append("*")
    shown += [_argument(*pair) for pair in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    if arguments.kwarg:
        shown.append(f"**{_argument(arguments.kwarg, None)}")
    return shown[1:] if shown and shown[0] in {"self", "cls"} else shown


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    typed = argument.arg if argument.annotation is None else f"{argument.arg}: {_source_of(argument.annotation)}"
    equals = " = " if argument.annotation else "="
    return typed if default is None else f"{typed}{equals}{_source_of(default)}"


def _source_of(node: ast.AST) -> str:
    return ast.unparse(node).replace("'", '"')


def _signature(name: str, arguments: list[str], returns: str = "") -> str:
    line = f"{name}({', '.join(arguments)}){returns}"
    if len(line) <= _WIDE:
        return line
    return "\n".join([f"{name}(", *(f"    {argument}," for argument in arguments), f"){returns}"])


def _returns(node: Function) -> str:
    return f" -> {_source_of(node.returns)}" if node.returns else ""


def _function(node: Function) -> str:
    shown = _signature(node.name, _arguments(node.args), _returns(node))
    return f"### `{node.name}`\n\n{_code(shown)}\n{_markdown(ast.get_docstring(node) or '')}"


def _is_public(node: Function) -> bool:
    hidden = {"overload", "abstractmethod"} & {ast.unparse(decorator) for decorator in node.decorator_list}
    return not node.name.startswith("_") and not (hidden and not ast.get_docstring(node))


def _method(node: Function) -> str:
    if any(ast.unparse(decorator) == "property" for decorator in node.decorator_list):
        return f"**`.{node.name}{_returns(node)}`**\n\n{_markdown(ast.get_docstring(node) or '')}"
    wait = "await " if isinstance(node, ast.AsyncFunctionDef) else ""
    shown = _signature(f"{wait}.{node.name}", _arguments(node.args), _returns(node))
    named = f"**`{shown}`**\n" if "\n" not in shown else f"**`{wait}.{node.name}`**\n\n{_code(shown)}"
    return f"{named}\n{_markdown(ast.get_docstring(node) or '')}"


def _code(text: str, language: str = "text") -> str:
    return f"```{language}\n{text}\n```\n"


def _markdown(docstring: str) -> str:
    """Return a docstring as Markdown: sections become lists, examples become blocks."""
    parts = []
    for paragraph in re.split(r"\n\s*\n", docstring.strip()):
        head, _, rest = paragraph.partition("\n")
        if head in _SECTIONS:
            parts.append(f"{_SECTIONS[head]}\n\n{_list(rest)}")
        elif head.startswith(">>> "):
            parts.append(_code(paragraph, "pycon"))
        elif paragraph:
            parts.append(f"{paragraph}\n")
    return "\n".join(parts)


def _list(section: str) -> str:
    """Return `name: what it is` lines, each with its indented continuation, as a list."""
    indent = len(section) - len(section.lstrip())
    entries = re.split(rf"\n(?= {{{indent}}}\S)", section)
    split = [_joined(entry).partition(": ") for entry in entries]
    return "".join(f"- `{name}`: {what}\n" for name, _, what in split)


def _joined(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
