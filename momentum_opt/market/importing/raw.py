"""What a source gives before sources are merged: times, closes and volumes of one file, and where each row stood."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from momentum_opt.market.price_file import Rows


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Bars with their source.

    Args:
        name: file, and member of an archive, for messages.
        unix: UTC ms of the bar's start.
        close: NaN where the source has none.
        volume: NaN where there is none.
    """

    name: str
    unix: Int64[np.ndarray, "row"]
    close: Float64[np.ndarray, "row"]
    volume: Float64[np.ndarray, "row"]

    def __len__(self) -> int:
        return len(self.unix)

    def rows(self) -> Rows:
        """For the checks of the loader, counted from 0."""
        return Rows(self.name, np.arange(len(self)), self.unix, self.close, "bar")

    def take(self, which: np.ndarray | slice) -> "Series":
        """Some of the bars, by position or by mask."""
        return replace(self, unix=self.unix[which], close=self.close[which], volume=self.volume[which])

    def between(self, first_ms: int | None, end_ms: int | None) -> "Series":
        """The bars with `first_ms <= unix < end_ms`; None is no limit."""
        keep = np.ones(len(self), bool)
        if first_ms is not None:
            keep &= self.unix >= first_ms
        if end_ms is not None:
            keep &= self.unix < end_ms
        return self.take(keep)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One file as it was read.

    Args:
        series: its bars, in the order of the file.
        number: of each row in the file.
        counted_in: what `number` counts: `line` from 1, or `row` from 0.
        format: name of the format.
        units: units of the times.
        identity: columns that say whose prices these are, with their one value.
    """

    series: Series
    number: Int64[np.ndarray, "row"]
    counted_in: str
    format: str
    units: frozenset[str]
    identity: tuple[tuple[str, str], ...] = ()

    def rows(self) -> Rows:
        """For the checks of the loader, counted as in the file."""
        return Rows(self.series.name, self.number, self.series.unix, self.series.close, self.counted_in)
