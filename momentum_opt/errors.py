"""The error tree: every error is one clear line (what, where, what to do) and a builtin, and has an exit code."""

import difflib
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from momentum_opt.passwords import without_passwords

_MOST_WORDS: Final = 40
"""Words of a closed list that are all named; of a longer list (the columns of a table) only the first ones are."""


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word that looks most like `word`, or None where none does."""
    folded = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def listing(names: Sequence[str], most: int = 12) -> str:
    """`a, b, c`; of many names the first ones, and how many more there are."""
    rest = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def choose_among(word: Any, known: Sequence[str]) -> str:
    """The advice for a word that is not in a closed list."""
    close = nearest(word, known) if isinstance(word, str) else None
    if close:
        return f"did you mean {close}?"
    return f"choose one of {listing(known, _MOST_WORDS if len(known) <= _MOST_WORDS else 12)}"


class MomentumOptError(Exception):
    """Base of all errors that momentum-opt raises on purpose. Its text is shown to the user, passwords hidden."""

    exit_code: ClassVar[int] = 1

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(without_passwords(one) if isinstance(one, str) else one for one in arguments))


class UsageError(MomentumOptError, ValueError):
    """Bad usage, configuration or data: the user can mend it, nothing was written. Exit code 2.

    Attributes:
        problems: one line for each thing that is wrong; all of them are reported at once.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, problems: str | Sequence[str]) -> None:
        lines = (problems,) if isinstance(problems, str) else problems
        self.problems = tuple(map(without_passwords, lines))
        super().__init__("\n".join(self.problems))


class ConfigError(UsageError):
    """Mistakes of a configuration, in file order: `file:line: path: what is wrong; what to do`."""


class DataError(UsageError):
    """A price file, or the window asked of it, that cannot be used."""


class MissingFileError(DataError, FileNotFoundError):
    """A file or folder that the run needs and that is not there."""


class MissingFolderError(MissingFileError):
    """The folder of the price files is not there, or holds none."""


class ParamsError(UsageError):
    """Strategy parameters, or a params file, that the pool cannot run with."""


class RunFolderError(UsageError):
    """A run folder that cannot be used for this run: another fingerprint, other prices, or damaged files."""


class StorageError(UsageError, ConnectionError):
    """A study storage that cannot be opened."""


class UnknownParameterError(MomentumOptError, KeyError):
    """A parameter name that neither the values at hand nor the pool's schema know."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would quote the whole sentence


class StudyError(MomentumOptError, RuntimeError):
    """A study that cannot go on or has no result, such as one in which every candidate failed."""


class ReplayMismatchError(MomentumOptError, ArithmeticError):
    """The winner, simulated again through the backtest path, did not give its tuned value (SPEC §12)."""
