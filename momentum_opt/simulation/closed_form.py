"""The closed form of a block (SPEC §8): start weights, step and price moments in, growth of the log value out.

Perfect arbitrage keeps R_i p_i = w_i V at every arbitrage, so log R_i = log w_i + log V − log p_i and one number per
candidate, log V, holds all reserves. Over a block with start weights s, step d per arbitrage step, M steps that move
and end weights e = s + d·M:

    Δ log V = Σ_j (s_j μ0_j + d_j μ1_j) − Σ_j E_j

E_j = Σ_{τ=1…M} w_τ log(w_τ/w_{τ−1}) with w_τ = s + dτ telescopes to e log e − s log s − d Σ_{τ=0…M−1} log w_τ, and
Euler–Maclaurin sums the logarithms:

    d Σ log w_τ = ∫_s^e log w dw − (d/2) log(e/s) + Σ_k B_2k/(2k(2k−1)) d^2k (1/e^(2k−1) − 1/s^(2k−1))

`weight_cost` keeps k = 1 to 3 (1/12, −1/360, 1/1260). The derivatives of the logarithm alternate in sign, so the error
is at most the first term left out, |d|⁸/(1680 w⁷) per token and block, w the smallest weight on the ramp: 2e-14 of
w where |d| ≤ 0.05 w.
"""

import jax
import jax.numpy as jnp

from momentum_opt import logarithm
from momentum_opt.arrays import Array, Float, PerAsset, PerCandidate

Moments = Float[Array, "asset *#batch"]
"""One number per token, the same for all candidates."""


@jax.custom_jvp
def weight_cost(start: PerAsset, end: PerAsset, step: PerAsset) -> PerAsset:
    """E of each token: (e−s) + d/2·L − d²/12·(1/e−1/s) + d⁴/360·(1/e³−1/s³) − d⁶/1260·(1/e⁵−1/s⁵), L = log(e/s)."""
    d2, move = step * step, end - start
    both = 1.0 / (start * end)  # one division, for two inverses
    u, v = both * start, both * end
    u2, v2 = u * u, v * v
    powers = (u - v) / 12.0 - d2 * ((u * u2 - v * v2) / 360.0 - d2 * (u * u2 * u2 - v * v2 * v2) / 1260.0)
    return move + 0.5 * step * logarithm.log(1.0 + move * v) - d2 * powers


@weight_cost.defjvp
def _weight_cost_jvp(primals: tuple[Array, Array, Array], tangents: tuple[Array, Array, Array]) -> tuple[Array, Array]:
    """E and its differential, with the value's division and logarithm; `_end_slope` gives ∂E/∂e, and −∂E/∂s at s."""
    (start, end, step), (start_dot, end_dot, step_dot) = primals, tangents
    d2, move = step * step, end - start
    both = 1.0 / (start * end)
    u, v = both * start, both * end
    u2, v2 = u * u, v * v
    first, third, fifth = (u - v) / 12.0, (u * u2 - v * v2) / 360.0, (u * u2 * u2 - v * v2 * v2) / 1260.0
    half_log = 0.5 * logarithm.log(1.0 + move * v)
    cost = move + step * half_log - d2 * (first - d2 * (third - d2 * fifth))
    by_step = half_log - step * (2.0 * first - d2 * (4.0 * third - d2 * 6.0 * fifth))
    return cost, _end_slope(u * step) * end_dot - _end_slope(v * step) * start_dot + by_step * step_dot


def _end_slope(x: PerAsset) -> PerAsset:
    """∂E/∂e = 1 + x/2 + x²/12 − x⁴/120 + x⁶/252 of x = d/e."""
    x2 = x * x
    return 1.0 + 0.5 * x + x2 * (1.0 / 12.0 - x2 * (1.0 / 120.0 - x2 / 252.0))


def block_growth(start: PerAsset, end: PerAsset, step: PerAsset, mu0: Moments, mu1: Moments) -> PerCandidate:
    """Δ log V of a block; `step` per arbitrage step, the moments shaped to broadcast with the weights."""
    return jnp.sum(start * mu0 + step * mu1 - weight_cost(start, end, step), axis=0)
