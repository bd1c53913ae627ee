"""What a pool trades, earns and loses to arbitrageurs, per year (SPEC §10)."""

import jax.numpy as jnp

from momentum_opt.arrays import PerCandidate
from momentum_opt.metrics.growth import growth
from momentum_opt.metrics.path import Flows, SlicePath, required, whole_days
from momentum_opt.units import DAYS_PER_YEAR


def weight_turnover(path: SlicePath, bars_per_day: int) -> PerCandidate:
    """Σ_t ½ Σ_i |w_i(t+1) − w_i(t)| · 525600/(T−1) of the weights that the pool shows."""
    return _per_year(required(path.weights_moved, "weights_moved"), path, bars_per_day)


def volume(path: SlicePath, bars_per_day: int) -> PerCandidate:
    """Σ_t ½ Σ_i |R_i(t+1) − R_i(t)| p_i(t+1) / mean(v) · 525600/(T−1)."""
    flows = _flows(path)
    return _per_year(required(flows.traded, "traded") / required(flows.mean_value, "mean_value"), path, bars_per_day)


def fee_yield(path: SlicePath, bars_per_day: int) -> PerCandidate:
    """Fees that liquidity providers earn / mean(v) · 525600/(T−1)."""
    flows = _flows(path)
    return _per_year(required(flows.fees, "fees") / required(flows.mean_value, "mean_value"), path, bars_per_day)


def lvr(path: SlicePath, bars_per_day: int) -> PerCandidate:
    """log(V^R/V) · 525600/(T−1), V^R holding the pool's weights by trading on an exchange.

    Milionis, Moallemi, Roughgarden and Zhang, "Automated market making and loss-versus-rebalancing" (2022), where
    trading there costs nothing.
    """
    lost = required(_flows(path).rebalanced, "rebalanced") - jnp.log(growth(path))
    return _per_year(lost, path, bars_per_day)


def _flows(path: SlicePath) -> Flows:
    return Flows() if path.flows is None else path.flows


def _per_year(amount: PerCandidate, path: SlicePath, bars_per_day: int) -> PerCandidate:
    """Times 525600/(T−1), in bars 365 D/(T−1); NaN for a slice of one bar, which spans no time."""
    steps = whole_days(path) * bars_per_day - 1
    if steps == 0:
        return jnp.full_like(amount, jnp.nan)
    return amount * (DAYS_PER_YEAR * bars_per_day / steps)
