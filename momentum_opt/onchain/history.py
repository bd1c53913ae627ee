"""The chunk prices that an estimator reads (SPEC §6): prices on the bar grid in, one row per chunk out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from momentum_opt.errors import DataError
from momentum_opt.market import Market
from momentum_opt.market.wording import utc
from momentum_opt.units import MINUTES_PER_DAY, MS_PER_MINUTE


@dataclass(frozen=True, eq=False)
class ChunkHistory:
    """Prices at every chunk's start, c_0 first.

    Attributes:
        times_ms: UTC ms.
        prices: (chunk, asset), tokens in alphabetical order.
    """

    times_ms: NDArray[np.int64]
    prices: NDArray[np.float64]

    def after(self, time_ms: int) -> "ChunkHistory":
        """The chunks that start later than `time_ms`."""
        first = int(np.searchsorted(self.times_ms, time_ms, side="right"))
        return ChunkHistory(self.times_ms[first:], self.prices[first:])


def chunk_history(market: Market, chunk_minutes: int, last_ms: int) -> ChunkHistory:
    """The chunk prices up to `last_ms`, on the grid through it.

    c_0 is the first chunk that is not before the simulation's own: ⌊1440·B/P⌋ chunks before the market's start, B its
    burn-in in days.

    Args:
        market: prices from the burn-in to `last_ms` at least.
        chunk_minutes: P.
        last_ms: time of the last chunk price, UTC ms.

    Raises:
        DataError: `last_ms` is not on a bar of the market, or lies outside its prices.
    """
    chunk_ms, bar_ms = chunk_minutes * MS_PER_MINUTE, market.bar_minutes * MS_PER_MINUTE
    first_ms = market.start_ms - MINUTES_PER_DAY * market.burn_in_days // chunk_minutes * chunk_ms
    if (last_ms - market.first_ms) % bar_ms:
        raise DataError(f"{utc(last_ms)}: not on a bar of {market.bar_minutes} minutes; give a time that is")
    if not first_ms <= last_ms < market.end_ms:
        raise DataError(
            f"{utc(last_ms)}: no price there; prices reach from {utc(first_ms)} to {utc(market.end_ms - bar_ms)}"
        )
    times = np.arange(last_ms - (last_ms - first_ms) // chunk_ms * chunk_ms, last_ms + 1, chunk_ms, dtype=np.int64)
    return ChunkHistory(times, market.prices[(times - market.first_ms) // bar_ms])
