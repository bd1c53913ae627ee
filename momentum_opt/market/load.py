"""A folder of price files and a window in, all tokens on one complete time grid out (SPEC §2).

Nothing is sorted, dropped, de-duplicated or shortened here: a file is used as it is or refused, and the problems of all
files are reported together. Only gaps are filled, with the last close before them, and counted.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Float64

from momentum_opt.errors import DataError, MissingFileError, UsageError
from momentum_opt.market.model import Market, TokenFile
from momentum_opt.market.price_file import PriceFile, Rows, open_price_file, read_rows
from momentum_opt.market.row_checks import bar_length, check_closes, check_gaps, check_order
from momentum_opt.market.wording import day, next_midnight, utc
from momentum_opt.units import MS_PER_DAY, MS_PER_MINUTE

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class _Window:
    """What is asked of every file: a grid over [grid_ms, end_ms), and how far back a gap at its start may look."""

    start_ms: int
    grid_ms: int
    end_ms: int
    max_gap_minutes: int

    @property
    def read_from_ms(self) -> int:
        return self.grid_ms - self.max_gap_minutes * MS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class _Series:
    """The used rows of one file and their bar length."""

    file: PriceFile
    rows: Rows
    bar_minutes: int


def load_market(
    root: Path,
    tokens: Sequence[str],
    *,
    start: date,
    end: date,
    burn_in_days: int,
    max_gap_minutes: int = 1440,
) -> Market:
    """Load the closes of `tokens` from `root` for the days [start, end) and the burn-in before them.

    The grid begins B days before `start`: B = min(`burn_in_days`, whole days between the latest first bar of all tokens
    and `start`). Every bar of the grid has the close of its own row or, in a gap of at most `max_gap_minutes`, of the
    last row before it; a gap at the very start of the grid looks back that far. A gap ends with a later row of the
    file, so a file must reach the last bar of the window.

    Args:
        root: folder of `<TOKEN>_USD.parquet` files.
        tokens: in any order, without repeats.
        start: first day of the window, UTC; or a moment with its time zone, on a bar.
        end: day after the last one; or the moment one bar after the last one.
        burn_in_days: days of prices wanted before `start`.
        max_gap_minutes: longest gap that may be filled.

    Raises:
        UsageError: arguments that no file could satisfy.
        MissingFileError: the folder is missing, or files are missing and nothing else is wrong.
        DataError: files that cannot be used, one line per problem, all tokens at once.
    """
    _check_arguments(tokens, start, end, burn_in_days, max_gap_minutes)
    _check_folder(root)
    problems: list[DataError] = []
    files = _collect(lambda token: open_price_file(root, token), sorted(tokens), problems)

    start_ms, end_ms = _utc_ms(start), _utc_ms(end)
    files = _collect(lambda file: _overlapping(file, start_ms), files, problems)
    history = min(((start_ms - file.first_ms) // MS_PER_DAY for file in files), default=0)
    burn_in = min(burn_in_days, history)
    window = _Window(start_ms, start_ms - burn_in * MS_PER_DAY, end_ms, max_gap_minutes)

    series = _collect(lambda file: _load_series(file, window), files, problems)
    problems += _bar_problems(series, window)
    if problems:
        raise _together(problems)
    return _assemble(series, window, burn_in)


def hash_rows(root: Path, token: str, first_ms: int, last_ms: int) -> str:
    """SHA-256 of the token's rows with `first_ms <= unix <= last_ms` (UTC ms), as `TokenFile.sha256` defines it.

    Equal to the recorded digest exactly where the file still holds the same rows in that range.

    Raises:
        MissingFileError: no such file.
        DataError: a file that is not a price file.
    """
    _check_folder(root)
    return _digest(read_rows(open_price_file(root, token), first_ms, last_ms + 1))


def _check_arguments(tokens: Sequence[str], start: date, end: date, burn_in_days: int, max_gap_minutes: int) -> None:
    if not tokens or len(set(tokens)) != len(tokens):
        raise UsageError(f"`tokens` must be at least one name and no name twice, but got {list(tokens)}")
    if not _utc_ms(start) < _utc_ms(end):
        raise UsageError(f"`start < end` must hold, but got start={start}, end={end}")
    if burn_in_days < 0 or max_gap_minutes < 0:
        raise UsageError(
            "`burn_in_days` and `max_gap_minutes` must not be negative, "
            f"but got burn_in_days={burn_in_days}, max_gap_minutes={max_gap_minutes}"
        )


def _check_folder(root: Path) -> None:
    if not root.is_dir():
        found = "this is a file, not a folder" if root.exists() else "no such folder"
        raise MissingFileError(f"{root}: {found}; name the folder that holds the price files")


def _collect(step: Callable[[_Item], _Result], items: Iterable[_Item], problems: list[DataError]) -> list[_Result]:
    """Apply `step` to each item, keeping the results that came out and noting the errors of the others."""
    results: list[_Result] = []
    for item in items:
        try:
            results.append(step(item))
        except DataError as error:
            problems.append(error)
    return results


def _together(problems: list[DataError]) -> DataError:
    all_missing = all(isinstance(problem, MissingFileError) for problem in problems)
    return (MissingFileError if all_missing else DataError)([line for problem in problems for line in problem.problems])


def _utc_ms(moment: date) -> int:
    """A moment as it is, a day at its midnight."""
    if isinstance(moment, datetime):
        return round(moment.timestamp() * 1000)
    return (moment - date(1970, 1, 1)).days * MS_PER_DAY


def _overlapping(file: PriceFile, start_ms: int) -> PriceFile:
    """Refuse a file that has no price for the window's start, saying where its prices are."""
    if file.first_ms <= start_ms <= file.last_ms:
        return file
    begin, end = next_midnight(file.first_ms), next_midnight(file.last_ms + 1) - MS_PER_DAY
    within = f"between {day(begin)} and {day(end)}" if begin <= end else "where it has a whole day"
    raise DataError(
        f"{file.path}: the window starts {utc(start_ms)}, but the file has prices from {utc(file.first_ms)} to "
        f"{utc(file.last_ms)} only; start {within}"
    )


