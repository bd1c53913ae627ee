"""Reserves of one pool with costs (SPEC §9): weights and prices at every bar in, reserves at every bar out.

Nothing is known here but the weights, so this serves any way to set them; the engine over batches has a loop of its
own. Costs may be one number or one per bar. A bar goes: supply, arbitrages, the outside swap.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from momentum_opt.arrays import Array, Bool, Float
from momentum_opt.pool.costs import Costs, arbitrage_minute
from momentum_opt.pool.outside import Span, Swaps, outside_swap, outside_swaps
from momentum_opt.pool.series import EXACT
from momentum_opt.pool.swap import Tokens

Series = Float[Array, " time"]


class Flow(NamedTuple):
    """What others do to the pool, bar by bar."""

    trades: Float[Array, "time 3"] | None = None
    """Number of the token paid in, number of the token paid out, amount in; no swap where the amount is 0."""
    lp_supply: Series | None = None
    """Pool tokens there are; a change scales all reserves."""
    swaps: Swaps | None = None
    """Outside swaps as a list, where a bar may have several; not differentiable, as their number is traced."""
    spans: Span | None = None
    """(time,) which swaps of the list are each bar's."""


class _Bar(NamedTuple):
    prices: Float[Array, " asset"]
    weights: Float[Array, " asset"]
    before: Float[Array, " asset"]
    costs: Costs
    acts: Bool[Array, ""]
    scale: Float[Array, ""]
    trade: Float[Array, " 3"]
    span: Span | None


def reserves_with_costs(
    weights: Float[Array, "time asset"],
    prices: Float[Array, "time asset"],
    initial_pool_value: Float[Array, ""] | float,
    costs: Costs,
    arb_frequency: int = 1,
    flow: Flow | None = None,
) -> Float[Array, "time asset"]:
    """Reserves after everything that happens at each bar; R_0 = w_0 V_0/p_0.

    Args:
        weights: at every bar.
        prices: numeraire per token.
        initial_pool_value: in the numeraire.
        costs: numbers, or (time,) arrays.
        arb_frequency: bars from one arbitrage to the next.
        flow: outside swaps and changes of the supply.
    """
    time = weights.shape[0]
    flow = flow or Flow()
    bars = _bars(weights, prices, costs, arb_frequency, flow)

    def at_bar(reserves: Tokens, bar: _Bar) -> tuple[Tokens, Float[Array, " asset"]]:
        reserves = tuple(reserve * bar.scale for reserve in reserves)
        reserves = jax.lax.cond(bar.acts, lambda: _arbitraged(reserves, bar), lambda: reserves)
        reserves = jax.lax.cond(bar.trade[2] > 0.0, lambda: _swapped(reserves, bar), lambda: reserves)
        if flow.swaps is not None:
            assert bar.span is not None
            tokens = (tuple(bar.prices), tuple(bar.weights))
            reserves = outside_swaps(reserves, *tokens, bar.costs, flow.swaps, bar.span).reserves
        return reserves, jnp.stack(reserves)

    first = tuple(weights[0] * initial_pool_value / prices[0])
    _, path = jax.lax.scan(at_bar, first, bars, length=time)
    return path


def _bars(weights: Array, prices: Array, costs: Costs, every: int, flow: Flow) -> _Bar:
    bar = jnp.arange(weights.shape[0])
    scale = jnp.ones(len(bar), weights.dtype)
    if flow.lp_supply is not None:
        scale = scale.at[1:].set(flow.lp_supply[1:] / flow.lp_supply[:-1])
    trades = jnp.zeros((len(bar), 3), weights.dtype) if flow.trades is None else flow.trades
    each = Costs(*(jnp.broadcast_to(jnp.asarray(cost, weights.dtype), bar.shape) for cost in costs))
    before = weights[jnp.maximum(bar - every, 0)]
    return _Bar(prices, weights, before, each, bar % every == 0, scale, trades, flow.spans)


def _arbitraged(reserves: Tokens, bar: _Bar) -> Tokens:
    tokens = (tuple(bar.prices), tuple(bar.before), tuple(bar.weights))
    return jax.lax.cond(
        bar.costs.fees > 0.0,
        lambda: arbitrage_minute(reserves, *tokens, bar.costs, "pair", EXACT).reserves,
        lambda: arbitrage_minute(reserves, *tokens, bar.costs, "all", EXACT).reserves,
    )


def _swapped(reserves: Tokens, bar: _Bar) -> Tokens:
    token_in, token_out = bar.trade[0].astype(int), bar.trade[1].astype(int)
    held, _ = outside_swap(jnp.stack(reserves), bar.weights, bar.costs, token_in, token_out, bar.trade[2])
    return tuple(held)
