"""Swaps of outside traders (SPEC §9): reserves and a list of exact-in swaps in, reserves and fees earned out."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from momentum_opt.arrays import Array, Bool, Float, Int
from momentum_opt.pool.costs import Costs, Income
from momentum_opt.pool.swap import Tokens

LARGEST_SHARE = 0.3
"""Most of the reserve of a token that one swap may pay in: Balancer's rule; a larger swap is refused by the pool."""


class Swaps(NamedTuple):
    """A list of exact-in swaps in the order in which they are done."""

    token_in: Int[Array, " swap"]
    """Number of the token paid in."""
    token_out: Int[Array, " swap"]
    """Number of the token paid out."""
    amount: Float[Array, " swap"]
    """Tokens paid in."""


class Span(NamedTuple):
    """The swaps of a bar, as a part of the list."""

    first: Int[Array, "*bar"]
    length: Int[Array, "*bar"]


class SwapOutcome(NamedTuple):
    """The pool after outside swaps."""

    reserves: Tokens
    income: Income
    refused: Float[Array, "*batch"]
    """How many of the swaps were larger than the pool takes."""


def outside_swap(
    held: Float[Array, "asset *batch"],
    weights: Float[Array, "asset *batch"],
    costs: Costs,
    token_in: Int[Array, ""],
    token_out: Int[Array, ""],
    amount: Float[Array, ""],
) -> tuple[Float[Array, "asset *batch"], Bool[Array, "*batch"]]:
    """Reserves after one exact-in swap at the pool's fee, and whether the pool took it.

    Δ_out = −R_out (1 − (R_in/(R_in + γ a))^(w_in/w_out)); the protocol's share of the fee leaves in the token paid in.
    """
    taken = amount <= LARGEST_SHARE * held[token_in]
    power = weights[token_in] / weights[token_out]
    out = -held[token_out] * jnp.expm1(-power * jnp.log1p((1.0 - costs.fees) * amount / held[token_in]))
    stays = amount * (1.0 - costs.fees * costs.protocol_fee_split)
    return jnp.where(taken, held.at[token_in].add(stays).at[token_out].add(-out), held), taken


def outside_swaps(
    reserves: Tokens, prices: Tokens, weights: Tokens, costs: Costs, swaps: Swaps, span: Span
) -> SwapOutcome:
    """Do the swaps of one bar, one after the other.

    Args:
        reserves: after the bar's arbitrage.
        prices: of the bar; they value the fees.
        weights: of the bar.
        costs: numbers that hold in the bar.
        swaps: the whole list.
        span: which of them are the bar's.
    """
    at = jnp.stack(weights)

    def one(number: Array, carry: SwapOutcome) -> SwapOutcome:
        token_in, token_out, amount = (column[number] for column in swaps)
        held, taken = outside_swap(jnp.stack(carry.reserves), at, costs, token_in, token_out, amount)
        paid = jnp.where(taken, costs.fees * amount * jnp.stack(prices)[token_in], 0.0)
        share = costs.protocol_fee_split
        income = Income(*map(jnp.add, carry.income, (paid * (1.0 - share), paid * share)))
        return SwapOutcome(tuple(held), income, carry.refused + jnp.where(taken, 0.0, 1.0))

    none = jnp.zeros_like(reserves[0])
    start = SwapOutcome(reserves, Income(none, none), none)
    return jax.lax.fori_loop(span.first, span.first + span.length, one, start)
