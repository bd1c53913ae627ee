"""Text and JSON within bounds, in the encodings that say what they are, and no key twice."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from momentum_opt.reading import UnreadableError, decode, parse_json, read_json_file, read_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_json_is_read_as_json(value: Any):
    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"a": 1, "a": 2}', "a"),
        ('{"a": 1, "b": {"c": [0, {"d": 1, "d": 1}]}}', "b.c.1.d"),
        ('[{"a": {}}, {"a": {}, "a": {}}]', "1.a"),
        ('{"a": {"x": 1, "x": 2}, "a": 3}', "x"),
        ('{"k\\u0061": 1, "ka": 2}', "ka"),
    ],
)
def test_a_key_twice(text: str, name: str):
    with pytest.raises(UnreadableError, match=rf"^{name} is given twice: keep one of them$"):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Expecting value: line 1"),
        ("{", "line 1"),
        ("[" * 100_000, "nested too deep: more than 100 levels"),
        ("[" * 101 + "]" * 101, "nested too deep: more than 100 levels"),
        ("9" * 5000, "a whole number of more than 4,300 digits"),
        ("[" + "1," * 250_001 + "1]", "holds more than 250,000 values"),
    ],
)
def test_what_is_refused(text: str, said: str):
    with pytest.raises(UnreadableError, match=said):
        parse_json(text)


def test_a_hundred_levels_are_read():
    assert parse_json("[" * 100 + "]" * 100)


def test_the_line_of_a_mistake_is_known():
    with pytest.raises(UnreadableError) as caught:
        parse_json('{"a": 1,\n"b" 2}')
    assert caught.value.line == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings(encoding: str):
    assert decode("a: é\r\nb: 2\rc\n".encode(encoding)) == "a: é\nb: 2\nc\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a\né".encode("latin-1"), "not UTF-8: byte 0xe9 in line 2"),
        ("a".encode("utf-16-le"), "holds zero bytes"),
        (b"\xff\xfea", "not UTF-16: truncated data"),
    ],
)
def test_what_is_no_text(content: bytes, said: str):
    with pytest.raises(UnreadableError, match=said):
        decode(content)


def test_a_file_is_read_up_to_its_bound(tmp_path: Path):
    file = tmp_path / "text"
    file.write_bytes(b"a" * 1025)
    assert len(read_text(file, 1025)) == 1025
    with pytest.raises(UnreadableError, match="larger than 1 KiB"):
        read_text(file, 1024)
    with pytest.raises(UnreadableError, match="larger than 16 MiB"):
        read_json_file(Path("/dev/zero"))
