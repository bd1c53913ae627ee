"""The contract model over a price path: a deployment, prices and update times in, weights at every bar out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from momentum_opt.market import Market
from momentum_opt.onchain.contract import ContractPool, ContractSettings, Update, update
from momentum_opt.onchain.fixed_point import ONE, from_float
from momentum_opt.onchain.motion import Motion
from momentum_opt.units import MS_PER_MINUTE

_SECOND_MS = 1000


@dataclass(frozen=True, eq=False)
class ContractPath:
    """A rehearsed pool.

    Attributes:
        updates: one record per update, in order.
        weights: (time, asset) at every bar of the market's window, tokens in the market's order.
    """

    updates: tuple[Update, ...]
    weights: NDArray[np.float64]


def contract_path(
    pool: ContractPool, settings: ContractSettings, tokens: Sequence[str], market: Market, times: Sequence[int]
) -> ContractPath:
    """Run a pool over the market's window; an update reads the newest closes at its time.

    Args:
        pool: as created.
        settings: what it was deployed with.
        tokens: the contract's order.
        market: prices.
        times: of the updates, in seconds since 1970 (UTC), within the window.
    """
    columns = [market.tokens.index(token) for token in tokens]
    bar_seconds = market.bar_minutes * MS_PER_MINUTE // _SECOND_MS
    start = market.start_ms // _SECOND_MS
    begin = market.first_ms // _SECOND_MS
    end = market.end_ms // _SECOND_MS
    clock = np.arange(start, end, bar_seconds, dtype=np.int64)
    weights = np.empty((len(clock), len(tokens)), dtype=np.int64)
    weights[:] = _line(pool.motion, clock)
    updates: list[Update] = []
    for time in times:
        closes = market.prices[(time - begin) // bar_seconds, columns]
        done = update(pool, tuple(from_float(float(close)) for close in closes), time, settings)
        pool = done.pool
        updates.append(done)
    edges = [*np.searchsorted(clock, times), len(clock)]
    for done, first, last in zip(updates, edges[:-1], edges[1:], strict=True):
        weights[first:last] = _line(done.pool.motion, clock[first:last])
    places = [list(tokens).index(token) for token in market.tokens]
    return ContractPath(tuple(updates), weights[:, places] / float(ONE))


def _line(motion: Motion, clock: NDArray[np.int64]) -> NDArray[np.int64]:
    """`Motion.at` at many times; weights of 18 decimals fit in 64 bits."""
    passed = (clock if motion.stop is None else np.minimum(clock, motion.stop)) - motion.begin
    return np.array(motion.weights) + np.array(motion.multipliers) * passed[:, None]
