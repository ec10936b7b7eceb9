"""What expressions mean: references, literals, operators, functions, and the API around them."""

import pytest
from rochallor.core.expressions import Expression, compile_expression

NOW_MS = 1_700_000_000_999
VARIABLES: dict[str, object] = {
    "amount": 1500,
    "rate": 0.25,
    "status": "ok",
    "approved": True,
    "nothing": None,
    "in": "a variable named like the operator",
    "größe": 7,
    "tags": ["vip", 1, True, [1, {"a": 2}]],
    "applicant": {"name": "Ada", "age": 36, "odd key": 1, "in": 2, "null": 3, "address": {"lines": ["x", "y"]}},
}


def evaluate(source: str, variables: dict[str, object] | None = None) -> object:
    return compile_expression(source).evaluate(VARIABLES if variables is None else variables, NOW_MS)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("amount", 1500),
        ("#amount", 1500),
        ("${amount}", 1500),
        ("${ #amount }", 1500),
        ("${${amount}}", 1500),
        ("#amount + ${amount} + amount", 4500),
        ("größe", 7),
        ("#in", VARIABLES["in"]),
        ("applicant.name", "Ada"),
        ("#applicant.name", "Ada"),
        ("${applicant}.name", "Ada"),
        ("${applicant.name}", "Ada"),
        ("applicant . name", "Ada"),
        ("applicant.in", 2),
        ("applicant.null", 3),
        ("applicant['odd key']", 1),
        ('applicant["odd key"]', 1),
        ("applicant.address.lines[1]", "y"),
        ("applicant['address']['lines'][0]", "x"),
        ("tags[amount - 1500]", "vip"),
        ("tags[2 / 2]", 1),
        ("[1, 2, 3][1]", 2),
        ("tags[3][1].a", 2),
        ("index", "a name may begin like a word"),
    ],
)
def test_every_way_to_write_a_reference_reads_the_same_value(source, value):
    """`name`, `#name` and `${name}` are one reference, and paths reach into objects and lists."""
    variables = {**VARIABLES, "index": "a name may begin like a word"}
    assert evaluate(source, variables) == value


@pytest.mark.parametrize(
    "source",
    [
        "applicant.missing",
        "applicant['missing']",
        "applicant.missing.deeper[0]",
        "nothing.anything",
        "nothing[0]",
        "tags[99]",
        "tags[-1]",
        "applicant.address.lines[2]",
    ],
)
def test_what_is_not_there_inside_a_defined_variable_is_null(source):
    """A missing key, an index outside the list and anything inside null are null, not errors."""
    assert evaluate(source) is None


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("42", 42),
        ("007", 7),
        ("9007199254740993", 9007199254740993),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("2.5E-1", 0.25),
        ("true", True),
        ("false", False),
        ("null", None),
        ("''", ""),
        ("'single'", "single"),
        ('"double"', "double"),
        ("'it\\'s'", "it's"),
        ('"say \\"hi\\""', 'say "hi"'),
        (r"'a\\b\/c\n\t\r\b\f'", "a\\b/c\n\t\r\b\f"),
        (r"'\u00e9'", "é"),
        (r"'\ud83d\ude00'", "😀"),
        ("'😀 \ufeff'", "😀 \ufeff"),
        ("'two\nlines'", "two\nlines"),
        ("'#amount ${amount} amount }'", "#amount ${amount} amount }"),
        ("[]", []),
        ("[1, 'two', [3, amount], null]", [1, "two", [3, 1500], None]),
        (" \n\t1\r\n ", 1),
    ],
)
def test_a_literal_means_what_it_says(source, value):
    """Literals give their value with its type; nothing is rewritten inside a string."""
    result = evaluate(source)
    assert (type(result), result) == (type(value), value)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("1 + 2", 3),
        ("'a' + 'b'", "ab"),
        ("'a' + 'b' + status", "abok"),
        ("10 - 2 - 3", 5),
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("7 / 2", 3.5),
        ("4 / 2", 2.0),
        ("7 % 3", 1),
        ("-7 % 3", -1),
        ("7 % -3", 1),
        ("-7.5 % 2", -1.5),
        ("--3", 3),
        ("-amount * 2", -3000),
        ("9007199254740993 * 9007199254740993", 9007199254740993**2),
        ("0.1 + 0.2", 0.1 + 0.2),
    ],
)
def test_arithmetic(source, value):
    """Integers stay exact, division is real, a remainder has the sign of its dividend."""
    result = evaluate(source)
    assert (type(result), result) == (type(value), value)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("1 == 1.0", True),
        ("1 != 1.0", False),
        ("9007199254740993 == 9007199254740992.0", False),
        ("1 == true", False),
        ("0 == false", False),
        ("true == true", True),
        ("1 == '1'", False),
        ("null == null", True),
        ("null == 0", False),
        ("[1, 2] == [1.0, 2]", True),
        ("[1] == [true]", False),
        ("[] == null", False),
        ("applicant == applicant", True),
        ("tags[3][1] == applicant", False),
        ("1 < 2", True),
        ("2 <= 2.0", True),
        ("'b' > 'a'", True),
        ("'a' >= 'b'", False),
        ("1 < 2 == true", True),
        ("1 == 1 == true", True),
    ],
)
def test_comparison(source, value):
    """Numbers compare by value, a boolean is no number, and values of different types are never equal."""
    assert evaluate(source) is value


