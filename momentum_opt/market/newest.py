"""How far the price files of a pool reach: a folder and tokens in, the last bar that all of them have out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from momentum_opt.errors import DataError
from momentum_opt.market.price_file import PriceFile, check_folder, open_price_file, read_rows
from momentum_opt.market.row_checks import bar_length
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
    check_folder(root)
    files = [open_price_file(root, token) for token in tokens]
    bars = {file.token: _bar_minutes(file) for file in files}
    if len(set(bars.values())) > 1:
        found = ", ".join(f"{token} {minutes}" for token, minutes in bars.items())
        raise DataError(f"{root}: bar lengths differ (minutes): {found}; all tokens need the same: resample the files")
    return NewestBar(min(file.last_ms for file in files), next(iter(bars.values())))


def _bar_minutes(file: PriceFile) -> int:
    return bar_length(read_rows(file, file.last_ms - _LOOK_BACK_DAYS * MS_PER_DAY, file.last_ms + 1))
