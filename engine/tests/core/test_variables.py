"""The variable map: what may enter, how numbers are spelled, what it costs, and how it is read."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from rochallor.core.errors import BadRequest, PayloadTooLarge
from rochallor.core.variables import (
    EXACT_DOUBLE,
    View,
    check_size,
    encode_variables,
    normalise,
    parse_variables,
    raw_of,
    size_of,
)


def texts(raw):
    """Return each variable's JSON text."""
    return {name: bytes(value).decode() for name, value in parse_variables(raw).items()}


@pytest.mark.parametrize("raw", [None, b"", b"null", b" null\n", b"\n", b"{}", b" { } "])
def test_no_variables(raw):
    """Nothing, null and the empty object are no variables; white space around them does not matter."""
    assert parse_variables(raw) == {}


@pytest.mark.parametrize("kind", [bytes, Raw, memoryview])
def test_kinds_of_bytes(kind):
    """Variables may come as bytes, as raw JSON of an outer document, or as a view of a buffer."""
    assert parse_variables(kind(b'{"x":1}')) == {"x": Raw(b"1")}


def test_values_are_kept_as_they_came():
    """A value that needs no care keeps its very text, order and spelling; null is a value."""
    assert texts(b'{"b": {"z":1,  "a":[true]}, "a": null}') == {"b": '{"z":1,  "a":[true]}', "a": "null"}


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        ("10.0", "10"),
        ("1e2", "100"),
        ("1E2", "100"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("-3.0", "-3"),
        ("2.5", "2.5"),
        ("9007199254740991.0", "9007199254740991"),
        ("9007199254740992.0", "9007199254740992.0"),
        ("-9007199254740992.0", "-9007199254740992.0"),
        ("1e300", "1e300"),
        ("9007199254740993", "9007199254740993"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("[1.0,[2.0]]", "[1,[2]]"),
        ('{"x":{"y":1.0}}', '{"x":{"y":1}}'),
        ('"1.0"', '"1.0"'),
    ],
)
def test_numbers_have_one_spelling(given_text, kept):
    """A whole double below 2^53 is an integer, at any depth; larger ones and real integers stay exactly as they are."""
    assert texts(f'{{"x":{given_text}}}'.encode()) == {"x": kept}


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b"1",
        b'"x"',
        b"{",
        b'{"x":NaN}',
        b'{"x":Infinity}',
        b'{"x":1e400}',
        b'{"x":-1e400}',
        b'{"x":' + b"9" * 5000 + b"}",
        b'{"x":"\\ud800"}',
        b'{"x":"\\uDC00"}',
        b'{"x":"\xff"}',
        b'{"\xff":1}',
        b'{"x":01}',
        b"{'x':1}",
        b'{"x":1} 2',
    ],
)
def test_what_is_refused(raw):
    """What is no JSON object, or holds what JSON cannot carry exactly, is a bad request that says so."""
    with pytest.raises(BadRequest, match=r"^variables (must be a JSON object|cannot be read): "):
        parse_variables(raw)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"[1]", "must be a JSON object: Expected `object`, got `array`"),
        (b'{"x":[1e999]}', "cannot be read: Number out of range - at `$[0]`"),
        (
            b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            "cannot be read: they are nested deeper than 200 levels; flatten them",
        ),
    ],
)
def test_refusal_says_why(raw, why):
    """A refusal says what is wrong and where."""
    with pytest.raises(BadRequest) as caught:
        parse_variables(raw)
    assert caught.value.message == f"variables {why}"


def test_refusal_names_the_place():
    """A refusal says where in the request the variables were."""
    with pytest.raises(BadRequest, match=r"^variables at /result must be a JSON object"):
        parse_variables(b"[]", pointer="/result")
    with pytest.raises(BadRequest, match=r"^variables at /result are nested deeper than 200 levels; flatten them"):
        parse_variables(b'{"x":' + b"[" * 200 + b"]" * 200 + b"}", pointer="/result")


@pytest.mark.parametrize("core", [b"[]", b"{}", b"[1]", b'{"y":1}'])
@pytest.mark.parametrize(("left", "right"), [(b"[", b"]"), (b'{"y":', b"}")])
def test_depth(left, right, core):
    """Values may be nested 200 levels deep, the map included, and no deeper, however many brackets there are."""
    parse_variables(b'{"text":"[[[","x":' + left * 198 + core + right * 198 + b"}")
    with pytest.raises(BadRequest, match="deeper than 200 levels"):
        parse_variables(b'{"x":' + left * 199 + core + right * 199 + b"}")


def test_brackets_side_by_side_are_not_depth():
    """Many brackets beside each other, or inside a text, are not nested."""
    wide = json.dumps({"x": [[]] * 500, "text": "[" * 500, "empty": [{}, []]}).encode()
    assert len(View(parse_variables(wide))["x"]) == 500


def test_surrogate_pair_is_one_character():
    """Both halves of a pair are the character they mean."""
    assert View(parse_variables(b'{"x":"\\ud83d\\ude00"}'))["x"] == "😀"


def test_computed_values_are_spelled_alike():
    """A computed whole double is stored as the integer it is."""
    assert bytes(raw_of({"x": [2.0, 2.5, True, None]})) == b'{"x":[2,2.5,true,null]}'


def test_exact_doubles():
    """The limit of exactness is 2^53: the last whole double that no other integer is rounded to."""
    assert EXACT_DOUBLE == 2**53
    assert type(normalise(float(2**53 - 1))) is int
    assert type(normalise(float(2**53))) is float


def test_size():
    """The size of a map is about that of its JSON: exactly, when it is written without blanks, but for one comma."""
    variables = parse_variables(b'{"name":"value","n":1}')
    assert size_of(variables) == len(encode_variables(variables)) + 1
    assert size_of({}) == 2


def test_size_limit():
    """A map of exactly the limit passes, one byte less is refused with size and limit."""
    variables = parse_variables(b'{"x":1}')
    check_size(variables, 8)
    with pytest.raises(PayloadTooLarge, match=r"^VariablesTooLarge: the variables take 8 bytes, the limit is 7; keep"):
        check_size(variables, 7)


def test_view_is_a_mapping():
    """A view has the names of its map, in order, and decodes each value."""
    view = View(parse_variables(b'{"b":[1],"a":"x"}'))
    assert dict(view) == {"b": [1], "a": "x"}
    assert list(view) == ["b", "a"]
    assert len(view) == 2
    assert "a" in view
    assert "c" not in view
    with pytest.raises(KeyError):
        view["c"]


def test_view_decodes_once():
    """Reading a name twice gives the same object."""
    view = View(parse_variables(b'{"x":[1]}'))
    assert view["x"] is view["x"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), json_values))
@settings(derandomize=True, max_examples=200, database=None, deadline=None)
def test_whatever_enters_means_the_same(variables):
    """Any JSON map comes back with equal values, and what is stored stays the same when it enters again."""
    stored = encode_variables(parse_variables(json.dumps(variables).encode()))
    assert json.loads(stored) == variables
    assert encode_variables(parse_variables(stored)) == stored
