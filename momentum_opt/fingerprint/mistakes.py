"""One mistake of a configuration as data, and the sentence made of it: `path: what is wrong (value); what to do`."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from momentum_opt.passwords import without_password, without_passwords

Path = tuple[str, ...]

_ABSENT: Final = object()
_LONGEST_VALUE: Final = 60


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with one value.

    Args:
        what: what is wrong, without the value.
        fix: what to do about it.
        value: the value found; left out where nothing was found.
        at: where, from the configuration's root, or from the field that a validator checks.
    """

    what: str
    fix: str
    value: Any = field(default=_ABSENT)
    at: Path = ()

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
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", ".".join(path))


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word that looks most like `word`, or None where none does."""
    folded = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def choose_among(word: Any, known: Sequence[str]) -> str:
    """The advice for a word that is not in a closed list."""
    close = nearest(word, known) if isinstance(word, str) else None
    if close:
        return f"did you mean {close}?"
    return f"choose one of {', '.join(known)}"
