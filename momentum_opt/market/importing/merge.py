"""Several sources in, one series of rising times out; resampling to longer bars; prices through another token."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from momentum_opt.errors import DataError
from momentum_opt.market.importing.raw import Series
from momentum_opt.market.row_checks import bar_length
from momentum_opt.market.wording import utc
from momentum_opt.units import MS_PER_MINUTE

MOST_LISTED: Final = 20
"""Differing closes that are listed one by one."""


class Difference(NamedTuple):
    """Two sources that disagree."""

    time_ms: int
    close: float
    source: str
    other_close: float
    other_source: str


@dataclass(frozen=True, slots=True)
class Overlap:
    """Times that came more than once.

    Attributes:
        equal: how many had equal closes.
        differing: how many had not.
        listed: the first of those.
    """

    equal: int = 0
    differing: int = 0
    listed: tuple[Difference, ...] = ()

    def __add__(self, other: "Overlap") -> "Overlap":
        listed = (*self.listed, *other.listed)[:MOST_LISTED]
        return Overlap(self.equal + other.equal, self.differing + other.differing, listed)


def merge(sources: Sequence[Series], prefer: str | None) -> tuple[Series, Overlap]:
    """All bars by time, each time once.

    Args:
        sources: in the order in which they were given; of equal closes the first one's row is kept.
        prefer: which close to keep where they differ; None refuses.

    Raises:
        DataError: closes differ and `prefer` is None; one line per difference, the first ones only.
    """
    source = np.repeat(np.arange(len(sources)), [len(one) for one in sources])
    unix = np.concatenate([one.unix for one in sources])
    order = np.argsort(unix, kind="stable")
    unix, source = unix[order], source[order]
    close = np.concatenate([one.close for one in sources])[order]
    same = unix[1:] == unix[:-1]
    differ = np.flatnonzero(same & (close[1:] != close[:-1]))
    listed: list[Difference] = []
    for at in map(int, differ[:MOST_LISTED]):
        (one, other), (name, other_name) = close[at : at + 2].tolist(), (sources[n].name for n in source[at : at + 2])
        listed.append(Difference(int(unix[at]), one, name, other, other_name))
    overlap = Overlap(int(same.sum()) - len(differ), len(differ), tuple(listed))
    if len(differ) and prefer is None:
        raise DataError(_differences(overlap))
    no = np.zeros(1, bool)
    keep = ~np.concatenate([same, no]) if prefer == "last" else ~np.concatenate([no, same])
    volume = np.concatenate([one.volume for one in sources])[order]
    name = sources[0].name if len(sources) == 1 else f"{sources[0].name} and {len(sources) - 1} more"
    return Series(name, unix[keep], close[keep], volume[keep]), overlap


def describe_difference(one: Difference) -> str:
    """Time, both closes and both sources."""
    where = f"in {one.source}, {one.other_close!r} in {one.other_source}"
    if one.source == one.other_source:
        where = f"and {one.other_close!r} in {one.source}"
    return f"{utc(one.time_ms)}: the close is {one.close!r} {where}"


def _differences(overlap: Overlap) -> list[str]:
    lines = [
        f"{describe_difference(one)}; leave one of them out, or give --prefer first or last" for one in overlap.listed
    ]
    more = overlap.differing - len(lines)
    return [*lines, f"{more:,} more times have differing closes; give --prefer first or last"] if more else lines


def own_bar(series: Series) -> int | None:
    """The bar of a source in minutes; None for a single row, which has none.

    Raises:
        DataError: a time off the grid, or a spacing that is no bar.
    """
    return bar_length(series.rows()) if len(series) > 1 else None


def resample(series: Series, bar_minutes: int, to_minutes: int, ends_ms: int = 0) -> Series:
    """Longer bars: a bar's close is the last one inside it, its volume their sum.

    A last bar that the data do not reach the end of is left out: its close would change with the next import.

    Args:
        series: rising times.
        bar_minutes: its bar.
        to_minutes: a multiple of it.
        ends_ms: until when the data are known to reach, where that is later than the end of the last bar.
    """
    if to_minutes == bar_minutes or not len(series):
        return series
    to_ms = to_minutes * MS_PER_MINUTE
    bar = series.unix // to_ms
    first = np.flatnonzero(np.diff(bar, prepend=bar[0] - 1))
    last = np.append(first[1:], len(bar)) - 1
    volume = np.add.reduceat(series.volume, first)
    found = Series(series.name, bar[last] * to_ms, series.close[last], volume)
    reached = max(ends_ms, int(series.unix[-1]) + bar_minutes * MS_PER_MINUTE) >= int(found.unix[-1]) + to_ms
    return found if reached else found.take(slice(0, -1))


def through(series: Series, quote: Series, *, skip: bool) -> tuple[Series, int]:
    """Prices in USD of a pair that is quoted in another token: closes multiplied on common times.

    Args:
        series: closes in the quote token.
        quote: closes of the quote token in USD.
        skip: leave out the times that `quote` lacks.

    Returns:
        The series, and how many bars were left out.

    Raises:
        DataError: `quote` lacks times and `skip` is not set, or no time is common.
    """
    at = np.searchsorted(quote.unix, series.unix)
    common = np.append(quote.unix, -1)[at] == series.unix
    missing = int((~common).sum())
    if not common.any():
        raise DataError(f"{quote.name}: no time in common with {series.name}; give the quote for the same time")
    if missing and not skip:
        times = ", ".join(utc(int(time)) for time in series.unix[~common][:3])
        raise DataError(
            f"{quote.name}: lacks {missing:,} of the {len(series):,} times of {series.name}: {times}"
            f"{', …' if missing > 3 else ''}; import the quote for them first, cut with --start and --end, or leave "
            "these bars out with --skip-unquoted"
        )
    kept = series.take(common)
    return replace(kept, close=kept.close * quote.close[at[common]]), missing
