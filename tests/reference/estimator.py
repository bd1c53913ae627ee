"""Memory, decay and the gradient estimator as SPEC §5 and §6 write them: chunk prices in, its states out."""

from decimal import Decimal, localcontext
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def memory_days(lamb: Floats | float, P: float) -> Floats:
    """Memory in days of the decay `lamb` per chunk of `P` minutes: 2 (P/1440) cbrt(6λ/(1−λ)³) (SPEC §5)."""
    lamb = np.asarray(lamb, dtype=np.float64)
    return np.asarray(2.0 * (P / 1440.0) * np.cbrt(6.0 * lamb / (1.0 - lamb) ** 3))


def decay(memory_days: float, P: float) -> float:
    """Decay λ in [0, 1) whose memory is `memory_days` (SPEC §5): the root of x(1−λ)³ = λ, x = (1440·days/(2P))³/6.

    Newton in 60 decimal digits for u = 1 − λ on x u³ + u − 1, increasing and convex: it falls to the root from u = 1.
    """
    with localcontext() as context:
        context.prec = 60
        x = (Decimal(1440) * Decimal(memory_days) / (2 * Decimal(P))) ** 3 / 6
        u = Decimal(1)
        for _ in range(400):
            step = (x * u**3 + u - 1) / (3 * x * u**2 + 1)
            u -= step
            if abs(step) <= Decimal(10) ** -55 * u:
                break
        return float(1 - u)


def logistic(x: Floats) -> Floats:
    """1/(1 + e^−x), as written in SPEC §5."""
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


class Readouts(NamedTuple):
    """States of the estimator; row j belongs to chunk price c_j, columns are tokens.

    `gradients` is a/(b·e) with the primary average, as SPEC §6 shows it; the rule reads `rule_gradients`, whose
    denominator is the second average where there is one.
    """

    ewma: Floats
    running_a: Floats
    gradients: Floats
    rule_gradients: Floats


def estimate(chunk_prices: Floats, lamb: Floats, alt_lamb: Floats | None = None) -> Readouts:
    """Run the estimator of SPEC §6 over all chunk prices, one after the other.

    Args:
        chunk_prices: (chunk, asset), c_0 first.
        lamb: (asset,) decay per chunk, already capped.
        alt_lamb: (asset,) decay of the second average, which then is the denominator of the rule's gradient; or None.

    Returns:
        (chunk, asset) arrays; row 0 is the start state e_0 = c_0, a_0 = 0.
    """
    G = 1.0 / (1.0 - lamb)
    b = lamb / (1.0 - lamb) ** 3
    e = e_rule = chunk_prices[0]
    a = np.zeros_like(e)
    rows = [(e, a, e_rule)]
    for c in chunk_prices[1:]:
        e = e + (c - e) / G
        a = lamb * a + G * (c - e)
        a = np.where(np.abs(a) < 1e-10 * e, 0.0, a)
        e_rule = e if alt_lamb is None else e_rule + (c - e_rule) * (1.0 - alt_lamb)
        rows.append((e, a, e_rule))
    ewma, running_a, rule_ewma = (np.array(column) for column in zip(*rows, strict=True))
    return Readouts(ewma, running_a, running_a / (b * ewma), running_a / (b * rule_ewma))
