"""The types of single configuration values: a value as YAML or JSON gives it in, the typed value or `RefusedError` out.

Nothing is converted that a reader could mistake: text is never a number, a number never a switch, and infinities and
NaN are refused everywhere. Numbers of float fields become floats, so `0` and `0.0` mean and hash the same.
"""

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from pydantic import PlainValidator, ValidationInfo

from momentum_opt.fingerprint.mistakes import Mistake, RefusedError, choose_among
from momentum_opt.passwords import without_password
from momentum_opt.paths import file_fault, is_file
from momentum_opt.tokens import TOKEN_NAME

FEWEST_TOKENS: Final = 2
MOST_TOKENS: Final = 8

_LEADING_ZEROS: Final = re.compile(r"[-+]?0[0-9_]{1,30}", re.ASCII)
_WITH_COMMAS: Final = re.compile(r"[-+]?[0-9]+(,[0-9]+)+(\.[0-9]+)?", re.ASCII)
_DAY: Final = re.compile(r"(\d{4}-\d{2}-\d{2})([ T]00:00(:00(\.0+)?)?(Z|\+00:00)?)?")
_FILE_STORAGE: Final = re.compile(
    r"(?P<scheme>journal://|sqlite(?:\+\w+)?:///)(?P<path>(?!:memory:|file:)[^?]+)(?P<options>\?.*)?", re.DOTALL
)
_OPENING: Final = "[{"
"""A storage that begins so is a list or a mapping of YAML, not a URL."""
_TABLE_SUFFIXES: Final = (".parquet", ".csv")


@dataclass(frozen=True, slots=True)
class Key:
    """How a configuration value stands in the run fingerprint (SPEC §3).

    Args:
        name: quantammsim's dotted key; None: it has none, and the value stands under its own section's name.
        in_digest: whether the value can change a trial's numbers.
        file: the value may be a path; the digest then only knows that it is one.
        example: a value that would do, for keys without a default.
        unit: of the number, for the reference; empty where there is none.
        added: the key came after version 0.1; at its default it is left out of the digest, so that those of runs from
            before it stay as they are.
    """

    name: str | None = None
    in_digest: bool = True
    file: bool = False
    example: Any = None
    unit: str = ""
    added: bool = False


Taken = Literal["text", "path", "cost", "url"]
"""What `--set` takes as it stands and never reads as YAML: text, a path, a path or a number, the URL of a storage."""


@dataclass(frozen=True, slots=True)
class AsItStands:
    """The check of a field whose value is not YAML where it is given on the command line."""

    taken: Taken
    check: Callable[[Any, ValidationInfo], Any]

    def __call__(self, value: Any, info: ValidationInfo) -> Any:
        """The typed value, or `RefusedError`."""
        return self.check(value, info)


@dataclass(frozen=True, slots=True)
class Interval:
    """The numbers that a field accepts."""

    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None

    def holds(self, number: float) -> bool:
        """Whether `number` lies inside."""
        return (
            (self.above is None or number > self.above)
            and (self.at_least is None or number >= self.at_least)
            and (self.below is None or number < self.below)
            and (self.at_most is None or number <= self.at_most)
        )

    def asked(self, noun: str) -> str:
        """`a number > 0 and <= 1`."""
        signs = {">": self.above, ">=": self.at_least, "<": self.below, "<=": self.at_most}
        limits = [f"{sign} {limit:.10g}" for sign, limit in signs.items() if limit is not None]
        return " ".join([noun, " and ".join(limits)]).strip()


