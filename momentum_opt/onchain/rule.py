"""The contract's momentum rule (SPEC §14): state, prices and weights in, the next state and unguarded weights out.

Everything is an integer scaled by 1e18; tokens come in the contract's order. A λ or κ of length one holds for all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from momentum_opt.onchain.fixed_point import ONE, div, mul, power, truncated

Row = tuple[int, ...]
"""One integer per token."""


@dataclass(frozen=True)
class RuleParameters:
    """What the rule was deployed with.

    Attributes:
        lamb: decays, one or one per token.
        kappa: the first row of ruleParameters, one or one per token.
        use_raw_price: whether a second row [1] puts the price in the gradient's denominator instead of its average.
    """

    lamb: Row
    kappa: Row
    use_raw_price: bool = False


class RuleState(NamedTuple):
    """What the contract keeps between two updates."""

    moving_averages: Row
    """p̄, the contract's e."""
    intermediates: Row
    """a."""


def are_valid_parameters(rows: Sequence[Sequence[int]]) -> bool:
    """What the rule's own check accepts as ruleParameters: a first row of positive κ, and nothing about its length."""
    return bool(rows) and bool(rows[0]) and all(kappa > 0 for kappa in rows[0])


def next_moving_averages(averages: Row, prices: Row, lamb: Row) -> Row:
    """p̄ ← mul(p̄, λ) + mul(p, 1−λ)."""
    decays = _of_each(lamb, len(prices))
    return tuple(mul(e, d) + mul(p, ONE - d) for e, p, d in zip(averages, prices, decays, strict=True))


def next_intermediates(intermediates: Row, prices: Row, averages: Row, lamb: Row) -> Row:
    """a ← mul(λ, a) + div(p − p̄, 1−λ), with the new p̄."""
    decays = _of_each(lamb, len(prices))
    return tuple(
        mul(d, a) + div(p - e, ONE - d) for a, p, e, d in zip(intermediates, prices, averages, decays, strict=True)
    )


@cache
def gradient_factor(lamb: int) -> int:
    """div(pow(1−λ, 3), λ), the contract's (1−λ)³/λ; close to λ = 1 few of its digits are left."""
    return div(power(ONE - lamb, 3 * ONE), lamb)


def price_gradients(intermediates: Row, lamb: Row) -> Row:
    """β = mul((1−λ)³/λ, a), in the numeraire per update."""
    decays = _of_each(lamb, len(intermediates))
    return tuple(mul(gradient_factor(d), a) for a, d in zip(intermediates, decays, strict=True))


def next_state(state: RuleState, prices: Row, lamb: Row) -> RuleState:
    """The state after one price more."""
    averages = next_moving_averages(state.moving_averages, prices, lamb)
    return RuleState(averages, next_intermediates(state.intermediates, prices, averages, lamb))


def wanted_weights(weights: Row, state: RuleState, prices: Row, parameters: RuleParameters) -> Row:
    """u before guarding, from the state that has read `prices`.

    g = mul(div(1, p̄), β). One κ: u = w + mul(κ, g − Σg/n). One per token: ℓ = div(Σ mul(g, κ), Σκ) and
    u_i = w_i + mul(κ_i, g_i − ℓ).
    """
    below = prices if parameters.use_raw_price else state.moving_averages
    betas = price_gradients(state.intermediates, parameters.lamb)
    gradients = [mul(div(ONE, p), beta) for p, beta in zip(below, betas, strict=True)]
    kappa = parameters.kappa
    if len(kappa) == 1:
        level = truncated(sum(gradients), len(gradients))
    else:
        level = div(sum(mul(g, k) for g, k in zip(gradients, kappa, strict=True)), sum(kappa))
    strengths = _of_each(kappa, len(weights))
    return tuple(w + mul(k, g - level) for w, k, g in zip(weights, strengths, gradients, strict=True))


def _of_each(row: Row, count: int) -> Row:
    return row * count if len(row) == 1 else row
