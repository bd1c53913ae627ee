"""Keep passwords out of files and off the screen (SPEC §12): text in, the same text with `***` for every password out.

Two things are hidden. What looks like the password of a URL, however the URL is written or mistyped, and what follows
a key such as `password=`. And what was such a password in a configuration or a command line of this process: `remember`
keeps it, so that a driver's message that quotes it, or a part of it, is hidden as well.
"""

import json
import re
import shlex
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any, Final, TextIO, cast
from urllib.parse import quote, unquote, unquote_plus

HIDDEN: Final = "***"
"""Stands in place of a password."""

_SHORTEST: Final = 3
"""Letters of what is remembered: less would hide parts of every message."""

_KEY: Final = r"(?:\w*(?:password|passwd|passphrase|pwd|secret)\w*|pass|odbc_connect|(?:access|auth)_?token|api_?key)"
_IN_QUERY: Final = re.compile(rf"(?i)(?<=[?&;]){_KEY}=([^&]*(?:&[^&=]*(?=&|$))*)", re.DOTALL)
_IN_WORDS: Final = re.compile(
    rf"(?i)(?<![\w?&;]){_KEY}['\"]?\s*[=:]\s*(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|([^\s'\",;&)}}\]]+))"
)
_SCHEME: Final = re.compile(r"(?:[A-Za-z][\w+.-]+)?:/+")
_FILE: Final = re.compile(r"journal:/{3,}|sqlite(\+\w+)?:/{4,}")
_PARTS: Final = re.compile(r"[\s@:/?#&;=\[\]]+")
_SUSPICIOUS: Final = frozenset("@:=%")

Span = tuple[int, int]


def without_password(value: str) -> str:
    """One value, such as a URL or an argument of a command line, with `***` for each password in it.

    Of a URL everything between the colon after the user and the last `@` is hidden, and so is a port that is no number:
    it may be the password of a URL that lacks its host.
    """
    masked = _masked(value, _spans(value))
    if "%" not in masked:
        return masked
    plain = unquote(masked)
    hidden = _masked(plain, _spans(plain))
    return masked if hidden == plain else hidden


def without_passwords(text: str) -> str:
    """A message with `***` for what looks like a password, word by word, and for every password that is remembered."""
    known = _memory.pattern
    text = text if known is None else known.sub(HIDDEN, text)
    if _SUSPICIOUS.isdisjoint(text):
        return text
    text = _masked(text, _spans_in_words(text))
    return re.sub(r"\S+", lambda word: without_password(word.group()), text)


def command_line() -> str:
    """The command line of this process, as it may be written to a file."""
    return " ".join(["momentum-opt", *map(without_password, sys.argv[1:])])


def command_to_repeat() -> str:
    """The same, quoted for a shell where that is needed: for a message that says how to go on."""
    return shlex.join(["momentum-opt", *map(without_password, sys.argv[1:])])


def remember(values: Iterable[str]) -> None:
    """Hide the passwords in these values wherever a message of this process would show them from now on."""
    for value in values:
        if _SUSPICIOUS.isdisjoint(value):
            continue
        for text in {value, unquote(value)}:
            _memory.add(text[first:end] for first, end in _spans(text))


class _Memory:
    """The passwords that this process has been given, in the ways in which a message may quote them."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self.pattern: re.Pattern[str] | None = None

    def add(self, passwords: Iterable[str]) -> None:
        new = {form for one in passwords for form in _forms(one)} - self._known
        if new:
            self._known |= new
            longest_first = sorted(self._known, key=len, reverse=True)
            self.pattern = re.compile("|".join(map(_as_a_word, longest_first)))


def _as_a_word(form: str) -> str:
    """The pattern of a password that stands alone: one such as `test` is not to hide half of `test_end`."""
    before, after = (r"\w" if re.match(r"\w", letter) else "" for letter in (form[0], form[-1]))
    return f"{'(?<!' + before + ')' if before else ''}{re.escape(form)}{'(?!' + after + ')' if after else ''}"


_memory: Final = _Memory()


class MaskedStream:
    """A text stream that writes to another one, without passwords.

    Args:
        stream: where it writes to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a message; one that comes in parts is looked at part by part."""
        return self._stream.write(without_passwords(text))

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # would be a way around
            raise AttributeError(name)
        return getattr(self._stream, name)


@contextmanager
def masked_messages() -> Generator[None]:
    """Show no password on stderr, whoever writes there: this program, a parser of options, a driver, a traceback."""
    stream = cast("TextIO | None", sys.stderr)
    if stream is None:  # it was closed before the program began
        yield
        return
    sys.stderr = cast("TextIO", MaskedStream(stream))
    try:
        yield
    finally:
        sys.stderr = stream


def _spans(value: str) -> list[Span]:
    """Where the passwords are in one value."""
    inside = [match.span(1) for match in _IN_QUERY.finditer(value)]
    return [*inside, *_spans_in_words(value), *_span_before_host(value)]


def _spans_in_words(text: str) -> list[Span]:
    """Of `password=x`, `'password': 'x'` and the like: where x is."""
    matches = _IN_WORDS.finditer(text)
    return [next(match.span(group) for group in (1, 2, 3) if match.start(group) >= 0) for match in matches]


def _span_before_host(value: str) -> list[Span]:
    """Of `scheme://user:password@host`: where the password is; of the last `@`, as it may hold one itself."""
    scheme = _SCHEME.search(value)
    if scheme and _FILE.match(scheme.group()):
        return []
    first = scheme.end() if scheme else 0
    colon, at = value.find(":", first), value.rfind("@")
    if 0 <= colon < at:
        return [(colon + 1, at)]
    if not scheme:
        return []
    host = re.compile(r"[^/?\s'\",\])}]*").match(value, first)
    port = re.search(r"[^:]:([^:\]]*[^:\]\d][^:\]]*):?$", host.group()) if host else None
    return [(first + port.start(1), first + port.end(1))] if port else []


def _masked(text: str, spans: Iterable[Span]) -> str:
    parts: list[str] = []
    end = 0
    for first, last in sorted(span for span in spans if span[0] < span[1]):
        if first >= end:
            parts += [text[end:first], HIDDEN]
        end = max(end, last)
    return "".join([*parts, text[end:]])


def _forms(password: str) -> set[str]:
    """A password as messages may quote it: as it is, decoded, encoded, escaped, and its parts between separators."""
    plain = {password, unquote(password), unquote_plus(password)}
    whole = {
        form for one in plain for form in (one, quote(one), quote(one, ""), json.dumps(one)[1:-1], repr(one)[1:-1])
    }
    parts = {part for one in plain for part in _PARTS.split(one) if len(part) > _SHORTEST}
    # What follows a separator may be taken for the beginning of the host, or of a name that goes on.
    parts |= {f"{one[match.end() :]}@" for one in plain for match in re.finditer("[@:/?#]", one)}
    return {form for form in whole | parts if len(form) >= _SHORTEST and form != HIDDEN}
