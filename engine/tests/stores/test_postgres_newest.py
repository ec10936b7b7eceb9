"""The versions that a PostgreSQL store remembers."""

from __future__ import annotations

from rochallor.stores.postgres import newest
from rochallor.stores.postgres.newest import Newest


def test_what_was_seen_is_recalled_until_it_is_forgotten():
    """A definition without a version is never remembered: it may have one the next time."""
    versions = Newest()
    assert versions.seen([("a", 1), ("b", 2), ("c", None)]) == {"a": 1, "b": 2}
    assert versions.recall({"a", "b", "c"}) == {"a": 1, "b": 2}
    versions.forget(["b", "never seen"])
    assert versions.recall({"a", "b"}) == {"a": 1}


def test_it_does_not_grow_for_ever(monkeypatch):
    """Clients think up the ids."""
    monkeypatch.setattr(newest, "MOST", 2)
    versions = Newest()
    for name in "abc":
        versions.seen([(name, 1)])
    assert versions.recall({"a", "b", "c"}) == {"c": 1}
