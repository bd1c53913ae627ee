"""One mistake of a configuration as data, and the sentence made of it: `path: what is wrong (value); what to do`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from momentum_opt.errors import choose_among as choose_among
from momentum_opt.errors import nearest as nearest

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
    """The value on one short line, text in quotes."""
    shown = repr(value) if isinstance(value, str | float | int) or value is None else re.sub(r"\s+", " ", str(value))
    return shown if len(shown) <= _LONGEST_VALUE else shown[: _LONGEST_VALUE - 3] + "..."


def dotted(path: Iterable[str]) -> str:
    """`a.b`; entries of a list as `a[0]`."""
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", ".".join(path))