def test_objects_are_equal_by_their_content():
    """Equality of objects is deep and keeps booleans and numbers apart."""
    left: dict[str, object] = {"a": [1, {"b": True}]}
    compare = compile_expression("x == y").evaluate
    assert compare({"x": left, "y": {"a": [1.0, {"b": True}]}}, 0) is True
    assert compare({"x": left, "y": {"a": [1, {"b": 1}]}}, 0) is False
    assert compare({"x": left, "y": {"a": [1, {"c": True}]}}, 0) is False


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("'vip' in tags", True),
        ("'x' in tags", False),
        ("1 in [true]", False),
        ("1 in [true, 1.0]", True),
        ("'d' in 'Ada'", True),
        ("'name' in applicant", True),
        ("'Ada' in applicant", False),
        ("'vip' not in tags", False),
        ("'x' not  \n in tags", True),
        ("#in not in tags", True),
        ("1 + 1 in [2]", True),
        ("1 in [2] == false", True),
        ("[1, 2] in [[1, 2]]", True),
    ],
)
def test_membership(source, value):
    """`in` looks for an element of a list, a part of a string, a key of an object."""
    assert evaluate(source) is value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("true && false", False),
        ("true && true", True),
        ("true && true && false", False),
        ("true && true && true", True),
        ("false || true", True),
        ("false || false", False),
        ("false || false || true", True),
        ("true || false && false", True),
        ("!approved", False),
        ("!!approved", True),
        ("!approved == false", True),
        ("false && 1 / 0 == 1", False),
        ("true || 1 / 0 == 1", True),
        ("true ? 1 : 1 / 0", 1),
        ("false ? 1 / 0 : 2", 2),
        ("false ? 1 : true ? 2 : 3", 2),
        ("false ? 1 : false ? 2 : 3", 3),
        ("true ? false ? 1 : 2 : 3", 2),
        ("null ?? 1", 1),
        ("status ?? 'x'", "ok"),
        ("applicant.name ?? 'x'", "Ada"),
        ("0 ?? 1", 0),
        ("false ?? true", False),
        ("nothing ?? applicant.missing ?? 'end'", "end"),
        ("'x' ?? 1 / 0", "x"),
        ("nothing ?? false || true", True),
    ],
)
def test_control_flow(source, value):
    """Logic, `? :` and `??` evaluate only what they need, with the precedence of the reference."""
    assert evaluate(source) == value


