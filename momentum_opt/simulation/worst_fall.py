"""Worst falls of many candidates at every bar, of which few are looked at (SPEC §8, §10): block starts in, falls out.

From the first bar of a block to its bar τ the log value grows by s·A(τ) + d·B(τ) − E(τ) (see `closed_form`), where
A(τ) = Σ ℓ(τ′) and B(τ) = Σ min(τ′, M) ℓ(τ′) over τ′ < τ are of prices alone. E(τ), what moving the weights costs, is a
sum of relative entropies: it is never negative and only grows. So the extremes of A and B bound the highest and the
lowest value of a block, and their product with the weights bounds them closely. Only the blocks that may hold the top
or the bottom of a candidate's worst fall are computed with E. NumPy alone: nothing is compiled.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

Bounds = tuple[Values, Values]
"""(block, candidate) what a number is not below, and not above."""

_ROUNDING: Final = 1e-12
"""Added to bounds of log values."""


class BlockPaths(NamedTuple):
    """Candidates at the starts of blocks whose weights move in straight lines, arbitraged at every bar."""

    weights: Values
    """(block, asset, candidate) at the first bar of each block."""
    step: Values
    """(block, asset, candidate) per bar, while they move."""
    log_value: Values
    """(block, candidate) at the first bar."""
    moving: Values
    """(block,) bars of the block that the weights still move, M."""


def worst_falls(paths: BlockPaths, log_prices: Values) -> Values:
    """The worst (v − running maximum)/maximum over all bars of the blocks.

    Args:
        paths: blocks that follow one another.
        log_prices: (block, bar, asset) logarithms of the prices.

    Returns:
        (candidate,) falls, 0 where the value never falls.
    """
    since, lines = _since_the_start(paths.moving, log_prices), np.concatenate([paths.weights, paths.step], axis=1)
    cost = _cost(paths.weights, paths.step, paths.moving[:, None, None]).sum(axis=1) + _ROUNDING
    top, bottom = _extremes_by_token(paths, since, lines, cost)
    wanted = _may_matter(top, bottom)
    for block, some in _by_block(wanted):
        growth = since[block] @ lines[block][:, some]
        for (least, most), value in ((top, growth.max(axis=0)), (bottom, growth.min(axis=0))):
            most[block, some] = value + paths.log_value[block, some] + _ROUNDING
            least[block, some] = most[block, some] - cost[block, some] - _ROUNDING
    return np.expm1(-_exact_falls(paths, since, lines, wanted & _may_matter(top, bottom)))


def _since_the_start(moving: Values, log_prices: Values) -> Values:
    """(block, bar, 2 · asset) A and B of every bar."""
    blocks, bars, assets = log_prices.shape
    found = np.zeros((blocks, bars, 2 * assets))
    found[:, :, :assets] = log_prices - log_prices[:, :1]
    moved = np.minimum(np.arange(bars - 1.0), moving[:, None])
    np.cumsum(moved[:, :, None] * np.diff(log_prices, axis=1), axis=1, out=found[:, 1:, assets:])
    return found


def _extremes_by_token(paths: BlockPaths, since: Values, lines: Values, cost: Values) -> tuple[Bounds, Bounds]:
    """Bounds of each block's highest log value and of its lowest, from the extremes of A and B of every token."""
    low, high = since.min(axis=1)[:, :, None], since.max(axis=1)[:, :, None]
    rises, falls = np.maximum(lines, 0.0), np.minimum(lines, 0.0)
    start = paths.log_value
    most = start + (rises * high + falls * low).sum(axis=1) + _ROUNDING
    least = start + (rises * low + falls * high).sum(axis=1) - cost
    return (start.copy(), most), (least, start.copy())


def _by_block(wanted: NDArray[np.bool_]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Each block that is wanted, with its candidates."""
    for block in np.flatnonzero(wanted.any(axis=1)).tolist():
        yield block, np.flatnonzero(wanted[block])


def _may_matter(top: Bounds, bottom: Bounds) -> NDArray[np.bool_]:
    """(block, candidate) whether the worst fall may begin or end in a block, whose highest and lowest are bounded."""
    before = np.maximum.accumulate(top[0], axis=0)[:-1]
    surely = np.maximum(0.0, (before - bottom[1][1:]).max(axis=0, initial=0.0))  # some fall is as deep as this
    highest_yet = np.maximum.accumulate(top[1], axis=0)
    lowest_from_here = np.minimum.accumulate(bottom[0][::-1], axis=0)[::-1]
    return (highest_yet - bottom[0] >= surely) | (top[1] - lowest_from_here >= surely)


def _exact_falls(paths: BlockPaths, since: Values, lines: Values, wanted: NDArray[np.bool_]) -> Values:
    """(candidate,) log of running maximum over value, at its largest in the wanted blocks."""
    high, low, fall = np.full((3, *wanted.shape), [[[-np.inf]], [[np.inf]], [[0.0]]])
    bar = np.arange(since.shape[1])[:, None, None]
    for block, some in _by_block(wanted):
        weights, step = paths.weights[block][:, some], paths.step[block][:, some]
        cost = _cost(weights, step, np.minimum(bar, paths.moving[block])).sum(axis=1)
        path = paths.log_value[block, some] - cost
        for of_prices, line in zip(since[block].T, lines[block][:, some], strict=True):
            path += np.outer(of_prices, line)  # not one product: its last bits would depend on who stands beside whom
        high[block, some], low[block, some] = path.max(axis=0), path.min(axis=0)
        fall[block, some] = (np.maximum.accumulate(path, axis=0) - path).max(axis=0)
    before = np.maximum.accumulate(high, axis=0)[:-1]
    return np.maximum(fall.max(axis=0), (before - low[1:]).max(axis=0, initial=0.0))


def _cost(start: Values, step: Values, bars: Values) -> Values:
    """E of each token after so many bars: the sum of `closed_form`, for numbers on the host."""
    move = step * bars
    end, d2 = start + move, step * step
    u, v = 1.0 / end, 1.0 / start
    u2, v2 = u * u, v * v
    powers = (u - v) / 12.0 - d2 * ((u * u2 - v * v2) / 360.0 - d2 * (u * u2 * u2 - v * v2 * v2) / 1260.0)
    return move + 0.5 * step * np.log1p(move * v) - d2 * powers
