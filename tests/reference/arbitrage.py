"""One swap of SPEC §9 in plain Python floats: reserves, prices, weights in, changes and profit out."""

from collections.abc import Sequence
from math import exp, expm1, fsum, log1p
from typing import NamedTuple


class Swap(NamedTuple):
    """What an arbitrage would do: changes of the reserves per token, and the arbitrageur's profit in the numeraire."""

    changes: list[float]
    profit: float


def expm1_minus(x: float) -> float:
    """e^x − 1 − x without cancellation: a series near 0, where the subtraction would lose every digit."""
    if abs(x) > 0.1:
        return expm1(x) - x
    term, total = 0.5 * x * x, 0.0
    for order in range(3, 15):
        total += term
        term *= x / order
    return total


def zero_fee_swap(reserves: Sequence[float], prices: Sequence[float], weights: Sequence[float]) -> Swap:
    """The trade of all tokens at once to `prices`: R′ = R (Π z^w)/z, z_i = p_i R_i/w_i.

    Its profit is Σ p R − Π z^w = Π z^w · Σ w_i (e^x_i − 1 − x_i) with x_i = log z_i − Σ w log z, because Σ w x = 0.
    The logs are taken of z_i/z_0, all near 1, so that no digit goes to the size of the pool.
    """
    z = [p * r / w for r, p, w in zip(reserves, prices, weights, strict=True)]
    logs = [log1p((z_i - z[0]) / z[0]) for z_i in z]
    mean = fsum(w * log_z for w, log_z in zip(weights, logs, strict=True))
    excess = sum(w * expm1_minus(log_z - mean) for w, log_z in zip(weights, logs, strict=True))
    changes = [r * expm1(mean - log_z) for r, log_z in zip(reserves, logs, strict=True)]
    return Swap(changes, z[0] * exp(mean) * excess)


def best_pair_swap(
    reserves: Sequence[float], prices: Sequence[float], weights: Sequence[float], gamma: float
) -> Swap | None:
    """The single pair (in i, out j) of the largest profit at fee 1 − gamma; None where no pair has y > 1.

    With L = log y: t − 1 = expm1(−αL), y t − 1 = expm1((1−α)L), and the profit's bracket (1−α) − t + α/y is
    α h(−L) − h(−αL), h(x) = e^x − 1 − x.
    """
    q = [w / (r * p) for r, p, w in zip(reserves, prices, weights, strict=True)]
    best = (0.0, -1, -1, 0.0, 0.0)
    for i, w_i in enumerate(weights):
        for j, w_j in enumerate(weights):
            y = gamma * q[i] / q[j]
            if i == j or not y > 1.0:
                continue
            log_y, alpha = log1p(y - 1.0), w_i / (w_i + w_j)
            profit = (w_i + w_j) / q[j] * (alpha * expm1_minus(-log_y) - expm1_minus(-alpha * log_y))
            if profit > best[0]:
                best = (profit, i, j, log_y, alpha)
    profit, i, j, log_y, alpha = best
    if i < 0:
        return None
    changes = [0.0] * len(weights)
    changes[i] = reserves[i] / gamma * expm1((1.0 - alpha) * log_y)
    changes[j] = reserves[j] * expm1(-alpha * log_y)
    return Swap(changes, profit)


def exact_in_amount_out(
    reserve_in: float, reserve_out: float, weight_in: float, weight_out: float, amount: float, gamma: float
) -> float:
    """Tokens that leave the pool for `amount` paid in, of which the share `gamma` counts (a weighted pool's swap)."""
    return -reserve_out * expm1(-weight_in / weight_out * log1p(gamma * amount / reserve_in))
