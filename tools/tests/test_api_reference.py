"""How signatures and docstrings become the reference page."""

from __future__ import annotations

import textwrap

import pytest

from tools.api_reference import page


@pytest.fixture
def shown(tmp_path):
    """The page of one module with this source."""

    def shown(source: str) -> str:
        (tmp_path / "module.py").write_text(textwrap.dedent(source), encoding="utf-8")
        return page(["module"], tmp_path)

    return shown


def test_a_function_is_shown_as_it_is_called(shown):
    """Positional, keyword-only and collected arguments stand as they are written."""
    text = shown('def f(a: int, b: str = "", *, c: bool = False, **more: int) -> None:\n    """Do it."""\n')
    assert (
        '### `f`\n\n```text\nf(a: int, b: str = "", *, c: bool = False, **more: int) -> None\n```\n\nDo it.\n' in text
    )


def test_a_class_is_shown_as_it_is_made(shown):
    """A class has the arguments of its `__init__`, its public methods and properties, and no `self`."""
    text = shown('''
        class Door:
            """A door.

            Args:
                width: in metres,
                    0.8 or more.

            Raises:
                ValueError: too narrow.

            """

            def __init__(self, width: float) -> None: ...
            def open(self, *, wide: bool = True) -> bool:
                """Open it."""
            async def wait(self) -> None:
                """Wait for it."""
            @property
            def width(self) -> float:
                """How wide it is."""
            def _squeak(self) -> None:
                """Squeak."""
    ''')
    assert "```text\nDoor(width: float)\n```" in text
    assert "Arguments:\n\n- `width`: in metres, 0.8 or more.\n" in text
    assert "Raises:\n\n- `ValueError`: too narrow.\n" in text
    assert "**`.open(*, wide: bool = True) -> bool`**\n\nOpen it.\n" in text
    assert "**`await .wait() -> None`**" in text
    assert "**`.width -> float`**\n\nHow wide it is.\n" in text
    assert "queak" not in text


def test_a_dataclass_is_made_from_its_fields(shown):
    """Fields are arguments; made defaults are dots, and what is no default is not shown."""
    text = shown('''
        @dataclass(frozen=True)
        class Result:
            """A result."""

            status: str
            history: list = field(repr=False)
            notes: list = field(default_factory=list)
            late: bool = field(kw_only=True)
    ''')
    assert "Result(status: str, history: list, notes: list = ..., *, late: bool)" in text


def test_examples_are_blocks_and_bases_are_links(shown):
    """A doctest keeps its shape, and a class says what it is a kind of; what is not on the page is no link."""
    assert "A kind of `Error`." in shown('class Late(Error):\n    """Too late."""\n')
    text = shown('''
        class Error(Exception):
            """An error."""

        class Late(Error):
            """Too late.

            >>> 1 + 1
            2
            """
    ''')
    assert "A kind of [`Error`](#error).\n\nToo late.\n\n```pycon\n>>> 1 + 1\n2\n```\n" in text


def test_values_are_shown_and_what_is_private_is_not(shown):
    """Plain values are listed; other assignments only when words follow them."""
    text = shown('LIMIT = 3\n_HIDDEN = 4\nMADE = list()\nKind = dict\n"""What it is."""\n')
    assert "```text\nLIMIT = 3\n```" in text
    assert "### `Kind`\n\n```text\nKind = dict\n```\n\nWhat it is.\n" in text
    assert "HIDDEN" not in text
    assert "MADE" not in text


def test_a_package_shows_what_it_exports(tmp_path):
    """Names come from where they are defined, in the order of the alphabet; others stay out."""
    package = tmp_path / "package"
    package.mkdir()
    package.joinpath("__init__.py").write_text('from package.inner import b, A, c\n__all__ = ["b", "A"]\n')
    functions = (f'def {name}() -> None:\n    """Be {name}."""\n' for name in ("b", "A", "c"))
    package.joinpath("inner.py").write_text("".join(functions))
    text = page(["package"], tmp_path)
    assert text.index("Be A.") < text.index("Be b.")
    assert "Be c." not in text
