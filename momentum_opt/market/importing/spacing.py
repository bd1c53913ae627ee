"""Look for a change of the bar inside of a source: minutes of which a part are hours would be taken for minutes."""

import math
from typing import NamedTuple

import numpy as np

from momentum_opt.errors import DataError
from momentum_opt.market.importing.raw import Series
from momentum_opt.market.wording import day, minutes, utc
from momentum_opt.units import MINUTES_PER_DAY, MS_PER_DAY, MS_PER_MINUTE

_CHANCE = 1e-12


class Stretch(NamedTuple):
    """Bars that follow one another at a spacing which is longer than the bar.

    Args:
        first: position of the first of them.
        last: of the last one.
        minutes: spacing.
    """

    first: int
    last: int
    minutes: int


def other_bars(series: Series, bar_minutes: int) -> list[Stretch]:
    """The stretches of longer bars.

    Sources that leave out bars without a trade have longer spacings as well, but seldom the same ones in a row: where
    each bar is there with the same chance, a stretch as long as is asked for comes by less than once in 1e12.

    Args:
        series: rising times.
        bar_minutes: its bar.
    """
    steps = np.diff(series.unix)
    if not len(steps):
        return []
    found: list[Stretch] = []
    begins = np.flatnonzero(np.diff(steps, prepend=-1))
    lengths = np.diff(begins, append=len(steps))
    maybe = (lengths >= _needed(MINUTES_PER_DAY)) & (steps[begins] > bar_minutes * MS_PER_MINUTE)
    for begin, length in zip(begins[maybe].tolist(), lengths[maybe].tolist(), strict=True):
        step = int(steps[begin]) // MS_PER_MINUTE
        times = step // bar_minutes
        if times > 1 and _is_bar(step) and length >= _needed(times):
            found.append(Stretch(begin, begin + length, step))
    return found


def _is_bar(step: int) -> bool:
    return _is_divisor(step) or step % MINUTES_PER_DAY == 0


def _needed(times: int) -> int:
    """Equal spacings of so many bars that do not come by chance, whatever the share of bars that is there."""
    likeliest = (1 / times) * (1 - 1 / times) ** (times - 1)
    return math.ceil(math.log(_CHANCE) / math.log(likeliest))


def check_one_spacing(series: Series, bar_minutes: int, wanted: int | None) -> int:
    """Refuse a source whose bar changes on the way, unless the user says how long the bars are to be.

    Args:
        series: rising times.
        bar_minutes: its bar.
        wanted: the bar that the user asks for; the bar itself says that longer spacings are bars left out.

    Returns:
        When the last bar ends, UTC ms, longer bars included.

    Raises:
        DataError: with where the change is, and what can be done.
    """
    stretches = other_bars(series, bar_minutes)
    last_bar = bar_minutes
    if stretches and stretches[-1].last == len(series) - 1 and wanted != bar_minutes:
        last_bar = stretches[-1].minutes
    if wanted != bar_minutes:
        for found in stretches:
            if wanted is None or wanted % found.minutes:
                raise DataError(_two_bars(series, bar_minutes, found))
    return int(series.unix[-1]) + last_bar * MS_PER_MINUTE


def _two_bars(series: Series, bar_minutes: int, found: Stretch) -> str:
    first, last = int(series.unix[found.first]), int(series.unix[found.last])
    longer = f"make all bars {found.minutes} minutes with --bar {found.minutes}, " * _is_divisor(found.minutes)
    return (
        f"{series.name}: bars of {minutes(bar_minutes * MS_PER_MINUTE)}, but of {found.minutes} from {utc(first)} to "
        f"{utc(last)}; "
        f"{_one_part(series, first, last)}{longer}or say with --bar {bar_minutes} that the others are left out"
    )


def _one_part(series: Series, first: int, last: int) -> str:
    """How to import the shorter bars alone, where they have a day of their own."""
    end, start = first - first % MS_PER_DAY, last - last % MS_PER_DAY + MS_PER_DAY
    if end > int(series.unix[0]):
        return f"import one part only, such as with --end {day(end)}, "
    if start <= int(series.unix[-1]):
        return f"import one part only, such as with --start {day(start)}, "
    return ""


def _is_divisor(step: int) -> bool:
    return MINUTES_PER_DAY % step == 0
