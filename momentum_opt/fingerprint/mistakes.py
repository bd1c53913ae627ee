"""One mistake of a configuration as data, and the sentence made of it: `path: what is wrong (value); what to do`."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from momentum_opt.errors import choose_among as choose_among
from momentum_opt.errors import nearest as nearest
from momentum_opt.passwords import without_password, without_passwords

Path = tuple[str, ...]

MOST_MISTAKES: Final = 50
"""Lines that a refusal has at most, but for one that counts the others."""

_ABSENT: Final = object()
_LONGEST_VALUE: Final = 60
_LONGEST_PLACE: Final = 200


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with one value.

    Args:
        what: what is wrong, without the value.
        fix: what to do about it.
        value: the value found; left out where nothing was found.
        at: where, from the configuration's root, or from the field that a validator checks.
        reads: other values that it was compared with.
    """

    what: str
    fix: str
    value: Any = field(default=_ABSENT)
    at: Path = ()
    reads: tuple[Path, ...] = ()

    def text(self) -> str:
        """`what (value); fix`."""
        shown = "" if self.value is _ABSENT else f" ({show(self.value)})"
        return f"{self.what}{shown}; {self.fix}"


class RefusedError(ValueError):
    """Raised by a field's validator; carries one mistake or more."""

    def __init__(self, *mistakes: Mistake) -> None:
        self.mistakes = mistakes
        super().__init__("; ".join(mistake.text() for mistake in mistakes))


def show(value: Any) -> str:
    """The value on one short line, text in quotes, passwords hidden (before it is cut: half a URL shows none)."""
    whole = repr(value) if isinstance(value, str | float | int) or value is None else re.sub(r"\s+", " ", str(value))
    shown = without_passwords(without_password(whole))
    return shown if len(shown) <= _LONGEST_VALUE else shown[: _LONGEST_VALUE - 3] + "..."


def dotted(path: Iterable[str]) -> str:
    """`a.b`; entries of a list as `a[0]`."""
    return shortened(re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", ".".join(path)))


def shortened(place: str) -> str:
    """A place of a message on one line, without the middle where it is long."""
    place = " ".join(place.splitlines())
    return place if len(place) <= _LONGEST_PLACE else f"{place[: _LONGEST_PLACE - 40]} … {place[-35:]}"


class OptionSetting(str):
    """An `a.b=value` that an option other than `--set` stands for.

    Attributes:
        option: what the user gave, for messages.
    """

    option: str

    def __new__(cls, setting: str, option: str) -> "OptionSetting":
        """The setting, with the option."""
        made = super().__new__(cls, setting)
        made.option = option
        return made


def listed(names: Iterable[str], most: int = 10) -> str:
    """`a, b, c`, and how many more where there are many; long ones without their middle."""
    every = [shortened(name) for name in names]
    rest = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(every[:most]) + rest


def first_of(problems: Sequence[str]) -> list[str]:
    """As many lines as a person reads, and how many more there are."""
    rest = len(problems) - MOST_MISTAKES
    return [*problems[:MOST_MISTAKES], *([f"and {rest:,} more mistakes; mend these first"] if rest > 0 else [])]
