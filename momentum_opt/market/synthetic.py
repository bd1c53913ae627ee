"""A recipe in, one-minute closes of invented tokens out: risky ones that move together, and a stablecoin.

The log price of a risky token is the sum of minute returns with Student-t shocks (4 degrees of freedom, as fat-tailed
as crypto). Their scale follows the market's regime and a slow random factor per hour; their drift follows the market's
regime and, for each token, a spell of its own, so that trends last for weeks and can be found. A weak pull towards the
first price keeps any seed's prices within reason. Only uniform draws are taken from the generator, the part of numpy's
streams that is simplest and so the least likely to change between versions.
"""

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from jaxtyping import Float64

from momentum_opt.units import MINUTES_PER_DAY, MINUTES_PER_YEAR

_HOURS_PER_DAY = 24
_MINUTES_PER_HOUR = 60
_PER_MINUTE = 1.0 / np.sqrt(MINUTES_PER_YEAR)

REGIMES: Final = ("rising", "falling", "quiet", "turbulent")
"""Market regimes; the figures below are in this order."""

_REGIME_DRIFT = np.array([0.008, -0.008, 0.0, -0.001])  # log return per day
_REGIME_VOLATILITY = np.array([0.38, 0.50, 0.26, 0.68])  # per square root of a year

# Spells of one token: ahead of the market, with it, behind it.
_SPELL_DRIFT = np.array([0.004, 0.0, -0.004])  # log return per day
_SPELL_DAYS = 20.0

_PULL_DAYS = 100.0  # the time in which the pull towards the first price takes back 63 % of a move
_VOLATILITY_PERSISTENCE, _VOLATILITY_SHOCK = 0.97, 0.08  # of the hourly log volatility factor
_PEG_PERSISTENCE, _PEG_SHOCK, _PEG_NOISE = 0.98, 0.00012, 0.00005  # hourly deviation from 1; noise per minute


@dataclass(frozen=True, slots=True)
class _Risky:
    """A risky token: the steps of its prices, where it starts, and how it moves with the market and by itself."""

    decimals: int
    first_price: float
    market_beta: float
    own_volatility: float  # per square root of a year


_RISKY: Final = {
    "SYNA": _Risky(0, 24_000.0, 1.0, 0.15),
    "SYNB": _Risky(1, 1_600.0, 1.15, 0.35),
    "SYNC": _Risky(2, 90.0, 1.3, 0.5),
    "SYND": _Risky(3, 7.0, 1.2, 0.45),
    "SYNE": _Risky(2, 320.0, 0.9, 0.25),
    "SYNF": _Risky(4, 0.6, 1.25, 0.6),
    "SYNG": _Risky(1, 2_000.0, 0.05, 0.12),
}
_STABLE: Final = "SYNUSD"
_STABLE_DECIMALS: Final = 4
FEWEST_TOKENS: Final = 2
MOST_TOKENS: Final = len(_RISKY) + 1

