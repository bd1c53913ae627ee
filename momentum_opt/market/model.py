"""What the loader hands on: prices of all tokens on one grid, and what was read and filled in each file."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int64

from momentum_opt.market.external import External
from momentum_opt.market.oddities import Oddities
from momentum_opt.units import MINUTES_PER_DAY, MS_PER_MINUTE

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TokenFile:
    """What one price file gave to a market.

    Args:
        token: name of the token.
        path: the file; None where the prices came from a notebook's own table.
        sha256: hex digest of the used rows: `unix` as little-endian int64 bytes, then `close` as little-endian float64
            bytes.
        first_ms: time of the first used row, UTC ms; before the grid where a gap at its start was filled.
        last_ms: time of the last used row, UTC ms.
        rows: used rows, a look-back row included.
        filled_minutes: minutes of the grid that have no row of their own.
        longest_gap_minutes: the longest gap that was filled; one that begins before the grid counts from its first
            missing minute, one that runs past the end of the window counts up to that end.
    """

    token: str
    path: Path | None
    sha256: str
    first_ms: int
    last_ms: int
    rows: int
    filled_minutes: int
    longest_gap_minutes: int


@dataclass(frozen=True, eq=False)
class Market:
    """Closes of all tokens on one complete grid, from the first bar of the burn-in to the end of the window.

    Args:
        tokens: in alphabetical order; the columns of `prices`.
        bar_minutes: minutes from one row to the next.
        first_ms: time of row 0, UTC ms. The price at time t is the close of the bar labelled t.
        prices: (time, asset), numeraire per token, C-contiguous and read-only; finite and positive.
        start_row: row of the window's start.
        burn_in_days: whole days of prices before the start; fewer than asked where history is short.
        files: one per token, in the order of `tokens`.
        oddities: what is odd about the closes, in the order of `tokens`; empty where nobody looked.
        external: varying costs, outside trades and LP supply of the window, where files of them were read.
    """

    tokens: tuple[str, ...]
    bar_minutes: int
    first_ms: int
    prices: Float[np.ndarray, "time asset"]
    start_row: int
    burn_in_days: int
    files: tuple[TokenFile, ...]
    oddities: tuple[Oddities, ...] = ()
    external: External = field(default_factory=External)

    @staticmethod
    def from_frame(frame: "pd.DataFrame", start: date | str | None = None) -> "Market":
        """A market of closes that are in memory already, for `simulate`, `score` and `backtest`.

        These take of it the days that a fingerprint asks for, and as many days before as its memory does.

        Args:
            frame: one column per token, numeraire per token; its index are the starts of the bars in UTC
                (`DatetimeIndex` with a time zone), rising, on a grid of whole minutes that divide a day, without a gap.
                Nothing is sorted, dropped or filled.
            start: day on which the window starts, for those who use the market without a fingerprint; days before it
                are history. None is the first whole day.

        Raises:
            DataError: the first thing that is wrong, where it is, and what to do.
        """
        from momentum_opt.market.frame import market_of_frame  # it needs this module

        return market_of_frame(frame, start)

    @property
    def root(self) -> Path | None:
        """Folder of the price files; None where the prices came from a table."""
        path = self.files[0].path
        return None if path is None else path.parent

    @property
    def bars_per_day(self) -> int:
        """Rows per day."""
        return MINUTES_PER_DAY // self.bar_minutes

    @property
    def start_ms(self) -> int:
        """Time of the window's start, UTC ms."""
        return self.first_ms + self.start_row * self._bar_ms

    @property
    def end_ms(self) -> int:
        """Time one bar after the last row, UTC ms: the end of the window, exclusive."""
        return self.first_ms + len(self.prices) * self._bar_ms

    @property
    def times_ms(self) -> Int64[np.ndarray, "time"]:
        """Time of every row, UTC ms."""
        return np.arange(self.first_ms, self.end_ms, self._bar_ms, dtype=np.int64)

    @property
    def _bar_ms(self) -> int:
        return self.bar_minutes * MS_PER_MINUTE
