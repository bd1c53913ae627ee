"""Markets with a planted trend in, what the best momentum pool truly earns from it out.

    python -m benchmarks.planted [--amplitudes 2 4 6] [--years 200]

A market is one path of two risky tokens and a stable one, minute by minute. The noise has a common and an own part,
Student-t shocks with 4 degrees of freedom, and a slow random scale c(t), as crypto's has. Its drift is

    d log p_i / dt = c²(t)·((Σw)_i − Σ_ii/2) + amplitude·σ_i·d_i(t)/√year

with Σ the covariance of a year, σ_i² = Σ_ii, w the constant weights, and d_i = ±1 in spells of 20 days on average. The
first term makes w the growth-optimal weights of who foresees nothing (the gradient Σw − Σv of the expected log growth
of weights v vanishes at v = w), so that at amplitude 0 no pool's true excess over the constant-weight pool is above
zero. The second would earn an annual Sharpe ratio of `amplitude` for who knew d_i and held that token alone.

A pool knows the past alone, so it earns less. What the best one earns is measured here: parameter sets are searched on
markets of their own, and the best is scored on fresh ones. `AMPLITUDES` holds the amplitude for each strength, the
annual Sharpe ratio of the best pool's excess.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import qmc

from momentum_opt import device
from momentum_opt.evidence.moments import block_moments, combined
from momentum_opt.fingerprint import Fingerprint, load_fingerprint
from momentum_opt.market import Market
from momentum_opt.study.candidates import ParamColumns
from momentum_opt.study.constant_weight import constant_weight_log_growth
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.space import SearchSpace, search_space
from momentum_opt.units import DAYS_PER_YEAR, MINUTES_PER_DAY, MINUTES_PER_YEAR

AMPLITUDES: Final[Mapping[float, float]] = {0.0: 0.0, 2.0: 3.25, 3.0: 4.13, 4.0: 4.97, 5.0: 5.8, 6.0: 6.65}
"""Strength → amplitude, on the curve that this module measures."""

FIRST: Final = pd.Timestamp("2021-01-01", tz="UTC")
TOKENS: Final = ("AAA", "BBB", "USD")
VOLATILITY: Final = np.array([0.6, 0.8, 0.0])
"""σ, per square root of a year."""
COMMON: Final = 0.7
"""Correlation of the risky tokens' noise."""
SPELL_DAYS: Final = 20.0
PERSISTENCE: Final = 0.97
SHOCK: Final = 0.08
"""Of the hourly logarithm of the noise's scale."""
HISTORY: Final = 120
"""Days before the pool's first one, and the longest memory."""
TRAIN: Final = 365
"""Days."""

WIDTH: Final = 256
DRAWN, FIRST_YEARS, KEPT, YEARS = 2048, 12, 64, 48
"""Parameter sets drawn, markets they are scored on, how many go on, markets those are scored on."""
OWN_SEEDS: Final = 10**6
"""Added to the seeds of the markets here, so that they are no others' markets."""
PARENTS: Final = 8
WIDTHS: Final = (0.12, 0.06, 0.03, 0.015)
"""Standard deviations of the steps from the best sets so far, as shares of the ranges."""


def closes(amplitude: float, seed: int, days: int) -> NDArray[np.float64]:
    """(minute, token) closes; see the head of this module. The same noise and spells for every amplitude."""
    rng = np.random.default_rng(seed)
    count = days * MINUTES_PER_DAY
    scale = _scale(rng, days)
    common = _shocks(rng, count)
    drift = growth_optimal_drift() / MINUTES_PER_YEAR
    prices = np.ones((count, len(TOKENS)))
    for place, volatility in enumerate(VOLATILITY):
        if volatility == 0.0:
            continue
        noise = np.sqrt(COMMON) * common + np.sqrt(1.0 - COMMON) * _shocks(rng, count)
        trend = amplitude * volatility * _directions(rng, days) / MINUTES_PER_YEAR
        steps = volatility / np.sqrt(MINUTES_PER_YEAR) * scale * noise + drift[place] * scale**2
        prices[:, place] = 100.0 * np.exp(np.cumsum(steps + np.repeat(trend, MINUTES_PER_DAY)))
    return prices


def noise_covariance() -> NDArray[np.float64]:
    """Σ, of a year's log returns at a scale of one."""
    correlation = np.full((len(TOKENS), len(TOKENS)), COMMON) + (1.0 - COMMON) * np.eye(len(TOKENS))
    return np.outer(VOLATILITY, VOLATILITY) * correlation


def growth_optimal_drift() -> NDArray[np.float64]:
    """Σw − diag(Σ)/2: drift of the log prices per year at which equal weights w grow fastest."""
    covariance, constant = noise_covariance(), np.full(len(TOKENS), 1.0 / len(TOKENS))
    return covariance @ constant - 0.5 * np.diag(covariance)


def _directions(rng: np.random.Generator, days: int) -> NDArray[np.float64]:
    """±1, day by day."""
    turns = rng.random(days) < 1.0 / SPELL_DAYS
    return np.where((np.cumsum(turns) + rng.integers(2)) % 2, 1.0, -1.0)


