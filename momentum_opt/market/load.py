"""A folder of price files and a window in, all tokens on one complete time grid out (SPEC §2).

Nothing is sorted, dropped, de-duplicated or shortened here: a file is used as it is or refused, and the problems of all
files are reported together. Only gaps are filled, with the last close before them, and counted.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float64

from momentum_opt.errors import DataError, MissingFileError, UsageError
from momentum_opt.market.model import Market, TokenFile
from momentum_opt.market.oddities import find_oddities
from momentum_opt.market.price_file import check_folder, open_price_file, read_rows
from momentum_opt.market.series import Series, Window, check_overlap, digest_rows, load_series
from momentum_opt.market.wording import utc
from momentum_opt.paths import AnyPath
from momentum_opt.units import MS_PER_DAY, MS_PER_MINUTE

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class _Examined(Generic[_Result]):
    """What a window gave: the burn-in there is, one result per usable file, and the problems of the others."""

    window: Window
    burn_in_days: int
    results: list[_Result]
    problems: list[DataError]


class _Bar(NamedTuple):
    """The bar of a file, and two rows that are as close as it is long."""

    path: Path
    minutes: int
    closest: str


def _bar_of(series: Series) -> _Bar:
    return _Bar(series.file.path, series.bar_minutes, series.closest)


@dataclass(frozen=True, slots=True)
class Survey:
    """What `load_market` would say of a window, without holding its prices.

    Args:
        files: the files that it could use, alphabetical.
        bar_minutes: of each of them.
        burn_in_days: whole days of prices before the start, as far as they go.
        problems: one line each; empty where a run could go ahead.
    """

    files: tuple[TokenFile, ...]
    bar_minutes: tuple[int, ...]
    burn_in_days: int
    problems: tuple[str, ...]


def load_market(
    root: AnyPath,
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
    found = _examine(Path(root), tokens, start, end, burn_in_days, max_gap_minutes, lambda series, _: series)
    problems = found.problems + _bar_problems([_bar_of(one) for one in found.results], found.window)
    if problems:
        raise together(problems)
    return _assemble(found.results, found.window, found.burn_in_days)


def survey_market(
    root: Path, tokens: Sequence[str], *, start: date, end: date, burn_in_days: int, max_gap_minutes: int = 1440
) -> Survey:
    """What `load_market` would say; one file at a time is held, however many tokens there are.

    Raises:
        UsageError, MissingFileError: as `load_market`, for arguments and a folder that is not there.
    """

    def described(series: Series, window: Window) -> tuple[TokenFile, _Bar]:
        return series.describe(window), _bar_of(series)

    found = _examine(root, tokens, start, end, burn_in_days, max_gap_minutes, described)
    problems = found.problems + _bar_problems([bar for _, bar in found.results], found.window)
    return Survey(
        files=tuple(file for file, _ in found.results),
        bar_minutes=tuple(bar.minutes for _, bar in found.results),
        burn_in_days=found.burn_in_days,
        problems=tuple(line for problem in problems for line in problem.problems),
    )


def hash_rows(root: Path, token: str, first_ms: int, last_ms: int) -> str:
    """SHA-256 of the token's rows with `first_ms <= unix <= last_ms` (UTC ms), as `TokenFile.sha256` defines it.

    Equal to the recorded digest exactly where the file still holds the same rows in that range.

    Raises:
        MissingFileError: no such file.
        DataError: a file that is not a price file.
    """
    check_folder(root)
    return digest_rows(read_rows(open_price_file(root, token), first_ms, last_ms + 1))


def _examine(
    root: Path,
    tokens: Sequence[str],
    start: date,
    end: date,
    burn_in_days: int,
    max_gap_minutes: int,
    keep: Callable[[Series, Window], _Result],
) -> _Examined[_Result]:
    """Read what the window needs of every file, one after the other, and keep of each what `keep` makes of it."""
    _check_arguments(tokens, start, end, burn_in_days, max_gap_minutes)
    check_folder(root)
    problems: list[DataError] = []
    files = collect(lambda token: open_price_file(root, token), sorted(tokens), problems)

    start_ms = utc_ms(start)
    files = collect(lambda file: check_overlap(file, start_ms), files, problems)
    history = min(((start_ms - file.first_ms) // MS_PER_DAY for file in files), default=0)
    burn_in = min(burn_in_days, history)
    window = Window(start_ms, start_ms - burn_in * MS_PER_DAY, utc_ms(end), max_gap_minutes)
    results = collect(lambda file: keep(load_series(file, window), window), files, problems)
    return _Examined(window, burn_in, results, problems)


def _check_arguments(tokens: Sequence[str], start: date, end: date, burn_in_days: int, max_gap_minutes: int) -> None:
    if not tokens or len(set(tokens)) != len(tokens):
        raise UsageError(f"`tokens` must be at least one name and no name twice, but got {list(tokens)}")
    if not utc_ms(start) < utc_ms(end):
        raise UsageError(f"`start < end` must hold, but got start={start}, end={end}")
    if burn_in_days < 0 or max_gap_minutes < 0:
        raise UsageError(
            "`burn_in_days` and `max_gap_minutes` must not be negative, "
            f"but got burn_in_days={burn_in_days}, max_gap_minutes={max_gap_minutes}"
        )


def collect(step: Callable[[_Item], _Result], items: Iterable[_Item], problems: list[DataError]) -> list[_Result]:
    """Apply `step` to each item, keeping the results that came out and noting the errors of the others."""
    results: list[_Result] = []
    for item in items:
        try:
            results.append(step(item))
        except DataError as error:
            problems.append(error)
    return results


def together(problems: list[DataError]) -> DataError:
    """One error of several; files that are missing alone stay a `MissingFileError`."""
    all_missing = all(isinstance(problem, MissingFileError) for problem in problems)
    return (MissingFileError if all_missing else DataError)([line for problem in problems for line in problem.problems])


def utc_ms(moment: date) -> int:
    """UTC ms of a moment as it is, of a day at its midnight."""
    if isinstance(moment, datetime):
        return round(moment.timestamp() * 1000)
    return (moment - date(1970, 1, 1)).days * MS_PER_DAY


def _bar_problems(bars: Sequence[_Bar], window: Window) -> list[DataError]:
    shortest = min((one.minutes for one in bars), default=0)
    if all(one.minutes == shortest for one in bars):
        bar_ms = max(1, shortest * MS_PER_MINUTE)
        off = [ms for ms in (window.start_ms, window.end_ms) if ms % bar_ms]
        return [DataError(f"{utc(ms)}: not on a bar of {shortest} minutes; move it to one") for ms in off]
    found = ", ".join(
        f"{one.path} {one.minutes}{f' (as in {one.closest})' if one.minutes == shortest else ''}" for one in bars
    )
    fix = "resample the files, as `data import` does with --bar, or mend the stray row"
    return [DataError(f"bar lengths differ (minutes): {found}; all tokens need the same: {fix}")]


def _assemble(series: Sequence[Series], window: Window, burn_in_days: int) -> Market:
    bar_minutes = series[0].bar_minutes
    bar_ms = bar_minutes * MS_PER_MINUTE
    length = (window.end_ms - window.grid_ms) // bar_ms
    prices = np.empty((length, len(series)))
    for asset, one in enumerate(series):
        prices[:, asset] = _filled(one, window.grid_ms, length)
    prices.setflags(write=False)
    tokens = tuple(one.file.token for one in series)
    return Market(
        tokens=tokens,
        bar_minutes=bar_minutes,
        first_ms=window.grid_ms,
        prices=prices,
        start_row=(window.start_ms - window.grid_ms) // bar_ms,
        burn_in_days=burn_in_days,
        files=tuple(one.describe(window) for one in series),
        oddities=find_oddities(tokens, prices, np.arange(window.grid_ms, window.end_ms, bar_ms, dtype=np.int64)),
    )


def _filled(series: Series, grid_ms: int, length: int) -> Float64[np.ndarray, "time"]:
    """The closes on the grid: each is held from its own bar (the look-back row: from row 0) until the next row's."""
    bar = (series.rows.unix - grid_ms) // (series.bar_minutes * MS_PER_MINUTE)
    return np.repeat(series.rows.close, np.diff(np.maximum(bar, 0), append=length))
