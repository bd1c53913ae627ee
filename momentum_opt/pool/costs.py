"""The two arbitrages of an arbitrage minute with their costs (SPEC §9): reserves in, reserves and fees earned out."""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from momentum_opt.arrays import Array, Float
from momentum_opt.pool.series import Functions
from momentum_opt.pool.swap import Swap, Tokens, all_tokens, best_pair, kept, total

Trade = Literal["pair", "all", "either"]
"""What an arbitrage trades: the best pair (fees > 0), all tokens at once (fees = 0), or what the minute's fees ask."""

CostValue = Float[Array, "*shape"]


class Costs(NamedTuple):
    """What trading costs; traced, so that sweeping it compiles nothing new."""

    fees: CostValue
    """Swap fee, fraction of the input amount."""
    gas_cost: CostValue
    """Numeraire per trade, paid by the arbitrageur."""
    arb_fees: CostValue
    """Share of half of all that is moved, paid by the arbitrageur elsewhere."""
    noise_trader_ratio: CostValue
    """ν: trades of others per arbitrage, as a multiple of its inflow; they leave their fee."""
    protocol_fee_split: CostValue
    """Share of the fees that leaves the pool for the protocol."""

    @property
    def unit(self) -> Array:
        """A 1 that the compiler cannot see; see `kept`."""
        return jnp.exp(0.0 * self.noise_trader_ratio)


class Income(NamedTuple):
    """Fees earned, in the numeraire."""

    liquidity_providers: Array
    protocol: Array


class Outcome(NamedTuple):
    """The pool after an arbitrage."""

    reserves: Tokens
    income: Income
    reach: Array
    """The largest z met; see `Swap`."""


def settle(reserves: Tokens, prices: Tokens, swap: Swap, costs: Costs) -> Outcome:
    """Do the swap where it pays for its costs; then noise traders leave their fee and the protocol takes its share."""
    worth = tuple(r * p for r, p in zip(reserves, prices, strict=True))
    value_changes = tuple(r * c for r, c in zip(worth, swap.changes, strict=True))
    moved = total(jnp.abs(change) for change in value_changes)
    inflow = total(jnp.maximum(change, 0.0) for change in value_changes)
    accepted = swap.profit - costs.gas_cost >= 0.5 * costs.arb_fees * moved
    noise = costs.noise_trader_ratio * costs.fees * (1.0 - costs.protocol_fee_split) * inflow
    # −1 says that the trade is refused; the growth itself is never negative.
    growth = kept(jnp.where(accepted, noise / (total(worth) + total(value_changes)), -1.0), costs.unit)
    done = growth >= 0.0
    share = costs.fees * costs.protocol_fee_split

    def after(reserve: Array, change: Array) -> Array:
        factor = change + growth * (1.0 + change) - share * jnp.maximum(change, 0.0)
        return reserve + reserve * jnp.where(done, factor, 0.0)

    earned = Income(costs.fees * (1.0 - costs.protocol_fee_split) * inflow + noise, share * inflow)
    return Outcome(
        tuple(after(r, c) for r, c in zip(reserves, swap.changes, strict=True)),
        Income(*(jnp.where(done, amount, 0.0) for amount in earned)),
        swap.reach,
    )


def arbitrage_once(
    reserves: Tokens, prices: Tokens, weights: Tokens, costs: Costs, trade: Trade, functions: Functions
) -> Outcome:
    """One arbitrage at `weights`."""
    worth = tuple(r * p / w for r, p, w in zip(reserves, prices, weights, strict=True))

    def pair() -> Swap:
        return best_pair(worth, weights, 1.0 - costs.fees, costs.unit, functions)

    def all_at_once() -> Swap:
        return all_tokens(worth, weights, functions)

    if trade == "either":
        swap = jax.lax.cond(costs.fees > 0.0, pair, all_at_once)
    else:
        swap = pair() if trade == "pair" else all_at_once()
    return settle(reserves, prices, swap, costs)


def arbitrage_minute(
    reserves: Tokens, prices: Tokens, before: Tokens, weights: Tokens, costs: Costs, trade: Trade, functions: Functions
) -> Outcome:
    """An arbitrage at the previous arbitrage minute's weights, then one at this minute's.

    Args:
        reserves: tokens of the pool.
        prices: of this minute.
        before: weights at the previous arbitrage minute.
        weights: weights now.
        costs: numbers that hold in this minute.
        trade: what an arbitrage trades.
        functions: `SHORT`, where the outcome's reach turns out to be `SMALL`; or `EXACT`.
    """
    first = arbitrage_once(reserves, prices, before, costs, trade, functions)
    second = arbitrage_once(first.reserves, prices, weights, costs, trade, functions)
    income = jax.tree.map(jnp.add, first.income, second.income)
    return Outcome(second.reserves, income, jnp.maximum(first.reach, second.reach))
