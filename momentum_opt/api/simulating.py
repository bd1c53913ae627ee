"""Simulate parameter sets for a notebook: the pool at every bar, as arrays and as a DataFrame."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt import device
from momentum_opt.api.given_params import GivenParams, parsed_sets
from momentum_opt.api.prices import fitting
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.results.notebook import Figure, simulated_figure, time_frame
from momentum_opt.simulation.external_bars import external_bars
from momentum_opt.simulation.inputs import MarketArrays, market_arrays
from momentum_opt.simulation.minutes import MinuteInputs, MinutePath, minute_inputs, simulate_minutes
from momentum_opt.simulation.spec import SimulationSpec, simulation_spec
from momentum_opt.simulation.trajectory import Candidates, Settings
from momentum_opt.study.candidates import settings_of, stack
from momentum_opt.study.sharding import on_a_core

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Simulation:
    """One pool from start to the end of the last period.

    Attributes:
        tokens: order of the columns, alphabetical.
        times: (time,) UTC, start of each bar.
        prices: (time, asset) numeraire per token.
        value: (time,) Σ R p in the numeraire.
        weights: (time, asset) as the pool shows them.
        reserves: (time, asset) in tokens.
    """

    tokens: tuple[str, ...]
    times: NDArray[np.datetime64]
    prices: NDArray[np.float64]
    value: NDArray[np.float64]
    weights: NDArray[np.float64]
    reserves: NDArray[np.float64]

    @property
    def frame(self) -> "pd.DataFrame":
        """`value`, and `price_T`, `weight_T` and `reserves_T` of each token T; indexed by `time` in UTC."""
        parts = {"price": self.prices, "weight": self.weights, "reserves": self.reserves}
        columns = {f"{name}_{token}": table[:, place] for place, token in enumerate(self.tokens)
                   for name, table in parts.items()}  # fmt: skip
        return time_frame(self.times, {"value": self.value, **columns})

    def plot(self, name: str = "value") -> Figure:
        """A figure of the pool, `value` or `weights`, as the last expression of a cell draws it."""
        return simulated_figure(name, self.frame, self.tokens)

    def __repr__(self) -> str:
        change = self.value[-1] / self.value[0] - 1.0
        return f"<simulation of {'/'.join(self.tokens)}, {len(self.value):,} bars: value {change:+.1%}>"


def simulate(fingerprint: Fingerprint, market: Market, sets: Sequence[GivenParams]) -> list[Simulation]:
    """Simulate parameter sets at every bar, in float64; numbers equal those of `backtest`, without its metrics.

    Args:
        fingerprint: what to simulate; what it searches and scores is not read.
        market: its prices; those of more days are cut to the fingerprint's.
        sets: parameters under their internal names (a best.json's `params`), or `k_per_day` and `memory_days`;
            without initial weights they start as the search does.

    Returns:
        One simulation per set, in their order. One set takes as much memory as its bars times its tokens.

    Raises:
        ParamsError: a set that the pool cannot run with.
        ConfigError: a period is no multiple of the market's bar.
    """
    device.configure()
    parsed, market = parsed_sets(sets, fingerprint), fitting(fingerprint, market)
    spec = simulation_spec(
        fingerprint, bar_minutes=market.bar_minutes, burn_in_days=market.burn_in_days, external=market.external
    )
    with on_a_core():
        external = external_bars(market, spec.n_bars)
        arrays = market_arrays(market.prices, market.start_row, spec, external)
        inputs = minute_inputs(market.prices, market.start_row, spec, external)
        settings = settings_of(fingerprint, jnp.float64)
        candidates = [jax.tree.map(lambda column: column[:, 0], stack([params], 1, jnp.float64)) for params in parsed]
        return [_on_host(_minutes(spec, arrays, inputs, settings, one), market) for one in candidates]


@partial(jax.jit, static_argnums=0)
def _minutes(
    spec: SimulationSpec, arrays: MarketArrays, inputs: MinuteInputs, settings: Settings, candidate: Candidates
) -> MinutePath:
    return simulate_minutes(spec, arrays, inputs, settings, candidate)[1]


def _on_host(minutes: MinutePath, market: Market) -> Simulation:
    return Simulation(
        tokens=market.tokens,
        times=market.times_ms[market.start_row :].astype("datetime64[ms]"),
        prices=market.prices[market.start_row :],
        value=np.asarray(minutes.value),
        weights=np.asarray(minutes.weights),
        reserves=np.asarray(minutes.reserves),
    )
