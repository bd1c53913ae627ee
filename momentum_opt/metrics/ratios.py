"""Reward per deviation: the Sharpe ratios and the Sortino ratio (SPEC §10)."""

import math

import jax.numpy as jnp

from momentum_opt.arrays import Array, Float, PerCandidate
from momentum_opt.metrics.blocks import returns
from momentum_opt.metrics.path import SlicePath, required
from momentum_opt.units import DAYS_PER_YEAR

LOG_FLOOR = 1e-12
_STD_FLOOR = 1e-8


def daily_log_sharpe(path: SlicePath, bars_per_day: int) -> PerCandidate:  # noqa: ARG001
    """√365 · mean/(std + 1e-8) of the differences of log(v[::1440] + 1e-12)."""
    steps = jnp.diff(jnp.log(path.daily + LOG_FLOOR), axis=0)
    return math.sqrt(DAYS_PER_YEAR) * jnp.mean(steps, axis=0) / (jnp.std(steps, axis=0) + _STD_FLOOR)


def daily_sharpe(path: SlicePath, bars_per_day: int) -> PerCandidate:  # noqa: ARG001
    """√365 · mean/std of the returns of v[::1440]."""
    return _sharpe(returns(path.daily), DAYS_PER_YEAR)


def sharpe(path: SlicePath, bars_per_day: int) -> PerCandidate:
    """√525600 · mean/std of minute returns (√(365 D) for other bars)."""
    return _sharpe(returns(required(path.minute, "minute")), DAYS_PER_YEAR * bars_per_day)


def sortino(path: SlicePath, bars_per_day: int) -> PerCandidate:  # noqa: ARG001
    """√365 · mean(r)/√mean(min(r, 0)²) of daily returns r."""
    daily = returns(path.daily)
    downside = jnp.sqrt(jnp.mean(jnp.minimum(daily, 0.0) ** 2, axis=0))
    return math.sqrt(DAYS_PER_YEAR) * jnp.mean(daily, axis=0) / downside


def _sharpe(steps: Float[Array, "time *batch"], steps_per_year: int) -> PerCandidate:
    return math.sqrt(steps_per_year) * jnp.mean(steps, axis=0) / jnp.std(steps, axis=0)
