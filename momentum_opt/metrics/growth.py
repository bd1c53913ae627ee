"""Total returns of a slice, absolute and over two ways of holding (SPEC §10); they read the slice's ends only."""

import jax.numpy as jnp

from momentum_opt.arrays import PerCandidate
from momentum_opt.metrics.path import SlicePath, required, whole_days
from momentum_opt.units import DAYS_PER_YEAR


def growth(path: SlicePath) -> PerCandidate:
    """ρ = v_end / v_0."""
    return required(path.last, "last") / path.daily[0]


def growth_over_hodl(path: SlicePath) -> PerCandidate:
    """ρ = v_end / Σ R_0 p_end."""
    return required(path.last, "last") / required(path.hodl_last, "hodl_last")


def growth_over_uniform_hodl(path: SlicePath) -> PerCandidate:
    """ρ = v_end / Σ_i (v_0/(n p_0i)) p_end,i."""
    return required(path.last, "last") / required(path.uniform_hodl_last, "uniform_hodl_last")


def total_return(path: SlicePath, bars_per_day: int) -> PerCandidate:  # noqa: ARG001
    """ρ − 1."""
    return growth(path) - 1.0


def total_return_over_hodl(path: SlicePath, bars_per_day: int) -> PerCandidate:  # noqa: ARG001
    """ρ − 1 over holding the first reserves."""
    return growth_over_hodl(path) - 1.0


def total_return_over_uniform_hodl(path: SlicePath, bars_per_day: int) -> PerCandidate:  # noqa: ARG001
    """ρ − 1 over holding equal values."""
    return growth_over_uniform_hodl(path) - 1.0


def annualised_return(path: SlicePath, bars_per_day: int) -> PerCandidate:
    """ρ^(525600/(T−1)) − 1."""
    return _annualised(growth(path), path, bars_per_day)


def annualised_return_over_hodl(path: SlicePath, bars_per_day: int) -> PerCandidate:
    """ρ^(525600/(T−1)) − 1 over holding the first reserves."""
    return _annualised(growth_over_hodl(path), path, bars_per_day)


def annualised_return_over_uniform_hodl(path: SlicePath, bars_per_day: int) -> PerCandidate:
    """ρ^(525600/(T−1)) − 1 over holding equal values."""
    return _annualised(growth_over_uniform_hodl(path), path, bars_per_day)


def yearly_return(path: SlicePath) -> PerCandidate:
    """(1 + total return)^A − 1 with A = 365 D/T, as raroc, sterling and calmar annualise (T, not T − 1)."""
    return growth(path) ** (DAYS_PER_YEAR / whole_days(path)) - 1.0


def _annualised(ratio: PerCandidate, path: SlicePath, bars_per_day: int) -> PerCandidate:
    """ρ^(525600/(T−1)) − 1; in bars 525600 is 365 D. NaN for a slice of one bar, which spans no time."""
    steps = whole_days(path) * bars_per_day - 1
    if steps == 0:
        return jnp.full_like(ratio, jnp.nan)
    return ratio ** (DAYS_PER_YEAR * bars_per_day / steps) - 1.0
