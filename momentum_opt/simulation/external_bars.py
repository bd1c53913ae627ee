"""Varying costs, outside trades and LP supply, bar by bar: a market's rows by time in, numpy arrays on its bars out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from momentum_opt.market import Market
from momentum_opt.units import MS_PER_MINUTE

Bars = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TradeBars:
    """Outside swaps in order, with the bar of each."""

    bar: NDArray[np.int64]
    token_in: NDArray[np.int64]
    token_out: NDArray[np.int64]
    amount: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ExternalBars:
    """All of it for the T bars of a simulation.

    Attributes:
        costs: name of a field of `Costs` → (T,) values.
        trades: outside swaps.
        supply: (T,) pool tokens there are, as a multiple of those at bar 0.
    """

    costs: Mapping[str, Bars] = field(default_factory=lambda: MappingProxyType({}))
    trades: TradeBars | None = None
    supply: Bars | None = None


def external_bars(market: Market, n_bars: int) -> ExternalBars:
    """What the market's files say about its first `n_bars` bars from the window's start."""
    external, times = market.external, market.times_ms[market.start_row :][:n_bars]
    supply = None if external.lp_supply is None else external.lp_supply.at(times)
    trades = None
    if external.trades is not None:
        bar = (external.trades.unix - market.start_ms) // (market.bar_minutes * MS_PER_MINUTE)
        inside = (bar >= 0) & (bar < n_bars)
        columns = (external.trades.token_in, external.trades.token_out, external.trades.amount)
        trades = TradeBars(bar[inside], *(column[inside] for column in columns))
    return ExternalBars(
        costs={name: series.at(times) for name, series in external.costs.items()},
        trades=trades,
        supply=None if supply is None else supply / supply[0],
    )
