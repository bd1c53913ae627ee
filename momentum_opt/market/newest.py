"""How far the price files of a pool reach: a folder and tokens in, the last bar or the whole days that all have out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from momentum_opt.errors import DataError
from momentum_opt.market.load import collect, together
from momentum_opt.market.price_file import PriceFile, check_folder, open_price_file, read_rows
from momentum_opt.market.row_checks import bar_length
from momentum_opt.market.wording import day, next_midnight
from momentum_opt.units import MS_PER_DAY, MS_PER_MINUTE

_LOOK_BACK_DAYS = 7
"""Days at the end of a file that tell its bar length."""


@dataclass(frozen=True)
class NewestBar:
    """The last bar that every file has.

    Attributes:
        time_ms: its label, UTC ms.
        bar_minutes: its length.
    """

    time_ms: int
    bar_minutes: int

    @property
    def end_ms(self) -> int:
        """One bar later: the end, exclusive, of a window that holds it."""
        return self.time_ms + self.bar_minutes * MS_PER_MINUTE


def newest_bar(root: Path, tokens: Sequence[str]) -> NewestBar:
    """Look at the ends of the files; their prices are checked when they are loaded.

    Raises:
        MissingFileError: the folder or a file is missing.
        DataError: a file that cannot be used, or bars of different lengths.
    """
    files, bar = _open(root, tokens)
    return NewestBar(min(file.last_ms for file in files), bar)


@dataclass(frozen=True)
class Coverage:
    """The whole days, UTC, that every file covers; nothing is said of gaps between.

    Attributes:
        first: the first of them.
        end: the day after the last one.
        bar_minutes: length of a bar.
        begins, ends: the token whose prices begin last, and the one whose prices end first.
    """

    first: date
    end: date
    bar_minutes: int
    begins: str
    ends: str

    @property
    def days(self) -> int:
        """How many there are."""
        return (self.end - self.first).days


def covered_days(root: Path, tokens: Sequence[str]) -> Coverage:
    """Look at both ends of the files; their prices are checked when they are loaded.

    Raises:
        MissingFileError: the folder or a file is missing.
        DataError: files that cannot be used, bars of different lengths, or no whole day that all files cover.
    """
    files, bar = _open(root, tokens)
    begins, ends = max(files, key=lambda one: one.first_ms), min(files, key=lambda one: one.last_ms)
    first, end = next_midnight(begins.first_ms), (ends.last_ms + bar * MS_PER_MINUTE) // MS_PER_DAY * MS_PER_DAY
    if not first < end:
        raise DataError(
            f"{root}: no whole day that all files cover: {begins.path} begins on {day(begins.first_ms)}, {ends.path} "
            f"ends on {day(ends.last_ms)}; choose among them with --tokens, or import more"
        )
    first_day, end_day = (date.fromisoformat(day(ms)) for ms in (first, end))
    return Coverage(first_day, end_day, bar, begins.token, ends.token)


def _open(root: Path, tokens: Sequence[str]) -> tuple[list[PriceFile], int]:
    """The files, and the length in minutes of their bars."""
    check_folder(root)
    problems: list[DataError] = []
    files = collect(lambda token: open_price_file(root, token), tokens, problems)
    if problems:
        raise together(problems)
    bars = {file.token: _bar_minutes(file) for file in files}
    if len(set(bars.values())) > 1:
        found = ", ".join(f"{token} {minutes}" for token, minutes in bars.items())
        raise DataError(f"{root}: bar lengths differ (minutes): {found}; all tokens need the same: resample the files")
    return files, next(iter(bars.values()))


def _bar_minutes(file: PriceFile) -> int:
    return bar_length(read_rows(file, file.last_ms - _LOOK_BACK_DAYS * MS_PER_DAY, file.last_ms + 1))
