"""What is put into cases when they are played."""

from __future__ import annotations

import pytest
from rochallor_conformance.cases.placeholders import Unbound, with_bindings, with_namespace, with_variant


def test_the_namespace_stands_anywhere_in_a_text() -> None:
    """`${ns}` is replaced in values and keys; the engine's own expressions are left alone."""
    assert with_namespace({"a-${ns}": ["${ns}", "${amount}"]}, "x1") == {"a-x1": ["x1", "${amount}"]}


def test_a_reference_is_the_bound_value() -> None:
    """A {$ref} keeps the type of what was bound, and indexes lists by number."""
    bound = {"poll": {"jobs": [{"id": "j", "n": 7}]}}
    assert with_bindings({"id": {"$ref": "poll.jobs.0.n"}}, bound) == {"id": 7}


def test_a_variant_is_put_in() -> None:
    """A {$variant} is the variant's value."""
    assert with_variant([{"$variant": "a"}], {"id": "x", "a": {"b": 1}}) == [{"b": 1}]


def test_what_is_not_bound_is_said() -> None:
    """A path that leads nowhere names the part that is missing, and what there is."""
    with pytest.raises(Unbound, match=r"'jobs\.0\.id'.*'0' is not in a list of 0"):
        with_bindings({"$ref": "jobs.0.id"}, {"jobs": []})
