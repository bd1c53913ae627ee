"""Drawdowns: falls of the value from its running maximum (SPEC §10), over the whole slice or inside blocks of days."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from momentum_opt.arrays import Array, Float, PerCandidate
from momentum_opt.metrics.blocks import in_blocks, lowest
from momentum_opt.metrics.growth import yearly_return
from momentum_opt.metrics.path import SlicePath, required, whole_days
from momentum_opt.units import DAYS_PER_MONTH, DAYS_PER_WEEK


class Drawdowns(NamedTuple):
    """Summary per block of (v − running maximum within the block)/that maximum."""

    worst: Float[Array, "block *batch"]
    mean_square: Float[Array, "block *batch"]


def greatest_draw_down(path: SlicePath, bars_per_day: int) -> PerCandidate:  # noqa: ARG001
    """The lowest fall below the first value, min(v − v_0)/v_0."""
    first = path.daily[0]
    if path.summary is not None:
        return (lowest(required(path.summary.lowest, "summary")) - first) / first
    return (lowest(required(path.minute, "minute")) - first) / first


def max_drawdown(path: SlicePath, bars_per_day: int) -> PerCandidate:
    """The min over all minutes of (v − running max)/running max."""
    return _worst(path, bars_per_day, whole_days(path))[0]


def weekly_max_drawdown(path: SlicePath, bars_per_day: int) -> PerCandidate:
    """The same inside complete blocks of 7 days; the worst of all."""
    return lowest(_worst(path, bars_per_day, DAYS_PER_WEEK))


def ulcer(path: SlicePath, bars_per_day: int) -> PerCandidate:
    """−mean over blocks of 30 days of √mean(drawdown²)."""
    if path.summary is None:
        mean_square = _drawdowns(path, bars_per_day, DAYS_PER_MONTH).mean_square
    else:
        squares = required(path.summary.tracks[0].squares, "summary")
        mean_square = in_blocks(squares, DAYS_PER_MONTH)[:, -1] / (DAYS_PER_MONTH * bars_per_day)
    return -jnp.mean(jnp.sqrt(mean_square), axis=0)


def sterling(path: SlicePath, bars_per_day: int) -> PerCandidate:
    """((1 + total return)^A − 1) / −mean over blocks of 30 days of the worst drawdown."""
    return yearly_return(path) / -jnp.mean(_worst(path, bars_per_day, DAYS_PER_MONTH), axis=0)


def calmar(path: SlicePath, bars_per_day: int) -> PerCandidate:
    """((1 + total return)^A − 1) / −(worst drawdown of the whole slice)."""
    return yearly_return(path) / -max_drawdown(path, bars_per_day)


def _worst(path: SlicePath, bars_per_day: int, days: int) -> Float[Array, "block *batch"]:
    """The worst drawdown inside consecutive blocks of `days` whole days.

    From day to day: each day's own, and the fall to its lowest value from the highest of the block's earlier days.
    """
    if path.summary is None:
        return _drawdowns(path, bars_per_day, days).worst
    low, high, fall = (
        in_blocks(required(part, "summary"), days)
        for part in (path.summary.lowest, path.summary.highest, path.summary.fall)
    )
    peak = lax.cummax(high, axis=1)[:, :-1]
    return lowest(jnp.concatenate([fall, (low[:, 1:] - peak) / peak], axis=1), axis=1)


def _drawdowns(path: SlicePath, bars_per_day: int, days: int) -> Drawdowns:
    """Drawdowns inside consecutive blocks of `days` whole days."""
    blocks = in_blocks(required(path.minute, "minute"), days * bars_per_day)
    return drawdowns(blocks.reshape(blocks.shape[0], days, bars_per_day, *blocks.shape[2:]))


def drawdowns(values: Float[Array, "block day bar *batch"]) -> Drawdowns:
    """Worst and mean square drawdown of each block.

    All days walk through their bars side by side, each starting from the highest value of the earlier days of its
    block. No running maximum of the whole length is ever stored, which makes this about five times faster on a CPU
    than a cumulative maximum along time.
    """
    bars = values.shape[2]

    def step(bar: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        peak, worst, squares = carry
        value = lax.dynamic_index_in_dim(values, bar, axis=2, keepdims=False)
        peak = jnp.maximum(peak, value)
        fall = (value - peak) / peak
        return peak, jnp.minimum(worst, fall), squares + fall * fall

    start = _peak_before_each_day(values)
    _, worst, squares = lax.fori_loop(0, bars, step, (start, jnp.zeros_like(start), jnp.zeros_like(start)))
    return Drawdowns(lowest(worst, axis=1), jnp.mean(squares, axis=1) / bars)


def _peak_before_each_day(values: Float[Array, "block day bar *batch"]) -> Float[Array, "block day *batch"]:
    """The highest value of the block before each day; for its first day the block's first value."""
    highest = lax.cummax(jnp.max(values, axis=2), axis=1)
    return jnp.concatenate([values[:, :1, 0], highest[:, :-1]], axis=1)
