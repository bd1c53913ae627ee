"""One price file and the window of a run in, the rows that the run uses or the reason why it cannot out (SPEC §2)."""

import hashlib
from dataclasses import dataclass

import numpy as np

from momentum_opt.errors import DataError
from momentum_opt.market.model import TokenFile
from momentum_opt.market.price_file import PriceFile, Rows, read_rows
from momentum_opt.market.row_checks import bar_length, check_closes, check_gaps, check_order
from momentum_opt.market.wording import day, next_midnight, utc
from momentum_opt.units import MS_PER_DAY, MS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class Window:
    """What is asked of every file: a grid over [grid_ms, end_ms), and how far back a gap at its start may look."""

    start_ms: int
    grid_ms: int
    end_ms: int
    max_gap_minutes: int

    @property
    def read_from_ms(self) -> int:
        """First time that may be of use, UTC ms."""
        return self.grid_ms - self.max_gap_minutes * MS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class Series:
    """The used rows of one file and their bar length."""

    file: PriceFile
    rows: Rows
    bar_minutes: int

    @property
    def closest(self) -> str:
        """Where two rows stand as close as the bar is long."""
        steps = np.diff(self.rows.unix)
        at = int(steps.argmin()) + 1 if len(steps) else 0  # the bar may be known from rows before the used ones
        return f"{self.rows.counted_in} {self.rows.number[at]}, {utc(int(self.rows.unix[at]))}"

    def describe(self, window: Window) -> TokenFile:
        """What is recorded of the used rows."""
        unix, bar_minutes = self.rows.unix, self.bar_minutes
        length = (window.end_ms - window.grid_ms) // (bar_minutes * MS_PER_MINUTE)
        in_grid = int((unix >= window.grid_ms).sum())
        longest_step = int(np.diff(unix, append=window.end_ms).max())
        return TokenFile(
            token=self.file.token,
            path=self.file.path,
            sha256=digest_rows(self.rows),
            first_ms=int(unix[0]),
            last_ms=int(unix[-1]),
            rows=len(unix),
            filled_minutes=(length - in_grid) * bar_minutes,
            longest_gap_minutes=longest_step // MS_PER_MINUTE - bar_minutes,
        )


def check_overlap(file: PriceFile, start_ms: int) -> PriceFile:
    """Refuse a file that has no price for the window's start, saying where its prices are."""
    if file.first_ms <= start_ms <= file.last_ms:
        return file
    begin, end = next_midnight(file.first_ms), next_midnight(file.last_ms + 1) - MS_PER_DAY
    within = f"between {day(begin)} and {day(end)}" if begin <= end else "where it has a whole day"
    raise DataError(
        f"{file.path}: the window starts {utc(start_ms)}, but the file has prices from {utc(file.first_ms)} to "
        f"{utc(file.last_ms)} only; start {within}"
    )


def load_series(file: PriceFile, window: Window) -> Series:
    """Read what the grid needs of one file, and refuse it at its first problem."""
    rows = read_rows(file, window.read_from_ms, window.end_ms)
    check_order(rows)
    _check_begin(rows, window)
    bar_minutes = bar_length(rows)
    _check_end(file, bar_minutes, window)
    used = rows.since(int(rows.unix.searchsorted(window.grid_ms, side="right")) - 1)
    check_closes(used)
    check_gaps(used, bar_minutes, window.max_gap_minutes, window.end_ms)
    return Series(file, used, bar_minutes)


def _check_begin(rows: Rows, window: Window) -> None:
    if not len(rows) or rows.unix[0] > window.grid_ms:
        until = utc(int(rows.unix[0])) if len(rows) else f"the end of the window, {utc(window.end_ms)}"
        raise DataError(
            f"{rows.path}: no row from {utc(window.read_from_ms)} until {until}: the gap at {utc(window.grid_ms)}, "
            f"where the grid begins, is longer than `max_gap_minutes` = {window.max_gap_minutes}; mend the file, raise "
            "`max_gap_minutes` or let window and burn-in begin elsewhere"
        )


def _check_end(file: PriceFile, bar_minutes: int, window: Window) -> None:
    bar_ms = bar_minutes * MS_PER_MINUTE
    needed = window.end_ms - bar_ms
    if file.last_ms < needed:
        latest = (file.last_ms + bar_ms) // MS_PER_DAY * MS_PER_DAY
        raise DataError(
            f"{file.path}: the window needs prices up to {utc(needed)}, but the file has prices from "
            f"{utc(file.first_ms)} to {utc(file.last_ms)} only; end on {day(latest)} or earlier"
        )


def digest_rows(rows: Rows) -> str:
    """SHA-256 of rows as `TokenFile.sha256` defines it."""
    digest = hashlib.sha256(rows.unix.astype("<i8", copy=False).tobytes())
    digest.update(rows.close.astype("<f8", copy=False).tobytes())
    return digest.hexdigest()