def _shocks(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Student-t with 4 degrees of freedom, scaled to variance one."""
    return rng.standard_t(4, count) / np.sqrt(2.0)


def _scale(rng: np.random.Generator, days: int) -> NDArray[np.float64]:
    """c, minute by minute: exp of an hourly autoregression in its stationary state, with a mean square of one."""
    variance = SHOCK**2 / (1.0 - PERSISTENCE**2)
    shocks = SHOCK * rng.standard_normal(days * 24)
    shocks[0] *= np.sqrt(variance) / SHOCK
    logs = lfilter([1.0], [1.0, -PERSISTENCE], shocks)
    return np.repeat(np.exp(logs - variance), 60)


@dataclass(frozen=True)
class Truth:
    """What the best pool found earns on markets that it was not chosen on.

    Attributes:
        amplitude: of the trend.
        sharpe: annual Sharpe ratio of its daily log returns in excess of the constant-weight pool's.
        error: its standard error, 1/√years.
        chosen_at: the same ratio on the markets that it was chosen on.
        numbers: its parameters.
    """

    amplitude: float
    sharpe: float
    error: float
    chosen_at: float
    numbers: Mapping[str, float]


def best_pool(amplitude: float, years: int) -> Truth:
    """Search parameter sets on `YEARS` markets, and score the best one on `years` others."""
    fingerprint = _fingerprint()
    space = search_space(fingerprint)
    chosen_on = list(_evaluators(amplitude, range(YEARS), fingerprint))

    def ratios(unit: NDArray[np.float64], some: Iterable[Evaluator]) -> NDArray[np.float64]:
        return _ratios(space.columns(_rows(unit, space)), some)

    unit = qmc.Sobol(len(space.ranges), seed=0).random(DRAWN)
    unit = unit[np.argsort(-ratios(unit, chosen_on[:FIRST_YEARS]))[:KEPT]]
    found = ratios(unit, chosen_on)
    rng = np.random.default_rng(0)
    for width in WIDTHS:
        parents = unit[np.argsort(-found)[:PARENTS]]
        steps = width * rng.standard_normal((WIDTH // PARENTS, *parents.shape))
        children = np.clip(parents + steps, 0.0, 1.0).reshape(WIDTH, -1)
        unit, found = np.concatenate([unit, children]), np.concatenate([found, ratios(children, chosen_on)])
    best = int(np.argmax(found))
    fresh = ratios(unit[best : best + 1], _evaluators(amplitude, range(YEARS, YEARS + years), fingerprint))
    numbers = dict(zip(space.ranges, _rows(unit[best : best + 1], space)[0].tolist(), strict=True))
    return Truth(amplitude, float(fresh[0]), years**-0.5, float(found[best]), numbers)


def _evaluators(amplitude: float, seeds: Iterable[int], fingerprint: Fingerprint) -> Iterator[Evaluator]:
    """One for each market; all of them run the same program."""
    for seed in seeds:
        market = _market(closes(amplitude, OWN_SEEDS + seed, HISTORY + TRAIN))
        growth = constant_weight_log_growth(fingerprint, market)
        yield Evaluator(fingerprint, market, batch_size=WIDTH, constant_weight=growth)


def _ratios(columns: ParamColumns, evaluators: Iterable[Evaluator]) -> NDArray[np.float64]:
    """Annual Sharpe ratios of the daily excess over the days of all markets together, one per parameter set."""
    parts = [evaluator.score_columns(columns).blocks for evaluator in evaluators]
    whole = np.concatenate([blocks for blocks in parts if blocks is not None], axis=2)
    excess = combined(block_moments(whole, excess=True))
    return np.nan_to_num(excess.sharpe * np.sqrt(DAYS_PER_YEAR), nan=-np.inf)


def _rows(unit: NDArray[np.float64], space: SearchSpace) -> NDArray[np.float64]:
    low, high = space.bounds
    return low + unit * (high - low)


def _fingerprint() -> Fingerprint:
    end = (FIRST + pd.Timedelta(days=HISTORY + TRAIN)).strftime("%Y-%m-%d")
    start = (FIRST + pd.Timedelta(days=HISTORY)).strftime("%Y-%m-%d")
    config = {
        "tokens": list(TOKENS),
        "window": {"start": start, "end": end, "validation_fraction": 0.0},
        "pool": {"max_memory_days": HISTORY},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "planted.yaml"
        path.write_text(json.dumps(config))
        return load_fingerprint(path)


def _market(prices: NDArray[np.float64]) -> Market:
    return Market(TOKENS, 1, FIRST.value // 10**6, prices, HISTORY * MINUTES_PER_DAY, HISTORY, ())


def main() -> None:
    """Print what the best pool earns at each amplitude."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--amplitudes", type=float, nargs="+", default=list(AMPLITUDES.values()))
    parser.add_argument("--years", type=int, default=200)
    options = parser.parse_args()
    device.configure()
    for amplitude in options.amplitudes:
        began = time.perf_counter()
        truth = best_pool(amplitude, options.years)
        numbers = ", ".join(f"{name} {value:.2f}" for name, value in truth.numbers.items())
        print(
            f"amplitude {amplitude:g}: annual excess Sharpe ratio {truth.sharpe:.2f} ± {truth.error:.2f} on "
            f"{options.years} fresh years ({truth.chosen_at:.2f} where it was chosen); {numbers}; "
            f"{time.perf_counter() - began:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
