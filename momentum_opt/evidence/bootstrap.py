"""Stationary block bootstrap of a Sharpe ratio: daily returns in, an interval of the ratio out (SPEC §13).

D. N. Politis and J. P. Romano, The stationary bootstrap, JASA 89, 1994; block length by D. N. Politis and H. White,
Automatic block-length selection for the dependent bootstrap, Econometric Reviews 23, 2004, with the correction of
A. Patton, D. N. Politis and H. White, Econometric Reviews 28, 2009. The interval is studentised, as O. Ledoit and
M. Wolf advise (Robust performance hypothesis testing with the Sharpe ratio, J. Empirical Finance 15, 2008): each draw
is measured in its own standard error, that of its blocks (F. Götze and H. R. Künsch, Annals of Statistics 24, 1996).
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from momentum_opt.vocabulary.limits import SMALLEST_STD

LEVEL: Final = 0.95
"""Coverage of the interval."""

FEWEST_DAYS: Final = 30
"""Returns below which a resampled series may consist of a single block."""

CELLS_AT_ONCE: Final = 1 << 14
"""Draws × blocks held at once, so that they stay in the cache."""

_SIGNIFICANT: Final = 2.0  # c of the 2004 paper: autocorrelations above c·√(log10 T/T) count
_SMALLEST_SHARE: Final = 0.05  # of R(0), that negative autocorrelations may leave of the long-run variance

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """Where the true Sharpe ratio per observation may lie.

    Attributes:
        low: lower end of the 95 % interval.
        high: upper end.
        not_positive: share of the draws that put it at or below zero.
        block_length: mean length of a block, in observations.
        draws: number of resampled series.
    """

    low: float
    high: float
    not_positive: float
    block_length: float
    draws: int


def sharpe_interval(returns: Values, *, draws: int, seed: int) -> Interval | None:
    """S − t·s over the draws of t = (S* − S)/s*; None where the returns are too few or do not vary.

    Args:
        returns: (day,) in the order of time.
        draws: resampled series.
        seed: of the random numbers.
    """
    if len(returns) < FEWEST_DAYS or not returns.std() > SMALLEST_STD:
        return None
    length = block_length(returns)
    scaled = (returns - returns.mean()) / returns.std()
    sharpe = float(returns.mean() / returns.std())
    error = math.sqrt(_long_run_variance(_influence(scaled, sharpe)) / len(returns))
    ratios = sharpe - error * _studentised(scaled, sharpe, length, draws=draws, rng=np.random.default_rng(seed))
    low, high = np.quantile(ratios, [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0])
    return Interval(float(low), float(high), float((ratios <= 0.0).mean()), length, draws)


def _influence(scaled: Values, sharpe: float) -> Values:
    """ψ = z − S/2·(z² − 1): what one observation adds to T times the estimate of S."""
    return scaled - 0.5 * sharpe * (scaled * scaled - 1.0)


def block_length(returns: Values) -> float:
    """b = (2 G²/D)^(1/3) T^(1/3), G = Σ λ(k/M)|k|R(k), D = 2 (Σ λ(k/M) R(k))²: the best mean length of a block.

    R are autocovariances, λ the flat-top window of half-width M = 2m̂, and m̂ the lag from which on K autocorrelations in
    a row are insignificant. At least 1, at most min(3√T, T/3) rounded up; 1 for fewer than 8 observations.
    """
    count = len(returns)
    if count < 8:
        return 1.0
    longest = math.ceil(min(3.0 * math.sqrt(count), count / 3.0))
    kept, variance = _flat_top(returns)
    density = variance + 2.0 * float(kept.sum())
    if variance <= 0.0:
        return 1.0
    if density == 0.0:
        return float(longest)
    slope = 2.0 * float(kept @ np.arange(1, len(kept) + 1))
    best = (slope**2 / density**2 * count) ** (1.0 / 3.0)  # 2 G²/D = G²/density²
    return float(min(max(best, 1.0), longest))


def _flat_top(values: Values) -> tuple[Values, float]:
    """λ(k/M) R(k) for k = 1 … M, and R(0)."""
    count = len(values)
    run = max(5, math.ceil(math.sqrt(math.log10(count))))
    most = min(math.ceil(math.sqrt(count)) + run, count - 1)
    covariance = _autocovariance(values, most)
    variance = float(covariance[0])
    if variance <= 0.0:
        return np.zeros(1), 0.0
    half_width = min(2 * _cut_off(covariance / variance, count, run), most)
    lag = np.arange(1, half_width + 1)
    return np.minimum(1.0, 2.0 * (1.0 - lag / half_width)) * covariance[1 : half_width + 1], variance


def _long_run_variance(values: Values) -> float:
    """R(0) + 2 Σ λ(k/M) R(k): T times the variance of the mean."""
    kept, variance = _flat_top(values)
    return max(variance + 2.0 * float(kept.sum()), _SMALLEST_SHARE * variance)


def _autocovariance(values: Values, most: int) -> Values:
    """R(0) … R(most), divided by T."""
    apart = values - values.mean()
    count = len(values)
    return np.array([apart[lag:] @ apart[: count - lag] for lag in range(most + 1)]) / count


def _cut_off(correlation: Values, count: int, run: int) -> int:
    """m̂: the first of `run` insignificant lags in a row, as in the usual implementations of the 2004 paper.

    Where there is no such run, the largest significant lag.
    """
    significant = np.abs(correlation[1:]) >= _SIGNIFICANT * math.sqrt(math.log10(count) / count)
    quiet = np.convolve(~significant, np.ones(run), "valid") == run
    if quiet.any():
        return int(quiet.argmax()) + 1
    return int(np.flatnonzero(significant)[-1]) + 1 if significant.any() else len(significant)


def _studentised(scaled: Values, sharpe: float, length: float, *, draws: int, rng: np.random.Generator) -> Values:
    """(draw,) of (S* − S)/s* of resampled series.

    A series is blocks of consecutive days, each from a random day on and of a geometric length with mean `length`, the
    days lying on a circle, cut at T days. Sums over a block are differences of running sums, so a draw costs as many
    operations as it has blocks.

    Args:
        scaled: (day,) returns with mean 0 and population std 1.
        sharpe: S.
        length: mean length of a block.
        draws: resampled series.
        rng: random numbers.
    """
    count = len(scaled)
    twice = np.concatenate([scaled, scaled])
    running = np.zeros((2, 2 * count + 1))
    np.cumsum(np.stack([twice, twice * twice]), axis=1, out=running[:, 1:])
    at_once = max(1, int(CELLS_AT_ONCE * length / count))
    sizes = [min(at_once, draws - done) for done in range(0, draws, at_once)]
    return np.concatenate([_drawn(running, sharpe, *_blocks(count, length, size, rng), count) for size in sizes])


def _drawn(running: Values, sharpe: float, starts: NDArray[np.int64], lengths: NDArray[np.int64], count: int) -> Values:
    """(draw,) of (S* − S)/s* from running sums of z and z²; draws that do not vary are left out."""
    first, second = (run[starts + lengths] - run[starts] for run in running)
    mean = first.sum(axis=1) / count
    variance = second.sum(axis=1) / count - mean**2
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = (sharpe + mean) / np.sqrt(variance)
        # Σ ψ* over each block, of the draw's own mean, variance and ratio.
        apart = (first - lengths * mean[:, None]) / np.sqrt(variance)[:, None]
        square = (second - 2.0 * mean[:, None] * first + lengths * mean[:, None] ** 2) / variance[:, None]
        influence = apart - 0.5 * drawn[:, None] * (square - lengths)
        t = (drawn - sharpe) / (np.sqrt((influence**2).sum(axis=1)) / count)
    return t[np.isfinite(t)]


def _blocks(
    count: int, length: float, draws: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(draw, block) first days and lengths; the lengths of a draw sum to `count`, blocks that are not needed have 0."""
    expected = count / length
    width = min(count, math.ceil(expected + 5.0 * math.sqrt(expected)) + 5)
    ends = np.zeros((draws, 1), np.int64)
    while (ends[:, -1] < count).any():
        more = rng.geometric(1.0 / length, (draws, width))
        ends = np.concatenate([ends, ends[:, -1:] + np.cumsum(more, axis=1)], axis=1)
    lengths = np.diff(np.minimum(ends, count), axis=1)
    return rng.integers(0, count, lengths.shape), lengths
