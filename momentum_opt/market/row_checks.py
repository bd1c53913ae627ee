"""Rows of one file in; nothing, the bar length, or an error that names row, time and remedy out (SPEC §2)."""

import numpy as np

from momentum_opt.errors import DataError
from momentum_opt.market.price_file import Rows
from momentum_opt.market.wording import minutes, utc
from momentum_opt.units import MINUTES_PER_DAY, MS_PER_MINUTE

LOWEST_CLOSE, HIGHEST_CLOSE = 1e-30, 1e30


def check_order(rows: Rows) -> None:
    """Times must rise from row to row.

    Raises:
        DataError: a time is the same as, or earlier than, the one before it.
    """
    steps = np.diff(rows.unix)
    wrong = np.flatnonzero(steps <= 0)
    if not len(wrong):
        return
    at = int(wrong[0])
    where = rows.place(at + 1)
    times = f"{utc(int(rows.unix[at + 1]))} after {utc(int(rows.unix[at]))} in {rows.counted_in} {rows.number[at]}"
    if steps[at] == 0:
        raise DataError(f"{where}: duplicate time, {times}{_more(len(wrong))}; keep one row per time")
    raise DataError(f"{where}: times are not sorted, {times}{_more(len(wrong))}; sort the file by `unix`")


def bar_length(rows: Rows) -> int:
    """The bar length in minutes: the smallest spacing of the times, all of which lie on its grid from UTC midnight.

    Raises:
        DataError: a bar that is not whole minutes dividing a day, a time off the grid, or too few rows to tell.
    """
    if len(rows) < 2:
        raise DataError(
            f"{rows.path}: {len(rows)} row in the window, too few to tell the bar length; choose a longer window"
        )
    steps = np.diff(rows.unix)
    smallest, usual = int(steps.min()), int(np.median(steps))
    bars = [step for step in (smallest, usual) if divides_a_day(step)]
    if bars:
        # A single stray time makes a false smallest spacing: the bar that more times agree with is the one to report.
        _check_grid(rows, min(bars, key=lambda step: int(np.count_nonzero(rows.unix % step))))
    if smallest in bars:
        return smallest // MS_PER_MINUTE
    at = int(steps.argmin()) + 1
    raise DataError(
        f"{rows.place(at)} ({utc(int(rows.unix[at]))}): the bar length, the smallest spacing of the "
        f"times, is {minutes(smallest)}; it must be whole minutes that divide {MINUTES_PER_DAY}: resample the file"
    )


def check_closes(rows: Rows) -> None:
    """Closes must be finite and positive, and of a magnitude that no product of them overflows.

    Raises:
        DataError: null, NaN, infinite, zero, negative, or beyond 1e-30 to 1e30.
    """
    good = (rows.close >= LOWEST_CLOSE) & (rows.close <= HIGHEST_CLOSE)
    wrong = np.flatnonzero(~good)
    if not len(wrong):
        return
    at = int(wrong[0])
    value = float(rows.close[at])
    found = "null or NaN" if np.isnan(value) else f"{value:g}"
    raise DataError(
        f"{rows.place(at)} ({utc(int(rows.unix[at]))}): `close` is {found}{_more(len(wrong))}; "
        "prices must be finite and positive, from 1e-30 to 1e30: mend or delete the row (a missing row is filled with "
        "the close before it)"
    )


def check_gaps(rows: Rows, bar_minutes: int, max_gap_minutes: int, end_ms: int) -> None:
    """No more than `max_gap_minutes` may be missing between one row and the next, or the last row and `end_ms`.

    Raises:
        DataError: a longer gap.
    """
    gaps = np.diff(rows.unix, append=end_ms) - bar_minutes * MS_PER_MINUTE
    wrong = np.flatnonzero(gaps > max_gap_minutes * MS_PER_MINUTE)
    if not len(wrong):
        return
    at = int(wrong[0])
    until = utc(int(rows.unix[at + 1])) if at + 1 < len(rows) else f"the end of the window, {utc(end_ms)}"
    raise DataError(
        f"{rows.place(at)}: after {utc(int(rows.unix[at]))} a gap of {minutes(int(gaps[at]))} until "
        f"{until}{_more(len(wrong), 'gaps')}, longer than `max_gap_minutes` = {max_gap_minutes}; mend the file, raise "
        "`max_gap_minutes` or choose another window"
    )


def _check_grid(rows: Rows, bar_ms: int) -> None:
    wrong = np.flatnonzero(rows.unix % bar_ms)
    if not len(wrong):
        return
    at = int(wrong[0])
    time = int(rows.unix[at])
    raise DataError(
        f"{rows.place(at)}: {utc(time)} is not on the grid of {minutes(bar_ms)} from UTC midnight"
        f"{_more(len(wrong))}; label each bar with its start on the grid, such as {utc(time - time % bar_ms)}"
    )


def divides_a_day(step_ms: int) -> bool:
    """Whether a step is whole minutes that divide a day."""
    return step_ms % MS_PER_MINUTE == 0 and MINUTES_PER_DAY * MS_PER_MINUTE % step_ms == 0


def _more(count: int, what: str = "rows") -> str:
    return f" (and {count - 1:,} more such {what})" if count > 1 else ""
