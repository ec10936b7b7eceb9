"""The matchers, one row each."""

from __future__ import annotations

import pytest
from rochallor_conformance.cases.matchers import ABSENT, MATCHERS, matches, mismatches

ULID = "01JD5Q8ZK3M4N5P6R7S8T9V0WX"

ROWS = [
    # expected, what matches, what does not
    ({"a": 1}, {"a": 1, "b": 2}, {"a": 2}),
    ({"a": {"b": None}}, {"a": {"b": None}}, {"a": {}}),
    ([1, {"a": 2}], [1, {"a": 2, "b": 3}], [1]),
    (10, 10.0, True),
    (True, True, 1),
    ({"$any": True}, None, ABSENT),
    ({"a": {"$absent": True}}, {}, {"a": None}),
    ({"$not": "x"}, "y", "x"),
    ({"$type": "integer"}, 3, 3.5),
    ({"$type": "number"}, 3.5, True),
    ({"$type": "null"}, None, ABSENT),
    ({"$regex": "^a+$"}, "aa", "ab"),
    ({"$ulid": True}, ULID, ULID.lower()),
    ({"$rfc3339": True}, "2026-11-20T09:00:00.000Z", "2026-11-20T09:00:00+01:00"),
    ({"$between": [1, 3]}, 3, 4),
    ({"$between": [0, 1]}, 1, True),
    ({"$contains": "bc"}, "abcd", "acbd"),
    ({"$contains": [{"a": 1}, {"a": 2}]}, [{"a": 2}, {"a": 1, "b": 0}, {}], [{"a": 1}]),
    ({"$unordered": [1, {"$type": "string"}]}, ["x", 1], [1, 1]),
    ({"$unordered": []}, [], [1]),
    ({"$keys": ["b", "a"]}, {"b": 1, "a": 2}, {"a": 2, "b": 1}),
    ({"$exact": {"a": 1}}, {"a": 1}, {"a": 1, "b": 2}),
    ({"$exact": 10}, 10, 10.0),
    ({"$exact": []}, [], None),
    ({"$one_of": [1, {"$type": "string"}]}, "x", 2),
    ({"$type": "string", "$not": "x"}, "y", "x"),
]


@pytest.mark.parametrize(("expected", "good", "bad"), ROWS)
def test_a_matcher_tells_right_from_wrong(expected, good, bad) -> None:
    """Each row matches its second value and does not match its third."""
    assert matches(expected, good)
    assert not matches(expected, bad)


def test_every_matcher_has_a_row() -> None:
    """No matcher goes untested; $ref is replaced before matching."""
    used = {key for expected, _, _ in ROWS for key in _keys(expected)}
    assert used == MATCHERS.keys() - {"$ref"}


def test_a_mismatch_says_where() -> None:
    """The pointer leads to the value that differs."""
    [found] = mismatches({"items": [{"a": 1}]}, {"items": [{"a": 2}]})
    assert str(found) == "/items/0/a: expected 1, got 2"


def test_an_unknown_matcher_is_an_error() -> None:
    """A typing error in a matcher can never pass as a match."""
    with pytest.raises(ValueError, match=r"there is no matcher \$contain;"):
        matches({"$contain": 1}, [1])


def _keys(expected):
    if isinstance(expected, dict):
        for key, value in expected.items():
            if key.startswith("$"):
                yield key
            yield from _keys(value)
    elif isinstance(expected, list):
        for value in expected:
            yield from _keys(value)