@pytest.mark.parametrize(
    "source",
    [
        "absent ?? 1",
        "#absent ?? 1",
        "${absent} ?? 1",
        "(absent) ?? 1",
        "absent.a.b ?? 1",
        "absent[0]['x'] ?? 1",
        "(absent.a).b ?? 1",
        "${absent}.a ?? 1",
        "absent ?? other ?? 1",
        "nothing ?? (absent ?? 1)",
    ],
)
def test_the_left_side_of_a_default_may_be_undefined(source):
    """`??` forgives an undefined variable that is its left side, also at the start of a path."""
    assert evaluate(source) == 1


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("contains(tags, 'vip')", True),
        ("contains('Ada', 'x')", False),
        ("contains(applicant, 'age')", True),
        ("len('größe')", 5),
        ("len('😀')", 1),
        ("len(tags)", 4),
        ("len(applicant.address)", 1),
        ("startsWith('order-7', 'order')", True),
        ("startsWith('order-7', '7')", False),
        ("endsWith('order-7', '7')", True),
        ("lower('ÄB')", "äb"),
        ("upper('äb')", "ÄB"),
        ("trim('  x \n')", "x"),
        ("abs(-3)", 3),
        ("abs(-0.5)", 0.5),
        ("min(3, 1, 2)", 1),
        ("min([3, 1.5])", 1.5),
        ("max(3, 1, 2)", 3),
        ("max([3])", 3),
        ("max(4)", 4),
        ("round(2.5)", 3),
        ("round(3.5)", 4),
        ("round(-2.5)", -3),
        ("round(-2.4)", -2),
        ("round(2.4)", 2),
        ("round(0.49999999999999994)", 0),
        ("round(7)", 7),
        ("floor(-1.5)", -2),
        ("ceil(-1.5)", -1),
        ("floor(2)", 2),
        ("now()", "2023-11-14T22:13:20Z"),
        ("len(now()) == 20", True),
        ("len([contains(tags, 'vip'), now()])", 2),
    ],
)
def test_functions(source, value):
    """Each function of the table computes what the reference says."""
    result = evaluate(source)
    assert (type(result), result) == (type(value), value)


def test_a_function_name_is_free_as_a_variable():
    """Only a name followed by a parenthesis is a call."""
    assert evaluate("len + now", {"len": 1, "now": 2}) == 3


def test_an_expression_tells_its_source_and_the_variables_it_reads():
    """`names` has every root variable, forgiven or not, and neither fields nor functions."""
    expression = compile_expression("len(#a.b) + ${c}[d] + (e ?? 0)")
    assert expression.names == frozenset("acde")
    assert expression.source == "len(#a.b) + ${c}[d] + (e ?? 0)"
    assert repr(expression) == "Expression('len(#a.b) + ${c}[d] + (e ?? 0)')"


def test_compiling_the_same_text_again_costs_nothing():
    """Compiled expressions are cached by text and coercion."""
    first = compile_expression("1 + cached")
    assert compile_expression("1 + cached") is first
    assert compile_expression("1 + cached", coercion=True) is not first


def test_evaluating_reads_each_needed_variable_and_no_other():
    """Variables are decoded on demand, so an expression must not touch what it does not need."""

    class Counting(dict[str, object]):
        reads: tuple[str, ...] = ()

        def __getitem__(self, key):
            self.reads += (key,)
            return super().__getitem__(key)

    variables = Counting(a=True, b=False, c=1)
    assert compile_expression("a || b").evaluate(variables, 0) is True
    assert variables.reads == ("a",)


def test_a_list_literal_is_new_each_time():
    """What a caller does to a result does not change the expression."""
    expression = compile_expression("[1, 2]")
    result = expression.evaluate({}, 0)
    assert isinstance(result, list)
    result.append(3)
    assert expression.evaluate({}, 0) == [1, 2]


def test_a_condition_holds_or_not():
    """`holds` gives the boolean of a condition."""
    assert compile_expression("1 < 2").holds({}, 0) is True
    assert Expression("flag", coercion=True).holds({"flag": "false"}, 0) is False
