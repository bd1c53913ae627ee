"""Sound content in, damaged content out: what Hypothesis may do to a file, a text or a document."""

from typing import Any

from hypothesis import strategies as st

Value = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=8)
"""Anything that JSON or YAML can hold in one place."""

_PIECES = [",", ";", "\n", "\t", '"', "-", ".", "e", "0", "9", " ", "#", ":", "{", "}", "[", "]", "\0", "é", "nan",
           "inf", "1e999", "<", "&a", "*a", "!!", "<<", "|", "%", "1704067200000", "1704067200",
           "2024-01-01"]  # fmt: skip


@st.composite
def damaged_text(draw: st.DrawFn, sound: str) -> str:
    """A few pieces of the text cut out, doubled, swapped or replaced."""
    text = sound
    for _ in range(draw(st.integers(1, 4))):
        first = draw(st.integers(0, len(text)))
        last = draw(st.integers(first, min(len(text), first + draw(st.sampled_from([0, 1, 3, 20, 400])))))
        inserted = draw(st.sampled_from(["", text[first:last] * 2, *_PIECES]) | st.text(max_size=5))
        text = text[:first] + inserted + text[last:]
    return text


@st.composite
def damaged_bytes(draw: st.DrawFn, sound: bytes) -> bytes:
    """Some bytes replaced, cut out or put in, or the end missing."""
    content = bytearray(sound)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        length = draw(st.sampled_from([0, 1, 4, 64]))
        content[at : at + length] = draw(st.binary(max_size=max(length, 2)))
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.integers(0, 9)) == 0 else content)


@st.composite
def damaged_document(draw: st.DrawFn, sound: Any) -> Any:
    """The document with one to three places replaced, removed or put in."""
    document = sound
    for _ in range(draw(st.integers(1, 3))):
        document = _damaged_once(draw, document)
    return document


def _damaged_once(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict) and value and draw(st.integers(0, 9)):
        name = draw(st.sampled_from(sorted(value)))
        changed = dict(value)
        what = draw(st.integers(0, 9))
        if what == 0:
            del changed[name]
        elif what == 1:
            changed[draw(st.text(max_size=6))] = draw(Value)
        else:
            changed[name] = _damaged_once(draw, value[name])
        return changed
    if isinstance(value, list) and value and draw(st.booleans()):
        place = draw(st.integers(0, len(value) - 1))
        return [*value[:place], _damaged_once(draw, value[place]), *value[place + 1 :]]
    return draw(Value | st.lists(Value, max_size=3) | st.dictionaries(st.text(max_size=5), Value, max_size=2))