Minutes = Float64[np.ndarray, "minute"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides about a sample, down to the last digit.

    Attributes:
        seed: of the random numbers.
        days: length from the first bar on.
        tokens: how many; the last one is a stablecoin.
        bar_minutes: bar of the files; a bar's close is that of its last minute.
        volatility: factor on every risky token's volatility.
        regimes: which of `REGIMES` take turns; the first one begins.
        regime_days: their mean length.
    """

    seed: int = 0
    days: int = 400
    tokens: int = 3
    bar_minutes: int = 1
    volatility: float = 1.0
    regimes: tuple[str, ...] = REGIMES
    regime_days: float = 30.0

    @property
    def names(self) -> tuple[str, ...]:
        """The tokens' names."""
        return (*tuple(_RISKY)[: self.tokens - 1], _STABLE)

    def not_default(self) -> dict[str, Any]:
        """What differs from the defaults, seed and days apart."""
        default = type(self)()
        named = [field.name for field in fields(self) if field.name not in ("seed", "days")]
        return {name: getattr(self, name) for name in named if getattr(self, name) != getattr(default, name)}


def decimals(token: str) -> int:
    """Decimals of a token's prices; the smallest step is one unit of the last."""
    return _STABLE_DECIMALS if token == _STABLE else _RISKY[token].decimals


def synthetic_closes(recipe: Recipe) -> dict[str, Minutes]:
    """Closes of the recipe's tokens, `days` * 1440 minutes each whatever its bar, rounded to their decimals.

    Equal recipes give equal closes, and the risky tokens of a smaller recipe are those of a larger one.
    """
    days = recipe.days
    rng = np.random.Generator(np.random.PCG64(recipe.seed))
    chosen = np.array([REGIMES.index(name) for name in recipe.regimes])
    regime = chosen[_states(rng, days, len(chosen), recipe.regime_days)]
    volatility = np.repeat(_REGIME_VOLATILITY[regime], _HOURS_PER_DAY) * _volatility_factor(rng, days)
    scale = recipe.volatility * _PER_MINUTE
    market = _shocks(rng, days * MINUTES_PER_DAY) * np.repeat(volatility, _MINUTES_PER_HOUR) * scale
    closes = {name: _risky(rng, market, _REGIME_DRIFT[regime], _RISKY[name], scale) for name in recipe.names[:-1]}
    closes[_STABLE] = _stable(rng, days)
    return {token: np.round(close, decimals(token)) for token, close in closes.items()}


def _risky(
    rng: np.random.Generator,
    market: Minutes,
    market_drift: Float64[np.ndarray, "day"],
    token: _Risky,
    scale: float,
) -> Minutes:
    days = len(market_drift)
    spell = _states(rng, days, len(_SPELL_DRIFT), _SPELL_DAYS)
    drift = token.market_beta * market_drift + _SPELL_DRIFT[spell]
    shocks = token.market_beta * market + token.own_volatility * scale * _shocks(rng, len(market))
    returns = shocks.reshape(days, MINUTES_PER_DAY) + drift[:, None] / MINUTES_PER_DAY
    kept = np.exp(-1.0 / _PULL_DAYS)
    day_end = _autoregression(returns.sum(axis=1), kept)
    pull = (kept - 1.0) * np.concatenate(([0.0], day_end[:-1]))
    return token.first_price * np.exp(np.cumsum(returns + pull[:, None] / MINUTES_PER_DAY))


def _stable(rng: np.random.Generator, days: int) -> Minutes:
    hourly = _autoregression(_PEG_SHOCK * _shocks(rng, days * _HOURS_PER_DAY), _PEG_PERSISTENCE)
    return 1.0 + np.repeat(hourly, _MINUTES_PER_HOUR) + _PEG_NOISE * _shocks(rng, days * MINUTES_PER_DAY)


def _volatility_factor(rng: np.random.Generator, days: int) -> Float64[np.ndarray, "hour"]:
    shocks = _VOLATILITY_SHOCK * _shocks(rng, days * _HOURS_PER_DAY)
    return np.exp(_autoregression(shocks, _VOLATILITY_PERSISTENCE))


def _states(rng: np.random.Generator, days: int, count: int, mean_days: float) -> np.ndarray:
    """A state per day that changes with probability 1/`mean_days` to one of the others, all alike."""
    steps = (rng.random(days) < 1.0 / mean_days) * (1 + np.floor((count - 1) * rng.random(days))).astype(np.int64)
    return np.cumsum(steps) % count


def _shocks(rng: np.random.Generator, count: int) -> Float64[np.ndarray, "draw"]:
    """Student-t draws with 4 degrees of freedom, scaled to unit variance.

    By the closed form of the quantile, with a = 4p(1 − p): t = sign(p − ½)·2·√(cos(arccos(√a)/3)/√a − 1)
    (W. T. Shaw, Sampling Student's T distribution, J. Computational Finance 9(4), 2006); the variance of t is 2.
    """
    p = rng.random(count) + 2.0**-54  # random() is a multiple of 2⁻⁵³ and may be 0, where the quantile is infinite
    root = np.sqrt(4.0 * p * (1.0 - p))
    return np.sign(p - 0.5) * np.sqrt(2.0 * (np.cos(np.arccos(np.minimum(root, 1.0)) / 3.0) / root - 1.0))


def _autoregression(shocks: np.ndarray, persistence: float) -> np.ndarray:
    """x_i = persistence · x_(i−1) + shock_i, from 0."""
    path = np.empty_like(shocks)
    level = 0.0
    for i, shock in enumerate(shocks.tolist()):
        level = persistence * level + shock
        path[i] = level
    return path
