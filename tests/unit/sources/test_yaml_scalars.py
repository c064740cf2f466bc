"""Scalars mean what kubectl takes them for.

The expected values are what sigs.k8s.io/yaml v1.6.0 (YAMLToJSON) answers, read back from its JSON.
"""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casemate.errors import InputError
from casemate.sources import scalars
from casemate.sources.files import load
from casemate.sources.parse import parse

BOOLEANS = [(word, True) for word in ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"]] + [
    (word, False) for word in ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"]
]
NULLS = [(word, None) for word in ("", "~", "null", "Null", "NULL")]
NUMBERS = [
    ("0", 0),
    ("-0", 0),
    ("+5", 5),
    ("1_000", 1000),
    ("0777", 511),
    ("0o17", 15),
    ("0x1F", 31),
    ("0b11", 3),
    ("-0b11", -3),
    ("08", 8),
    ("1e3", 1000),
    ("2.0", 2),
    ("1.10", 1.1),
    (".5", 0.5),
    ("1.", 1),
    ("18446744073709551615", 18446744073709551615),
    ("18446744073709551616", 18446744073709552000),
    ("-9223372036854775808", -9223372036854775808),
]
STRINGS = ["1:30", "190:20:30", "2001-01-01", "2001-12-14t21:59:43.10-05:00", "1e999", "0xffffffffffffffffff", "yEs"]
STRINGS += [
    "truE",
    "tRUE",
    "nan",
    "inf",
    "1.2.3",
    "0x",
    "0b2",
    "1__",
    "-",
    "+",
    ".",
    "<<",
    "=",
    "500m",
    "1Gi",
    "9" * 500,
]


@pytest.mark.parametrize(("text", "value"), BOOLEANS + NULLS + NUMBERS)
def test_a_plain_scalar_has_kubectls_value(text, value):
    found = scalars.plain(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", [each for each in STRINGS if each != "1__"])
def test_what_is_no_number_for_kubectl_is_a_string(text):
    assert scalars.plain(text) == text


@pytest.mark.parametrize("text", [".inf", "+.Inf", "-.INF", ".nan", ".NaN"])
def test_what_json_cannot_say_is_an_error(text):
    with pytest.raises(ValueError, match=r"\."):
        scalars.plain(text)


@given(st.text(max_size=30))
def test_no_text_breaks_the_resolver(text):
    try:
        value = scalars.plain(text)
    except ValueError:
        assert text in scalars.NOT_IN_JSON
    else:
        assert value is None or isinstance(value, bool | int | float | str)


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_64_bit_integer_is_itself(number):
    assert scalars.plain(str(number)) == number


KEYS = [("on: 1", {"true": 1}), ("1: 2", {"1": 2}), ("1.5: 3", {"1.5": 3}), ("n: 1", {"false": 1}), ("08: 1", {"8": 1})]


@pytest.mark.parametrize(("text", "value"), KEYS)
def test_a_scalar_key_becomes_the_string_that_kubectl_makes_of_it(text, value):
    documents, problems = parse(text.encode(), "f")
    assert not problems
    assert documents[0].value == value


READINGS = [
    ("a: 'yes'", {"a": "yes"}),
    ("a: !!str 5", {"a": "5"}),
    ('a: !!int "5"', {"a": 5}),
    ("a: ! 5", {"a": "5"}),
    ("a: !!float 5", {"a": 5}),
    ("<<: {a: 2, b: 3}\na: 1", {"a": 1, "b": 3}),
    ("<<: [{a: 2}, {a: 3, b: 4}]", {"a": 2, "b": 4}),
    ("'<<': x", {"<<": "x"}),
    ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
    ("&k a: 1\nb: *k", {"a": 1, "b": "a"}),
    ('{"a":\n\t{"b": "\\/"}}', {"a": {"b": "/"}}),
    (r'{"a": "\ud83d\ude00", "b": "\\ud83d\\ude00"}', {"a": "😀", "b": r"\ud83d\ude00"}),
    ("\ufeffa: 1", {"a": 1}),
    ("a: 1\r\nb: |\r\n  x\r\n", {"a": 1, "b": "x\n"}),
    ("%YAML 1.2\n---\na: 1", {"a": 1}),
]


@pytest.mark.parametrize(("text", "value"), READINGS)
def test_a_document_is_read_as_kubectl_reads_it(text, value):
    documents, problems = parse(text.encode(), "f")
    assert [str(each) for each in problems] == []
    assert [each.value for each in documents] == [value]


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data):
    parse(data, "f")


@given(st.text(alphabet="[]{}:,-?&*!|>'\"%@`#\n\t ab1<", max_size=80))
def test_no_yaml_punctuation_makes_an_object(text):
    with pytest.raises(InputError):
        load(["-"], io.BytesIO(text.encode()))
