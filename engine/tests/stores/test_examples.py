"""The examples in the docstrings of the stores."""

from __future__ import annotations

import doctest

import pytest
from rochallor.stores import handout
from rochallor.stores.postgres import arrays


@pytest.mark.parametrize("module", [handout, arrays], ids=lambda module: module.__name__)
def test_what_a_docstring_shows_is_what_happens(module):
    """Each module that shows an example has at least one, and it runs."""
    done = doctest.testmod(module)
    assert (done.failed, done.attempted > 0) == (0, True)
