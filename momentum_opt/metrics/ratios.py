"""Reward per deviation: the Sharpe ratios and the Sortino ratio (SPEC §10)."""

import math

import jax.numpy as jnp

from momentum_opt.arrays import Array, Float, PerCandidate
from momentum_opt.metrics.blocks import returns
from momentum_opt.metrics.path import SlicePath, daily_returns, log_daily, required
from momentum_opt.units import DAYS_PER_YEAR
from momentum_opt.vocabulary.limits import SMALLEST_STD

_STD_FLOOR = 1e-8


def daily_log_sharpe(path: SlicePath, bars_per_day: int) -> PerCandidate:  # noqa: ARG001
    """√365 · mean/(std + 1e-8) of the differences of log(v[::1440] + 1e-12)."""
    return _sharpe(jnp.diff(log_daily(path), axis=0), DAYS_PER_YEAR, _STD_FLOOR)


def daily_sharpe(path: SlicePath, bars_per_day: int) -> PerCandidate:  # noqa: ARG001
    """√365 · mean/std of the returns of v[::1440]."""
    return _sharpe(returns(path.daily), DAYS_PER_YEAR)


def information_ratio(path: SlicePath, bars_per_day: int) -> PerCandidate:  # noqa: ARG001
    """√365 · mean/std of the daily log returns of v[::1440] in excess of the constant-weight pool's."""
    own = jnp.diff(log_daily(path), axis=0)
    baseline = jnp.diff(required(path.constant_weight, "constant_weight"), axis=0)
    return _sharpe(own - baseline.reshape(baseline.shape + (1,) * (own.ndim - baseline.ndim)), DAYS_PER_YEAR)


def sharpe(path: SlicePath, bars_per_day: int) -> PerCandidate:
    """√525600 · mean/std of minute returns (√(365 D) for other bars)."""
    if path.summary is not None:
        mean, std = _pooled_moments(path, bars_per_day)
        return math.sqrt(DAYS_PER_YEAR * bars_per_day) * _over(mean, std)
    return _sharpe(returns(required(path.minute, "minute")), DAYS_PER_YEAR * bars_per_day)


def sortino(path: SlicePath, bars_per_day: int) -> PerCandidate:  # noqa: ARG001
    """√365 · mean(r)/√mean(min(r, 0)²) of daily returns r."""
    daily = daily_returns(path)
    downside = jnp.sqrt(jnp.mean(jnp.minimum(daily, 0.0) ** 2, axis=0))
    return math.sqrt(DAYS_PER_YEAR) * jnp.mean(daily, axis=0) / downside


def _sharpe(steps: Float[Array, "time *batch"], steps_per_year: int, floor: float = 0.0) -> PerCandidate:
    """√year · mean/(std + floor)."""
    return math.sqrt(steps_per_year) * _over(jnp.mean(steps, axis=0), jnp.std(steps, axis=0), floor)


def _over(mean: PerCandidate, std: PerCandidate, floor: float = 0.0) -> PerCandidate:
    """The mean over std + floor; NaN where nothing varies (one return, or constant ones), whatever the floor."""
    varies = std > max(SMALLEST_STD, float(jnp.finfo(std.dtype).eps))
    return jnp.where(varies, mean / jnp.where(varies, std + floor, 1.0), jnp.nan)


def _pooled_moments(path: SlicePath, bars_per_day: int) -> tuple[PerCandidate, PerCandidate]:
    """Mean and population std of all minute returns: those inside the days, summed up, and those between days."""
    assert path.summary is not None
    means, spreads = required(path.summary.mean, "summary"), required(path.summary.spread, "summary")
    between = path.daily[1:] / required(path.day_end, "day_end")[:-1] - 1.0
    inside = bars_per_day - 1
    count = inside * means.shape[0] + between.shape[0]
    mean = (inside * jnp.sum(means, axis=0) + jnp.sum(between, axis=0)) / count
    apart = jnp.sum(spreads + inside * (means - mean) ** 2, axis=0) + jnp.sum((between - mean) ** 2, axis=0)
    return mean, jnp.sqrt(apart / count)
