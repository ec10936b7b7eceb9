"""Judging an engine: where it is, what it can do, and how one case is played against it."""
