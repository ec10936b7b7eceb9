"""Struct to JSON and back."""

from __future__ import annotations

import json
import math

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st
from rochallor.core.errors import BadRequest
from rochallor.core.variables import normalise
from rochallor.transports.grpc.struct_json import MAX_LEVELS, fill_struct, fill_value, struct_to_json
from rochallor_proto import engine_pb2 as pb

EXACT = 2**53 - 1
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-EXACT, EXACT) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def over_the_wire(raw: bytes) -> Struct:
    struct = Struct()
    fill_struct(struct, raw)
    return Struct.FromString(struct.SerializeToString())


def nested(levels: int) -> dict:
    value: object = 1
    for _ in range(levels - 1):
        value = {"a": value}
    return {"a": value}


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_what_goes_out_comes_back(variables):
    """Every JSON value within a double's range survives, in the engine's own spelling of numbers."""
    returned = json.loads(struct_to_json(over_the_wire(json.dumps(variables).encode())))
    assert returned == normalise(variables)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_have_one_spelling(number):
    """A double comes in exactly as the same number of a JSON body would."""
    struct = Struct()
    struct.fields["n"].number_value = number
    returned = json.loads(struct_to_json(struct))["n"]
    assert (returned, type(returned)) == (normalise(number), type(normalise(number)))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(number):
    """The pointer leads to the value."""
    struct = Struct()
    fill_struct(struct, b'{"a":[0,{"~":0}]}')
    struct.fields["a"].list_value.values[1].struct_value.fields["~"].number_value = number
    with pytest.raises(BadRequest) as caught:
        struct_to_json(struct, "/variables")
    assert caught.value.details[0].pointer == "/variables/a/1/~0"


def test_the_deepest_answers_pass_a_protobuf_parser():
    """The level limit is below the parser's own even where a Struct or Value sits deepest in a message."""
    history, definition = pb.GetInstanceHistoryResponse(), pb.GetDefinitionResponse()
    fill_struct(history.executions.add().output, json.dumps(nested(200)).encode())
    rule = definition.definition.steps.add().decision_table.rules.add()
    fill_value(rule.outputs["a"], nested(200))
    for message in (history, definition):
        assert type(message).FromString(message.SerializeToString()) == message


@pytest.mark.parametrize("wrap", [lambda value: {"a": value}, lambda value: [value]], ids=["objects", "lists"])
def test_deeper_objects_are_refused(wrap):
    """Nesting has a limit of its own, whatever the parser lets through."""
    value: object = {}
    for _ in range(MAX_LEVELS):
        value = wrap(value)
    struct = Struct()
    target = struct.fields["a"]
    _fill(target, value)
    with pytest.raises(BadRequest, match="levels deep"):
        struct_to_json(struct)


def _fill(target, value):
    while value:
        if isinstance(value, list):
            target, value = target.list_value.values.add(), value[0]
        else:
            target, value = target.struct_value.fields["a"], value["a"]
    target.struct_value.SetInParent()


def test_answers_too_deep_for_protobuf_still_leave():
    """An answer is about something already committed: its deepest part becomes text instead of an error."""
    value = over_the_wire(json.dumps(nested(150)).encode()).fields["a"]
    while value.WhichOneof("kind") == "struct_value":
        value = value.struct_value.fields["a"]
    assert json.loads(value.string_value) == nested(150 - MAX_LEVELS - 1)


def test_integers_beyond_a_double_still_leave():
    """A number that no double holds travels as its digits."""
    struct = over_the_wire(b'{"n":1' + b"0" * 400 + b"}")
    assert struct["n"] == "1" + "0" * 400


def test_an_empty_object_is_present():
    """Empty and absent differ."""
    holder = Struct()
    fill_struct(holder.fields["a"].struct_value, b"{}")
    assert struct_to_json(holder) == b'{"a":{}}'