def _load_series(file: PriceFile, window: _Window) -> _Series:
    """Read what the grid needs of one file, and refuse it at its first problem."""
    rows = read_rows(file, window.read_from_ms, window.end_ms)
    check_order(rows)
    _check_begin(rows, window)
    bar_minutes = bar_length(rows)
    _check_end(file, bar_minutes, window)
    used = rows.since(int(rows.unix.searchsorted(window.grid_ms, side="right")) - 1)
    check_closes(used)
    check_gaps(used, bar_minutes, window.max_gap_minutes, window.end_ms)
    return _Series(file, used, bar_minutes)


def _check_begin(rows: Rows, window: _Window) -> None:
    if not len(rows) or rows.unix[0] > window.grid_ms:
        until = utc(int(rows.unix[0])) if len(rows) else f"the end of the window, {utc(window.end_ms)}"
        raise DataError(
            f"{rows.path}: no row from {utc(window.read_from_ms)} until {until}: the gap at {utc(window.grid_ms)}, "
            f"where the grid begins, is longer than `max_gap_minutes` = {window.max_gap_minutes}; mend the file, raise "
            "`max_gap_minutes` or let window and burn-in begin elsewhere"
        )


def _check_end(file: PriceFile, bar_minutes: int, window: _Window) -> None:
    bar_ms = bar_minutes * MS_PER_MINUTE
    needed = window.end_ms - bar_ms
    if file.last_ms < needed:
        latest = (file.last_ms + bar_ms) // MS_PER_DAY * MS_PER_DAY
        raise DataError(
            f"{file.path}: the window needs prices up to {utc(needed)}, but the file has prices from "
            f"{utc(file.first_ms)} to {utc(file.last_ms)} only; end on {day(latest)} or earlier"
        )


def _bar_problems(series: Sequence[_Series], window: _Window) -> list[DataError]:
    if len({one.bar_minutes for one in series}) <= 1:
        bar_ms = series[0].bar_minutes * MS_PER_MINUTE if series else 1
        off = [ms for ms in (window.start_ms, window.end_ms) if ms % bar_ms]
        return [DataError(f"{utc(ms)}: not on a bar of {series[0].bar_minutes} minutes; move it to one") for ms in off]
    found = ", ".join(f"{one.file.path} {one.bar_minutes}" for one in series)
    return [DataError(f"bar lengths differ (minutes): {found}; all tokens need the same: resample the files")]


def _assemble(series: Sequence[_Series], window: _Window, burn_in_days: int) -> Market:
    bar_minutes = series[0].bar_minutes
    bar_ms = bar_minutes * MS_PER_MINUTE
    length = (window.end_ms - window.grid_ms) // bar_ms
    prices = np.empty((length, len(series)))
    for asset, one in enumerate(series):
        prices[:, asset] = _filled(one, window.grid_ms, length)
    prices.setflags(write=False)
    return Market(
        tokens=tuple(one.file.token for one in series),
        bar_minutes=bar_minutes,
        first_ms=window.grid_ms,
        prices=prices,
        start_row=(window.start_ms - window.grid_ms) // bar_ms,
        burn_in_days=burn_in_days,
        files=tuple(_describe(one, window, length) for one in series),
    )


def _filled(series: _Series, grid_ms: int, length: int) -> Float64[np.ndarray, "time"]:
    """The closes on the grid: each is held from its own bar (the look-back row: from row 0) until the next row's."""
    bar = (series.rows.unix - grid_ms) // (series.bar_minutes * MS_PER_MINUTE)
    return np.repeat(series.rows.close, np.diff(np.maximum(bar, 0), append=length))


def _describe(series: _Series, window: _Window, length: int) -> TokenFile:
    unix, bar_minutes = series.rows.unix, series.bar_minutes
    in_grid = int((unix >= window.grid_ms).sum())
    longest_step = int(np.diff(unix, append=window.end_ms).max())
    return TokenFile(
        token=series.file.token,
        path=series.file.path,
        sha256=_digest(series.rows),
        first_ms=int(unix[0]),
        last_ms=int(unix[-1]),
        rows=len(unix),
        filled_minutes=(length - in_grid) * bar_minutes,
        longest_gap_minutes=longest_step // MS_PER_MINUTE - bar_minutes,
    )


def _digest(rows: Rows) -> str:
    digest = hashlib.sha256(rows.unix.astype("<i8", copy=False).tobytes())
    digest.update(rows.close.astype("<f8", copy=False).tobytes())
    return digest.hexdigest()