def number(
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> PlainValidator:
    """A finite number in an interval, as a float."""
    interval = Interval(above, at_least, below, at_most)
    return PlainValidator(lambda value: to_number(value, interval))


def whole(*, at_least: int = 0, at_most: int) -> PlainValidator:
    """A whole number in an interval, as an int; `1e3` is one."""
    interval = Interval(at_least=at_least, at_most=at_most)
    asked = interval.asked("a whole number")

    def check(value: Any) -> int:
        if not to_number(value, interval, asked).is_integer():
            raise RefusedError(Mistake("not a whole number", f"give {asked}", value))
        return int(value)

    return PlainValidator(check)


def to_number(value: Any, interval: Interval, asked: str | None = None) -> float:
    """`value` as a float inside `interval`; `RefusedError` otherwise, with `asked` as what to give."""
    asked = f"give {asked or interval.asked('a number')}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefusedError(Mistake("not a number", _number_meant(value) or asked, value))
    if not _is_finite(value):
        raise RefusedError(Mistake("not a finite number", asked, value))
    if not interval.holds(value):
        raise RefusedError(Mistake("out of range", asked, value))
    return float(value) + 0.0  # −0.0 becomes 0.0


def _number_meant(value: Any) -> str | None:
    """What to do about text that a person would take for a number; None of any other value."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    if _LEADING_ZEROS.fullmatch(text):
        return f"write it without leading zeros, which some programs read as octal: {int(text)}"
    if _WITH_COMMAS.fullmatch(text):
        return "write a point before decimals, and nothing between thousands"
    return "write it without quotes" if is_number_in_quotes(text) else None


def is_number_in_quotes(value: Any) -> bool:
    """Whether the value is text that would be a finite number."""
    try:
        return isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        return False


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an int beyond the floats
        return False


def flag() -> PlainValidator:
    """A switch: true or false."""

    def check(value: Any) -> bool:
        if not isinstance(value, bool):
            raise RefusedError(Mistake("not a switch", "write true or false", value))
        return value

    return PlainValidator(check)


@dataclass(frozen=True, slots=True)
class Word:
    """The check of a field that takes one word of a closed list."""

    choices: tuple[str, ...]

    def __call__(self, value: Any) -> str:
        """The word, or `RefusedError`."""
        if not isinstance(value, str) or value not in self.choices:
            raise RefusedError(Mistake("unknown value", choose_among(value, self.choices), value))
        return value


def word(choices: tuple[str, ...]) -> PlainValidator:
    """One word of a closed list."""
    return PlainValidator(Word(choices))


def text() -> PlainValidator:
    """Text that is not empty."""

    def check(value: Any, _: ValidationInfo) -> str:
        if not isinstance(value, str) or not value.strip():
            raise RefusedError(Mistake("not text", "write some text, in quotes where it looks like a number", value))
        return value

    return PlainValidator(AsItStands("text", check))


def storage_place() -> PlainValidator:
    """`journal` or the URL of a database; a relative path in it starts at the configuration file's folder."""

    def check(value: Any, info: ValidationInfo) -> str:
        is_place = isinstance(value, str) and (value == "journal" or ("://" in value and value[0] not in _OPENING))
        if not is_place:
            raise RefusedError(
                Mistake("unknown storage", "write journal, journal:///path, or postgresql://host/name", value)
            )
        base = _base_of(info)
        return value if base is None else placed_storage(value, base)

    return PlainValidator(AsItStands("url", check))


def day() -> PlainValidator:
    """A date, read as UTC midnight; with or without quotes, with or without 00:00:00."""

    def check(value: Any) -> date:
        match = _DAY.fullmatch(value.strip()) if isinstance(value, str) else None
        try:
            return date.fromisoformat(match.group(1) if match else str(value))
        except ValueError:
            raise RefusedError(Mistake("not a date", "write it as 2022-06-01 (whole days, UTC)", value)) from None

    return PlainValidator(check)


def token_list() -> PlainValidator:
    """Two to eight distinct token names, as an alphabetical tuple."""

    def check(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise RefusedError(Mistake("not a list of tokens", "write it as [BTC, ETH, USDC]", value))
        mistakes = [mistake for place, token in enumerate(value) if (mistake := _token_mistake(value, place, token))]
        if not FEWEST_TOKENS <= len(value) <= MOST_TOKENS:
            count = f"{len(value)} token{'s' * (len(value) != 1)}"
            mistakes.append(Mistake(f"{count} given", f"list {FEWEST_TOKENS} to {MOST_TOKENS}"))
        if mistakes:
            raise RefusedError(*mistakes)
        return tuple(sorted(value))

    return PlainValidator(check)


def word_list(choices: tuple[str, ...], what: str) -> PlainValidator:
    """One or more distinct words of a closed list, in the order given.

    Args:
        choices: the words.
        what: one of them is, such as `metric`.
    """

    def check(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise RefusedError(Mistake(f"not a list of {what}s", f"write it as [{', '.join(choices[:2])}]", value))
        if not value:
            raise RefusedError(Mistake(f"no {what} in the list", "list two or more, or leave it out", value))
        mistakes = [
            Mistake(f"unknown {what}", choose_among(word, choices), word, (str(place),))
            if not isinstance(word, str) or word not in choices
            else Mistake(f"the same {what} twice", f"list every {what} once", word, (str(place),))
            for place, word in enumerate(value)
            if not isinstance(word, str) or word not in choices or word in value[:place]
        ]
        if mistakes:
            raise RefusedError(*mistakes)
        return tuple(value)

    return PlainValidator(check)


def _token_mistake(tokens: list[Any] | tuple[Any, ...], place: int, token: Any) -> Mistake | None:
    at = (str(place),)
    if not isinstance(token, str) or not TOKEN_NAME.fullmatch(token):
        return Mistake(
            "not a token name", "use letters, digits and . _ + - (in quotes if it looks like a number)", token, at
        )
    if token in tokens[:place]:
        return Mistake("the same token twice", "list every token once", token, at)
    return None


def per_token(*, at_least: float | None = None, at_most: float | None = None) -> PlainValidator:
    """One number for all tokens, or a mapping from token to number (the tokens are compared by a rule)."""
    interval = Interval(at_least=at_least, at_most=at_most)

    def check(value: Any) -> float | Mapping[str, float]:
        if not isinstance(value, Mapping):
            return to_number(value, interval)
        numbers: dict[str, float] = {}
        mistakes: list[Mistake] = []
        for token, entry in sorted(value.items()):
            try:
                numbers[token] = to_number(entry, interval)
            except RefusedError as refused:
                mistakes += [Mistake(m.what, m.fix, m.value, (str(token),)) for m in refused.mistakes]
        if mistakes:
            raise RefusedError(*mistakes)
        return MappingProxyType(numbers)

    return PlainValidator(check)


def folder() -> PlainValidator:
    """A folder; relative to the configuration file's folder."""

    def check(value: Any, info: ValidationInfo) -> Path:
        if not isinstance(value, str | Path) or not str(value).strip():
            raise RefusedError(Mistake("not a folder", "write its path, such as ../data/sample", value))
        return _placed(value, info)

    return PlainValidator(AsItStands("path", check))


def cost(*, below: float | None = None, at_most: float | None = None) -> PlainValidator:
    """A number from 0, or the file of a cost that varies with time."""
    interval = Interval(at_least=0, below=below, at_most=at_most)

    def check(value: Any, info: ValidationInfo) -> float | Path:
        is_path = isinstance(value, str | Path) and not _number_meant(value)
        if is_path and not is_table(value):
            raise RefusedError(Mistake("needs a number or a .parquet or .csv file", "give one of them", value))
        return _table(value, info) if is_path else to_number(value, interval)

    return PlainValidator(AsItStands("cost", check))


def table_file() -> PlainValidator:
    """A .parquet or .csv file; relative to the configuration file's folder."""
    return PlainValidator(AsItStands("path", _table))


def _table(value: Any, info: ValidationInfo) -> Path:
    if not isinstance(value, str | Path) or not is_table(value):
        raise RefusedError(Mistake("needs a .parquet or .csv file", "give the path of one", value))
    path = _placed(value, info)
    if info.context and (fault := file_fault(path)) is not None:
        raise RefusedError(Mistake(*fault, str(path)))
    if info.context and not is_file(path):
        raise RefusedError(Mistake("no such file", "give the path of a file that exists", str(path)))
    return path


def is_table(value: str | Path) -> bool:
    """Whether the path ends as that of a file of numbers does."""
    return Path(value).suffix.lower() in _TABLE_SUFFIXES


def _placed(value: str | Path, info: ValidationInfo) -> Path:
    """The path as it stands, or made absolute from the folder that the validation's context names."""
    if "\0" in str(value):
        raise RefusedError(Mistake("not a path", "write it without the zero character", value))
    base = _base_of(info)
    return Path(value) if base is None else placed_path(value, base)


def _base_of(info: ValidationInfo) -> Path | None:
    return (info.context or {}).get("folder")


def placed_path(value: str | Path, base: Path) -> Path:
    """The path, absolute: a relative one starts at `base`."""
    try:
        path = Path(value).expanduser()
    except RuntimeError:  # ~ of a user without a home
        raise RefusedError(Mistake("the home folder that ~ stands for is not known", "write it out", value)) from None
    return Path(os.path.abspath(base / path))  # noqa: PTH100


def placed_storage(value: str, base: Path) -> str:
    """The URL with the path of a journal or an SQLite file made absolute; any other as it is.

    What looks like a server with a password is no path: it is refused where the storage is opened.
    """
    match = _FILE_STORAGE.fullmatch(value)
    if match is None or without_password(value) != value:
        return value
    return f"{match['scheme']}{placed_path(match['path'], base)}{match['options'] or ''}"
