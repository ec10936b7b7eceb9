"""Schemas of inputs and outputs: strict types, nothing converted."""

import pytest
from rochallor.core.io_schema import IoSchema, parse_io_schema


def schema(kind, *, required=False):
    return IoSchema({"a": kind}, ("a",) if required else ())


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("string", ""),
        ("number", 1),
        ("number", 1.5),
        ("integer", -3),
        ("integer", 3.0),
        ("integer", 10**40),
        ("boolean", False),
    ],
)
def test_a_value_of_the_type_passes(kind, value):
    """Values of the stated type fit."""
    assert schema(kind, required=True).check({"a": value}) == []


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        ("string", 1, "a number"),
        ("number", "10", "a string"),
        ("number", True, "a boolean"),
        ("integer", 1.5, "a number"),
        ("integer", float("inf"), "a number"),
        ("integer", False, "a boolean"),
        ("boolean", "true", "a string"),
        ("boolean", 1, "a number"),
        ("string", [], "a list"),
        ("string", {}, "an object"),
    ],
)
def test_a_value_of_another_type_is_a_violation(kind, value, told, sentences):
    """Nothing is converted, and the sentence says what was met."""
    (sentence,) = schema(kind).check({"a": value})
    sentences("violation", f"{value!r} for {kind}", sentence)
    assert told in sentence
    assert kind in sentence


def test_null_passes_unless_required():
    """An optional property may be null; a required one may not."""
    assert schema("string").check({"a": None}) == []
    (sentence,) = schema("string", required=True).check({"a": None})
    assert "null" in sentence


def test_a_property_may_be_missing_unless_required():
    """A required property must be there."""
    assert schema("string").check({}) == []
    (sentence,) = schema("string", required=True).check({})
    assert "'a' is required" in sentence


def test_other_variables_pass():
    """Variables the schema does not name are nobody's business."""
    assert schema("string").check({"a": "x", "b": object()}) == []


def test_all_violations_are_told():
    """One sentence per property that does not fit."""
    both = IoSchema({"a": "string", "b": "number"}, ("b",))
    assert len(both.check({"a": 1})) == 2


def test_a_schema_is_read():
    """Properties and required names are read from JSON; a name required twice counts once."""
    document = {"properties": {"a": {"type": "string"}}, "required": ["a", "a"]}
    assert parse_io_schema(document) == (IoSchema({"a": "string"}, ("a",)), [])


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({}, ("properties",)),
        ({"properties": {}}, ("properties",)),
        ({"properties": ["a"]}, ("properties",)),
        ({"properties": {"a": "string"}}, ("properties", "a")),
        ({"properties": {"a": {}}}, ("properties", "a", "type")),
        ({"properties": {"a": {"type": ["string"]}}}, ("properties", "a", "type")),
        ({"properties": {"a": {"type": "string", "format": "date"}}}, ("properties", "a", "format")),
        ({"properties": {"a": {"type": "string"}}, "required": "a"}, ("required",)),
        ({"properties": {"a": {"type": "string"}}, "required": ["b"]}, ("required", 0)),
        ({"properties": {"a": {"type": "string"}}, "required": [[]]}, ("required", 0)),
        ({"properties": {"a": {"type": "string"}}, "additionalProperties": False}, ("additionalProperties",)),
    ],
)
def test_a_faulty_schema_is_refused_where_it_is_faulty(document, path, sentences):
    """Each fault of a schema is told with the keys that lead to it."""
    read, problems = parse_io_schema(document)
    sentences("schema", repr(document), [problem.message for problem in problems])
    assert read is None
    assert [problem.path for problem in problems] == [path]
