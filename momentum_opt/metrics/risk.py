"""Value at risk, and reward per value at risk (SPEC §10). Blocks are whole days: 1, 7 or 30 of them."""

import math

import jax.numpy as jnp

from momentum_opt.arrays import Array, PerCandidate
from momentum_opt.metrics.blocks import in_blocks, percentile, reduced, returns
from momentum_opt.metrics.growth import yearly_return
from momentum_opt.metrics.path import SlicePath, daily_returns, required, whole_days
from momentum_opt.units import DAYS_PER_YEAR

_FIFTH = 5.0


def cvar_95(path: SlicePath, bars_per_day: int) -> PerCandidate:  # noqa: ARG001
    """Mean of the daily returns at or below their 5th percentile."""
    daily = daily_returns(path)
    edge = percentile(daily, _FIFTH)

    def tail(some: Array) -> tuple[Array, Array]:
        return jnp.where(some <= edge, some, 0.0), jnp.where(some <= edge, jnp.ones_like(some), 0.0)

    total, count = reduced(daily, tail, ("sum", "sum"))
    return total / count


def block_var(path: SlicePath, bars_per_day: int, *, days: int, percent: float) -> PerCandidate:
    """Mean over blocks of the percentile of each block's own minute returns."""
    if path.summary is not None:
        tails = path.summary.tails if days == 1 else path.summary.tracks[0].tails
        return jnp.mean(in_blocks(required(tails.get((days, percent)), "summary"), days)[:, -1], axis=0)
    blocks = in_blocks(required(path.minute, "minute"), days * bars_per_day)
    return jnp.mean(percentile(returns(blocks, axis=1), percent, axis=1), axis=0)


def trad_var(path: SlicePath, bars_per_day: int, *, days: int, percent: float) -> PerCandidate:  # noqa: ARG001
    """Percentile of the returns between the last values of consecutive blocks."""
    block_ends = required(path.day_end, "day_end")[days - 1 :: days]
    return percentile(returns(block_ends), percent) if block_ends.shape[0] else _unavailable(path)


def raroc(path: SlicePath, bars_per_day: int, *, days: int) -> PerCandidate:
    """−((1 + total return)^A − 1) / (VaR95·√(A·D/block)), A = 365 D/T."""
    var = block_var(path, bars_per_day, days=days, percent=_FIFTH)
    return -yearly_return(path) / (var * _root_of_blocks(path, days))


def rovar(path: SlicePath, bars_per_day: int, *, days: int) -> PerCandidate:
    """−mean over blocks of ((last/first)^(365 D/block) − 1) / (VaR95·√(A·D/block))."""
    var = block_var(path, bars_per_day, days=days, percent=_FIFTH)
    return -_mean_yearly_block_return(path, days) / (var * _root_of_blocks(path, days))


def trad_rovar(path: SlicePath, bars_per_day: int, *, days: int) -> PerCandidate:
    """As `rovar`, with the value at risk of the returns between blocks."""
    var = trad_var(path, bars_per_day, days=days, percent=_FIFTH)
    return -_mean_yearly_block_return(path, days) / (var * _root_of_blocks(path, days))


def _mean_yearly_block_return(path: SlicePath, days: int) -> PerCandidate:
    """Mean over complete blocks of (last/first)^(365 D/block) − 1; first and last minute of each block."""
    first = in_blocks(path.daily, days)[:, 0]
    last = in_blocks(required(path.day_end, "day_end"), days)[:, -1]
    return jnp.mean((last / first) ** (DAYS_PER_YEAR / days) - 1.0, axis=0)


def _root_of_blocks(path: SlicePath, days: int) -> float:
    """√(A·D/block) with A = 365 D/T, and T and the block in whole days: the D cancel."""
    return math.sqrt(DAYS_PER_YEAR / whole_days(path) / days)


def _unavailable(path: SlicePath) -> PerCandidate:
    return jnp.full_like(path.daily[0], jnp.nan)
