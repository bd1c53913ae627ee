"""Values, reserves and turnover read off a simulation: the path at day boundaries in, numeraire and tokens out.

All of it is that of the pool tokens of minute 0, so that deposits and withdrawals of others are no gain or loss.
With costs the path holds the reserves, and V = Σ R p. Without, it holds log V and the weights at the last arbitrage t′;
until the next one the reserves are held, so V(t) = V(t′) Σ w_i(t′) p_i(t)/p_i(t′).
"""

import jax.numpy as jnp
import numpy as np

from momentum_opt.arrays import Array, Float, PerAsset, PerCandidate
from momentum_opt.pool.arbitrage import transition
from momentum_opt.simulation.costs import CostPath
from momentum_opt.simulation.engine import BoundaryPath
from momentum_opt.simulation.inputs import DayInputs
from momentum_opt.simulation.spec import SimulationSpec


def daily_values(path: BoundaryPath | CostPath, days: DayInputs, spec: SimulationSpec) -> Float[Array, "day *batch"]:
    """Value at minute kD of every day k."""
    if isinstance(path, CostPath):
        value = jnp.sum(path.reserves[:-1] * _like(days.price[:-1], path.reserves), axis=1)
        return value if days.supply is None else value / _like(days.supply[:-1], value)
    value = jnp.exp(path.log_value[:-1])
    if spec.arbitrages_daily:
        return value
    return value * _held(path.weights.arb[:-1], days.price[:-1], days.arb_price[:-1])


def daily_log_values(
    path: BoundaryPath | CostPath, spec: SimulationSpec, day: slice
) -> Float[Array, "day *batch"] | None:
    """Logarithms of the chosen `daily_values` where the simulation has them: no costs, a trade as every day begins."""
    return path.log_value[day] if isinstance(path, BoundaryPath) and spec.arbitrages_daily else None


def last_bar_values(
    path: BoundaryPath | CostPath, days: DayInputs, spec: SimulationSpec, day: slice | np.ndarray
) -> Float[Array, "day *batch"]:
    """Value at the last bar of the chosen days: back from the boundary after it by one arbitrage, then held."""
    if isinstance(path, CostPath):
        value = jnp.sum(path.before_reserves[day] * _like(days.last_price[day], path.reserves), axis=1)
        return value if days.last_supply is None else value / _like(days.last_supply[day], value)
    rows = path.weights.rows(np.arange(1, spec.n_days + 1)[day])
    before, after = path.weights.before[rows], path.weights.arb[rows]
    log_ratio = jnp.log(days.arb_price[1:][day] / days.before_price[day])
    log_value = path.log_value[1:][day] - transition(before, after, _like(log_ratio, before), axis=1)
    value = jnp.exp(log_value)
    if spec.arb == 1:
        return value
    return value * _held(before, days.last_price[day], days.before_price[day])


def boundary_reserves(path: BoundaryPath | CostPath, days: DayInputs, k: int) -> PerAsset:
    """Reserves at minute kD."""
    if isinstance(path, CostPath):
        return path.reserves[k] if days.supply is None else path.reserves[k] / days.supply[k]
    weights = path.weights.arb[path.weights.rows([k])[0]]
    return jnp.exp(path.log_value[k]) * weights / _like(days.arb_price[k], weights)


def boundary_weights_moved(path: BoundaryPath | CostPath, first: int, last: int) -> PerCandidate:
    """Σ over the steps between the bars of days [first, last) of Σ |Δw| of the weights that the pool shows."""
    if isinstance(path, CostPath):
        return path.moved[last] - path.moved[first] - path.crossing[last - 1]
    kept, (start, end) = path.weights, path.weights.rows([first, last])
    return kept.turnover[end] - kept.turnover[start] - kept.crossing[end]


def _held(
    weights: Float[Array, "day asset *batch"], price: Float[Array, "day asset"], arb_price: Float[Array, "day asset"]
) -> Float[Array, "day *batch"]:
    return jnp.sum(weights * _like(price / arb_price, weights), axis=1)


def _like(prices: Array, weights: Array) -> Array:
    return prices.reshape(prices.shape + (1,) * (weights.ndim - prices.ndim))
