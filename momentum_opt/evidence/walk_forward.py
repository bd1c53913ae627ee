"""Measure a walk-forward (SPEC §13): joined out-of-sample days, efficiency, and how far the winners spread."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from momentum_opt.evidence.bootstrap import Interval, sharpe_interval
from momentum_opt.evidence.moments import moments_of
from momentum_opt.evidence.sharpe import probabilistic_sharpe_ratio, sharpe_error
from momentum_opt.fingerprint.periods import Days
from momentum_opt.market import Market
from momentum_opt.study.replay import BASELINES, Replay
from momentum_opt.study.space import SearchSpace
from momentum_opt.units import DAYS_PER_YEAR

POOL = "pool"
CURVES = (POOL, *(name for name in BASELINES if name != "rebalanced"))
"""What a pool could be exchanged for: its own weights on an exchange that costs nothing are no such thing."""

_SHARPE_RATIOS: Final = ("daily_log_sharpe", "daily_sharpe", "sharpe", "information_ratio")

Values = NDArray[np.float64]


class FoldDays(NamedTuple):
    """Days of one fold's test, or of several joined."""

    time_ms: NDArray[np.int64]
    """(day,) start of the day."""
    fold: NDArray[np.int64]
    """(day,) the fold it belongs to."""
    returns: Mapping[str, Values]
    """Name of `CURVES` → (day,) log returns from the start of the day to the start of the next one."""


def fold_days(replayed: Replay, market: Market, days: Days, number: int) -> FoldDays:
    """Daily log returns of pool and baselines over a fold's test; the last day ends with its last bar.

    Every baseline starts with the test: it holds the pool's first reserves there, equal values, or the initial weights.
    """
    first, end = (day * market.bars_per_day for day in days)
    marks = np.append(np.arange(first, end, market.bars_per_day), end - 1)
    prices = market.prices[market.start_row :][marks]
    values = {
        POOL: replayed.value[marks],
        "hodl": prices @ replayed.reserves[first],
        "uniform_hodl": (prices / prices[0]).mean(axis=1),
        "constant_weight": replayed.baselines["constant_weight"][marks],
    }
    return FoldDays(
        time_ms=market.times_ms[market.start_row :][marks[:-1]],
        fold=np.full(days[1] - days[0], number),
        returns={name: np.diff(np.log(value)) for name, value in values.items()},
    )


def joined(parts: Sequence[tuple[FoldDays, int]]) -> FoldDays:
    """The first days of each fold's test, one after the other.

    Args:
        parts: each fold and how many of its days count.
    """
    return FoldDays(
        np.concatenate([part.time_ms[:count] for part, count in parts]),
        np.concatenate([part.fold[:count] for part, count in parts]),
        {name: np.concatenate([part.returns[name][:count] for part, count in parts]) for name in CURVES},
    )


@dataclass(frozen=True)
class CurveFindings:
    """What the joined out-of-sample days of one curve come to.

    Attributes:
        total_return: value at the end over value at the start − 1.
        annual_sharpe: √365 · mean/std of its daily log returns; None where they do not vary.
        max_drawdown: worst (value − running maximum)/running maximum at the ends of days.
        probabilistic_sharpe: PSR(0) of its daily log returns.
        excess_probabilistic_sharpe: PSR(0) of those in excess of the constant-weight pool; None for that pool itself.
        interval: bootstrap interval of the daily Sharpe ratio.
    """

    total_return: float
    annual_sharpe: float | None
    max_drawdown: float
    probabilistic_sharpe: float | None
    excess_probabilistic_sharpe: float | None
    interval: Interval | None


def curve_findings(days: FoldDays, name: str, *, draws: int, seed: int) -> CurveFindings:
    """Statistics of one curve over joined days."""
    returns = days.returns[name]
    sharpe = float(moments_of(returns).sharpe)
    value = np.exp(np.concatenate([[0.0], np.cumsum(returns)]))
    top = np.maximum.accumulate(value)
    return CurveFindings(
        total_return=float(value[-1] - 1.0),
        annual_sharpe=_known(sharpe * math.sqrt(DAYS_PER_YEAR)),
        max_drawdown=float(((value - top) / top).min()),
        probabilistic_sharpe=_probabilistic(returns),
        excess_probabilistic_sharpe=(
            None if name == "constant_weight" else _probabilistic(returns - days.returns["constant_weight"])
        ),
        interval=sharpe_interval(returns, draws=draws, seed=seed),
    )


@dataclass(frozen=True)
class Efficiency:
    """How much of the in-sample metric is left out of sample.

    Attributes:
        value: Σ out of sample / Σ in sample over the folds; None where it is not defined.
        error: its standard error; None with a single fold.
        reason: why it is not defined.
    """

    value: float | None
    error: float | None = None
    reason: str | None = None


