"""One arbitrage of SPEC §9 before its costs: reserves, prices, weights in, relative changes and profit out.

Tokens are a tuple of arrays, candidates are the arrays' axis: written out token by token, everything fuses into one
loop over the candidates. The profit of a small trade is a difference of near-equal numbers, so none is formed:
with h(x) = e^x − 1 − x the bracket of a pair is α h(−L) − h(−αL), L = log y, and the trade of all tokens at once earns
Π z^w · Σ w h(log z − Σ w log z).
"""

from collections.abc import Iterable
from functools import reduce
from itertools import combinations
from operator import add
from typing import NamedTuple

import jax.numpy as jnp

from momentum_opt.arrays import Array
from momentum_opt.pool.series import Functions, on_each

Tokens = tuple[Array, ...]
"""One array per token, all of a shape or broadcasting to it."""


class Swap(NamedTuple):
    """What an arbitrage would do; zeros where there is no trade."""

    changes: Tokens
    """Δ_i / R_i."""
    profit: Array
    """−Σ p Δ, in the numeraire."""
    reach: Array
    """The largest |z| = |y − 1|/(y + 1) met; the short series hold up to `SMALL`."""


def kept(values: Array, unit: Array) -> Array:
    """`values`, divided by a 1 that the compiler cannot see.

    XLA's CPU backend computes a cheap value anew in every loop that reads it, with all that is behind it, but never
    repeats a division. This ends such a chain: measured, the loop over the minutes is several times faster.
    """
    return values / unit


def total(values: Iterable[Array]) -> Array:
    """Their sum, from the first one on."""
    return reduce(add, values)


def best_pair(worth: Tokens, weights: Tokens, gamma: Array, unit: Array, functions: Functions) -> Swap:
    """The single pair of the largest profit at fee 1 − γ.

    With `worth` u = R p/w = 1/q, the token of the smaller u comes in: y = γ u_out/u_in, α = w_in/(w_in + w_out), and
    the profit is w_in u_out (L²/2) (c(L) − α c(αL)), c the curvature of `Functions`.
    """
    pairs = tuple(combinations(range(len(worth)), 2))
    enters = [worth[i] < worth[j] for i, j in pairs]
    ratios, shares, scales = [], [], []
    for (i, j), first in zip(pairs, enters, strict=True):
        less, more = jnp.minimum(worth[i], worth[j]), jnp.maximum(worth[i], worth[j])
        weight_in = jnp.where(first, weights[i], weights[j])
        ratios.append(jnp.maximum(gamma * more - less, 0.0) / (gamma * more + less))
        shares.append(weight_in / (weights[i] + weights[j]))
        scales.append(weight_in * more)

    def profit_of(z: Array, share: Array, scale: Array) -> Array:
        length = functions.log_of_ratio(z)
        bracket = functions.curvature(length) - share * functions.curvature(share * length)
        return kept(scale * (0.5 * length * length) * bracket, unit)

    profits = on_each(profit_of, ratios, shares, scales, functions=functions)
    profit, z, share, reach = profits[0], ratios[0], shares[0], ratios[0]
    for other, ratio, part in zip(profits[1:], ratios[1:], shares[1:], strict=True):
        better = other > profit
        profit = jnp.where(better, other, profit)
        z, share = jnp.where(better, ratio, z), jnp.where(better, part, share)
        reach = jnp.maximum(reach, ratio)
    length = functions.log_of_ratio(z)
    change_in = functions.expm1((1.0 - share) * length) / gamma
    change_out = kept(functions.expm1(-share * length), unit)
    changes = [jnp.zeros_like(profit)] * len(worth)
    for (i, j), first, other in zip(reversed(pairs), reversed(enters), reversed(profits), strict=True):
        chosen = other == profit
        changes = [jnp.where(chosen, 0.0, change) for change in changes]
        changes[i] = jnp.where(chosen, jnp.where(first, change_in, change_out), changes[i])
        changes[j] = jnp.where(chosen, jnp.where(first, change_out, change_in), changes[j])
    return Swap(tuple(changes), profit, reach)


def all_tokens(worth: Tokens, weights: Tokens, functions: Functions) -> Swap:
    """The trade of all tokens at once to the prices, without a fee: R′ = R Π z^w / z, z = `worth` = p R/w."""
    first = worth[0]
    ratios = tuple((one - first) / (one + first) for one in worth)
    logs = on_each(functions.log_of_ratio, ratios, functions=functions)
    mean = total(w * log for w, log in zip(weights, logs, strict=True))
    moves = [log - mean for log in logs]
    curves = on_each(functions.curvature, [-x for x in moves], functions=functions)
    bent = total(w * (x * x) * curve for w, x, curve in zip(weights, moves, curves, strict=True))
    reach = jnp.zeros_like(first)
    for z in ratios:
        reach = jnp.maximum(reach, 2.0 * jnp.abs(z))  # a move is at most twice the largest logarithm
    profit = first * (1.0 + functions.expm1(mean)) * (0.5 * bent)
    return Swap(tuple(on_each(functions.expm1, [-x for x in moves], functions=functions)), profit, reach)
