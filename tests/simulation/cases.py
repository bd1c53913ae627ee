"""Random prices and pools for the engine tests, the engine run on them at every bar, and the oracle beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from math import ceil
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.simulation.engine import simulate
from momentum_opt.simulation.inputs import market_arrays
from momentum_opt.simulation.minutes import MinutePath, minute_inputs, rebuild_minutes
from momentum_opt.simulation.spec import SimulationSpec, simulation_spec
from momentum_opt.simulation.values import daily_values, last_bar_values
from momentum_opt.study.candidates import settings_of, stack
from momentum_opt.vocabulary.metrics import Cadence
from tests.reference.minute_loop import Path, Pool
from tests.reference.minute_loop import simulate as reference
from tests.simulation_case import pool_fingerprint

TOKENS = tuple("ABCDEFGH")
START = date(2022, 1, 1)
FIRST_PRICES = np.array([30000.0, 2000.0, 1.0, 20.0, 7.0, 0.3, 90.0, 1.5])


def random_prices(rows: int, n: int, seed: int, volatility: float = 1e-3) -> np.ndarray:
    """(rows, n) random walks with a drift of their own each, so that there are trends to follow."""
    generator = np.random.default_rng(seed)
    drift = generator.normal(0.0, 0.03 * volatility, n)
    return FIRST_PRICES[:n] * np.exp(np.cumsum(generator.normal(drift, volatility, (rows, n)), axis=0))


def random_params(n: int, floor: float, seed: int, form: str = "log_k", *, alt: bool = False) -> dict[str, np.ndarray]:
    """Parameters per token, with weights that the pool may start with."""
    generator = np.random.default_rng(seed)
    log_k = generator.uniform(3.0, 11.0, n)
    share = generator.dirichlet(np.ones(n))
    params = {
        "logit_lamb": generator.uniform(-2.0, 5.0, n),
        form: log_k if form == "log_k" else 2.0**log_k,
        "initial_weights": floor * 1.001 + (1.0 - n * floor * 1.001) * share,
    }
    return params | {"logit_delta_lamb": generator.uniform(-2.0, 2.0, n)} if alt else params


@dataclass(frozen=True)
class Case:
    """Prices and a pool to simulate on whole days of them."""

    prices: np.ndarray
    start_row: int
    pool: Pool

    @classmethod
    def random(cls, pool: Pool, n: int, days: int, *, history: int = 2, seed: int = 0) -> "Case":
        """`days` simulated days after `history` days of burn-in."""
        per_day = 1440 // pool.bar_minutes
        prices = random_prices((history + days) * per_day, n, seed, 1e-3 * pool.bar_minutes**0.5)
        return cls(prices, history * per_day, pool)

    def with_jump(self) -> "Case":
        """The same where one price jumps by 80 %: trades beyond the short series."""
        prices = self.prices.copy()
        prices[self.start_row + 700 :, 0] *= 1.8
        return self.with_prices(prices)

    @property
    def n(self) -> int:
        return self.prices.shape[1]

    @property
    def days(self) -> int:
        return (len(self.prices) - self.start_row) * self.pool.bar_minutes // 1440

    @property
    def market(self) -> Market:
        history = self.start_row * self.pool.bar_minutes // 1440
        days = min(history, ceil(self.pool.max_memory_days))
        return Market(TOKENS[: self.n], self.pool.bar_minutes, 0, self.prices, self.start_row, days, ())

    def fingerprint(self, days: int | None = None, val_fraction: float = 0.0, **keys: Any) -> Fingerprint:
        """The pool as a fingerprint of the first `days` (all of them); `keys` on top under quantammsim's names."""
        end = START + timedelta(days=self.days if days is None else days)
        optimisation = {"val_fraction": val_fraction, **keys.pop("optimisation_settings", {})}
        return pool_fingerprint(self.pool, TOKENS[: self.n], START, end, optimisation_settings=optimisation, **keys)

    @property
    def spec(self) -> SimulationSpec:
        market = self.market
        return simulation_spec(self.fingerprint(), bar_minutes=market.bar_minutes, burn_in_days=market.burn_in_days)

    def reference(self, params: dict[str, np.ndarray]) -> Path:
        return reference(self.prices, self.start_row, params, self.pool)

    def with_prices(self, prices: np.ndarray) -> "Case":
        return replace(self, prices=prices)


class Simulated(NamedTuple):
    """What the engine gives: at day boundaries, and at every bar."""

    daily: np.ndarray
    day_end: np.ndarray
    minutes: MinutePath


@partial(jax.jit, static_argnums=0)
def _run(spec, arrays, inputs, settings, candidates):
    path = simulate(spec, arrays, settings, candidates, Cadence.MINUTE)
    assert path.blocks is not None
    minutes = rebuild_minutes(path.blocks, inputs, spec)
    return Simulated(
        daily_values(path, arrays.days, spec), last_bar_values(path, arrays.days, spec, slice(None)), minutes
    )


def run_engine(case: Case, sets: Sequence[dict[str, np.ndarray]], spec: SimulationSpec | None = None) -> Simulated:
    """Run all parameter sets at once; candidates are last in every array."""
    return run_candidates(case, stack(sets, len(sets), jnp.float64), spec)


def run_candidates(case: Case, candidates: Any, spec: SimulationSpec | None = None) -> Simulated:
    spec = case.spec if spec is None else spec
    arrays = market_arrays(case.prices, case.start_row, spec)
    inputs = minute_inputs(case.prices, case.start_row, spec)
    settings = settings_of(case.fingerprint(), jnp.float64)
    return jax.tree.map(np.asarray, _run(spec, arrays, inputs, settings, candidates))


def assert_matches_reference(found: Simulated, column: int, wanted: Path, bars_per_day: int, rtol: float) -> None:
    """Values and reserves relative, weights absolute, at all bars and at both ends of every day."""
    minutes = found.minutes
    np.testing.assert_allclose(minutes.weights[..., column], wanted.weights, rtol=0, atol=rtol)
    np.testing.assert_allclose(minutes.value[:, column], wanted.value, rtol=rtol)
    np.testing.assert_allclose(minutes.reserves[..., column], wanted.reserves, rtol=rtol)
    np.testing.assert_allclose(found.daily[:, column], wanted.value[::bars_per_day], rtol=rtol)
    np.testing.assert_allclose(found.day_end[:, column], wanted.value[bars_per_day - 1 :: bars_per_day], rtol=rtol)