def efficiency(
    in_sample: Sequence[float], out_of_sample: Sequence[float], errors: Sequence[float | None]
) -> Efficiency:
    """R = Σ O / Σ I of a metric over the folds, with √(n/(n − 1) · Σ (O − R I)²) / Σ I as its standard error.

    The error is that of a ratio estimate (W. G. Cochran, Sampling Techniques, 3rd ed. 1977, §2.11), n folds. The ratio
    is not defined where Σ I is not above zero, or the I of a fold cannot be told from zero: |I| within its own error.

    Args:
        in_sample: (fold,) I.
        out_of_sample: (fold,) O.
        errors: (fold,) standard error of I; None where it is not known, so that it cannot speak against the ratio.
    """
    if not all(math.isfinite(value) for value in (*in_sample, *out_of_sample)):
        return Efficiency(None, reason="a fold does not have the metric")
    total = sum(in_sample)
    if total <= 0.0:
        return Efficiency(None, reason="the in-sample sum is not above zero")
    weak = [
        str(place)
        for place, (value, error) in enumerate(zip(in_sample, errors, strict=True), 1)
        if error is not None and not abs(value) > error
    ]
    if weak:
        which = f"fold{'s' * (len(weak) > 1)} {', '.join(weak)}"
        return Efficiency(None, reason=f"in sample, {which} cannot be told from zero (within one standard error)")
    ratio, n = sum(out_of_sample) / total, len(in_sample)
    if n < 2:
        return Efficiency(ratio)
    squares = sum((one - ratio * other) ** 2 for one, other in zip(out_of_sample, in_sample, strict=True))
    return Efficiency(ratio, math.sqrt(n / (n - 1) * squares) / total)


def in_sample_error(metric: str, returns: Values, excess: Values) -> float | None:
    """Standard error of a metric over the days that it was tuned on; None for metrics without a formula for it.

    Sharpe ratios: that of `sharpe_error`, annualised. Total returns ρ: (1 + ρ)·std·√T of the T log returns (delta
    method), and for the annualised one, (1 + ρ)^(365/T) − 1, its derivative times that.

    Args:
        metric: its name.
        returns: (day,) daily log returns.
        excess: (day,) the same less the constant-weight pool's.
    """
    used = excess if metric == "information_ratio" else returns
    days = len(used)
    if metric in _SHARPE_RATIOS:
        own = moments_of(used)
        return _known(math.sqrt(DAYS_PER_YEAR) * float(sharpe_error(own.sharpe, own.skewness, own.kurtosis, own.n)))
    if metric in ("returns", "annualised_returns"):
        years = 1.0 if metric == "returns" else DAYS_PER_YEAR / days
        return _known(math.exp(years * used.sum()) * years * float(used.std()) * math.sqrt(days))
    return None


@dataclass(frozen=True)
class Stability:
    """How one number moves from fold to fold.

    Attributes:
        values: the winner's, fold by fold.
        mean: of them.
        std: population standard deviation.
        spread: std as a fraction of the search range; `random_spread` is what even draws from the range would have.
    """

    values: tuple[float, ...]
    mean: float
    std: float
    spread: float


def stability(winners: Sequence[Mapping[str, float]], space: SearchSpace) -> dict[str, Stability]:
    """Each number of the search space over the folds' winners."""
    found: dict[str, Stability] = {}
    for one in space.sampled:
        for key, bounds in zip(one.keys, one.whole, strict=True):
            values = np.array([numbers[key] for numbers in winners])
            places = np.log(values) if bounds.log_scale else values
            low, high = (math.log(x) if bounds.log_scale else x for x in (bounds.low, bounds.high))
            spread = float(places.std() / (high - low))
            found[key] = Stability(tuple(map(float, values)), float(values.mean()), float(values.std()), spread)
    return found


def overall_spread(found: Mapping[str, Stability]) -> float | None:
    """Root mean square of the spreads of all searched numbers; None without any."""
    return math.sqrt(sum(one.spread**2 for one in found.values()) / len(found)) if found else None


def random_spread(n_folds: int) -> float:
    """√((n − 1)/(12 n)): root mean square of the spread of n even draws from a range; 0.29 for many folds."""
    return math.sqrt((n_folds - 1) / (12.0 * n_folds))


def _probabilistic(returns: Values) -> float | None:
    own = moments_of(returns)
    return _known(float(probabilistic_sharpe_ratio(own.sharpe, own.skewness, own.kurtosis, own.n)))


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
