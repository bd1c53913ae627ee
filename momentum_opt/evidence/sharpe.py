"""How much a Sharpe ratio says (SPEC §13): moments and the number of candidates in, probabilities out.

D. H. Bailey and M. López de Prado, The Sharpe ratio efficient frontier, J. Risk 15(2), 2012 (PSR); The deflated
Sharpe ratio, J. Portfolio Management 40(5), 2014 (expected maximum, DSR). Everything is per observation: nothing is
annualised.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

EULER_GAMMA: Final = 0.57721566490153286

Values = NDArray[np.float64] | float


def probabilistic_sharpe_ratio(
    sharpe: Values, skewness: Values, kurtosis: Values, n_observations: Values, benchmark: Values = 0.0
) -> Values:
    """PSR(b) = Φ((S − b)√(T − 1) / √(1 − g3 S + (g4 − 1)/4 · S²)): the probability that the true ratio exceeds b.

    Args:
        sharpe: S, mean over population std.
        skewness: g3.
        kurtosis: g4, raw.
        n_observations: T.
        benchmark: b.
    """
    variance = _variance_factor(sharpe, skewness, kurtosis)
    with np.errstate(divide="ignore", invalid="ignore"):
        return ndtr((sharpe - benchmark) * np.sqrt(np.maximum(n_observations - 1.0, 0.0)) / np.sqrt(variance))


def sharpe_error(sharpe: Values, skewness: Values, kurtosis: Values, n_observations: Values) -> Values:
    """√((1 − g3 S + (g4 − 1)/4 · S²)/(T − 1)): the standard error of S that PSR measures in (Mertens 2002)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(_variance_factor(sharpe, skewness, kurtosis) / np.maximum(n_observations - 1.0, 0.0))


def required_sharpe(
    probability: float, skewness: float, kurtosis: float, n_observations: float, benchmark: float = 0.0
) -> float | None:
    """The S at which PSR(b) is `probability`, the moments being what they are; None where no S is enough.

    With z = Φ⁻¹(p), (S − b)²(T − 1) = z²(1 − g3 S + (g4 − 1)/4 · S²) is quadratic in S; the root is the one on the side
    of b that z says. Where its leading coefficient is not positive, the error of S grows with S as fast as S itself.
    """
    z, n = float(ndtri(probability)), n_observations - 1.0
    if z == 0.0:
        return benchmark
    a = n - z * z * (kurtosis - 1.0) / 4.0
    half_b = 0.5 * z * z * skewness - n * benchmark
    discriminant = half_b * half_b - a * (n * benchmark * benchmark - z * z)
    if not (a > 0.0 and discriminant >= 0.0):
        return None
    return (-half_b + math.copysign(math.sqrt(discriminant), z)) / a


def minimum_track_record(
    sharpe: float, skewness: float, kurtosis: float, benchmark: float, probability: float
) -> float | None:
    """1 + (1 − g3 S + (g4 − 1)/4 · S²)(z/(S − b))²: observations from which on PSR(b) is `probability`.

    Minimum track record length of D. H. Bailey and M. López de Prado, J. Risk 15(2), 2012. None where S ≤ b: no record
    is long enough.
    """
    if not sharpe > benchmark:
        return None
    return (
        1.0
        + float(_variance_factor(sharpe, skewness, kurtosis)) * (float(ndtri(probability)) / (sharpe - benchmark)) ** 2
    )


def _variance_factor(sharpe: Values, skewness: Values, kurtosis: Values) -> Values:
    """1 − g3 S + (g4 − 1)/4 · S²; never negative: g4 ≥ g3² + 1, so it is at least (g3 S/2 − 1)²."""
    return np.maximum(1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * np.square(sharpe), 0.0)


def expected_maximum(n_candidates: int, variance: float = 1.0) -> float:
    """b0 = √V·((1 − γ)Φ⁻¹(1 − 1/N) + γΦ⁻¹(1 − 1/(N e))): the best Sharpe ratio that N candidates without skill reach.

    Args:
        n_candidates: N, distinct candidates; 0 is what one of them reaches.
        variance: V, population variance of the Sharpe ratios of candidates that were not chosen by their results.

    Raises:
        ValueError: N below 1, or a negative variance.
    """
    if n_candidates < 1 or variance < 0:
        raise ValueError(f"`n_candidates` >= 1 and `variance` >= 0 must hold, but got {n_candidates} and {variance}")
    if n_candidates == 1:
        return 0.0
    # Φ⁻¹(1 − q) = −Φ⁻¹(q), which keeps its digits for small q.
    upper = -(1.0 - EULER_GAMMA) * ndtri(1.0 / n_candidates) - EULER_GAMMA * ndtri(1.0 / (n_candidates * math.e))
    return math.sqrt(variance) * float(upper)


def deflated_sharpe_ratio(
    sharpe: Values,
    skewness: Values,
    kurtosis: Values,
    n_observations: Values,
    n_candidates: int,
    variance: float,
) -> Values:
    """DSR = PSR(b0): the probability that the true ratio exceeds what the best of N candidates has by luck."""
    benchmark = expected_maximum(n_candidates, variance)
    return probabilistic_sharpe_ratio(sharpe, skewness, kurtosis, n_observations, benchmark)
