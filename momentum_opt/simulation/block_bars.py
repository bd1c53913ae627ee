"""Values and flows at the bars of one block, for metrics that read minutes (SPEC §10); nothing outlives its day.

A `Reduction` says what is made of a day's values. Flows are sums over the steps from one bar to the next; a block has
those between its own bars and the one to the first bar of the next block.
"""

from collections.abc import Callable, Sequence
from math import factorial
from typing import Any, Final, NamedTuple

import jax.numpy as jnp
from jax import lax

from momentum_opt.arrays import Array, Float, PerAsset, PerCandidate
from momentum_opt.pool.arbitrage import small_token_growth, token_growth
from momentum_opt.pool.interpolation import weight_path
from momentum_opt.simulation.in_chunk import arbitrage_path
from momentum_opt.simulation.inputs import BlockInputs
from momentum_opt.simulation.spec import SimulationSpec
from momentum_opt.simulation.trajectory import ChunkState

Sums = dict[str, PerCandidate]
"""By the names of `vocabulary.names.FLOWS`."""

SMALL_GROWTH: Final = 0.1
"""A growth per bar up to which nine terms give its exponential to the last bit: 0.1^10/10! is 3e-17."""

_EXP_TERMS: Final = tuple(1.0 / factorial(k) for k in range(9, -1, -1))
"""Of the exponential, the highest first."""


class DayFlows(NamedTuple):
    """Sums over a day."""

    inside: Sums
    """Over the steps between its bars."""
    into: Sums
    """Of the step into its first bar from the day before; 0 on the first day."""


class Reduction(NamedTuple):
    """What is kept of the minute values; with costs it needs a spec whose loop stops at every bar."""

    start: Callable[[PerCandidate], Any]
    """From an array of the candidates' shape to the state before the first day."""
    day: Callable[[Any, Float[Array, "bar *batch"], DayFlows, Any], tuple[Any, Any]]
    """State, the day's values and flows per pool token and its marks to the next state and what is kept of the day."""
    marks: Any
    """Arrays with a leading axis of days, handed to `day` one by one."""
    flows: tuple[str, ...] = ()
    """What is summed up, of `vocabulary.names.FLOWS`."""


class BlockFlows(NamedTuple):
    """Sums over the steps of a block."""

    total: Sums
    """Over all of them."""
    last: Sums
    """Of the last one, which leads to the next block."""


class BlockBars(NamedTuple):
    """A block bar by bar."""

    values: Float[Array, "bar *batch"]
    flows: BlockFlows


def day_flows(blocks: BlockFlows, into: Sums) -> tuple[DayFlows, Sums]:
    """The flows of a day from those of its blocks (leading axis) and of the step into it, and the step out of it."""
    out = {name: last[-1] for name, last in blocks.last.items()}
    inside = {name: jnp.sum(total, axis=0) - out[name] for name, total in blocks.total.items()}
    return DayFlows(inside, into), out


def bars_without_costs(
    chunk: ChunkState,
    log_value: PerCandidate,
    arb_weights: PerAsset,
    block: BlockInputs,
    exchange_cost: Float[Array, ""],
    names: Sequence[str],
    spec: SimulationSpec,
) -> BlockBars:
    """Every bar of a block, from log value and weights at the last arbitrage at or before its first bar."""
    assert block.bars is not None
    if spec.arb == 1:
        weights, growth = _weights_and_growth(chunk, arb_weights, block, spec)
        values = _running_product(_exp(growth), jnp.exp(log_value))
        price = block.bars.price
        worth, moved = weights * values[:, None], _over_time(price[1:] / price[:-1], weights)
    else:
        path = arbitrage_path(chunk, arb_weights, _arb(block), spec)
        arb_values = _running_product(jnp.exp(path.growth), jnp.exp(log_value))
        held = path.weights[block.bars.last_arb]
        price, arb_price = block.bars.price, block.bars.arb_price
        assert arb_price is not None
        worth = arb_values[block.bars.last_arb][:, None] * held * _over_time(price / arb_price, held)
        values, moved = jnp.sum(worth, axis=1), _over_time(price[1:] / price[:-1], held)
    found: dict[str, Array] = {}
    if "traded" in names:
        found["traded"] = 0.5 * jnp.sum(jnp.abs(worth[1:] - worth[:-1] * moved), axis=1)
    if "shares" in names:
        found["shares"] = jnp.sum(jnp.abs(jnp.diff(worth / values[:, None], axis=0)), axis=1)
    if "fees" in names:
        found["fees"] = jnp.zeros_like(values[1:])
    flows = BlockFlows({name: jnp.sum(x, axis=0) for name, x in found.items()}, {k: x[-1] for k, x in found.items()})
    if "rebalanced" in names:
        flows = with_rebalanced(flows, chunk, block, exchange_cost, spec)
    return BlockBars(values[:-1], flows)


def with_rebalanced(
    flows: BlockFlows, chunk: ChunkState, block: BlockInputs, exchange_cost: Float[Array, ""], spec: SimulationSpec
) -> BlockFlows:
    """With the log growth of holding the pool's weights on an exchange, which the weights and prices alone decide."""
    total, last = rebalanced_growth(chunk, block, exchange_cost, spec)
    return BlockFlows({**flows.total, "rebalanced": total}, {**flows.last, "rebalanced": last})


def rebalanced_growth(
    chunk: ChunkState, block: BlockInputs, exchange_cost: Float[Array, ""], spec: SimulationSpec
) -> tuple[PerCandidate, PerCandidate]:
    """log V^R over the steps of a block, and over the last one (SPEC §10).

    A step multiplies V^R by S = Σ w x, and where weights are traded back to w′ at the cost c per value traded by
    1 − c Σ |w′ − w x/S|.
    """
    assert block.bars is not None
    weights = shown_weights(chunk, block, spec)
    ratio = _over_time(block.bars.price[1:] / block.bars.price[:-1], weights)
    drifted = weights[:-1] * ratio
    gross = jnp.sum(drifted, axis=1)

    def net() -> Array:
        return gross - exchange_cost * jnp.sum(jnp.abs(weights[1:] * gross[:, None] - drifted), axis=1)

    factors = lax.cond(exchange_cost > 0.0, net, lambda: gross)
    return jnp.log(_running_product(factors, jnp.ones_like(factors[0]))[-1]), jnp.log(factors[-1])


def shown_weights(chunk: ChunkState, block: BlockInputs, spec: SimulationSpec) -> Float[Array, "bar asset *batch"]:
    """The weights that the pool shows at the bars of a block and at the first of the next one."""
    tau = block.offset + jnp.arange(spec.block + 1, dtype=chunk.origin.dtype)
    return weight_path(spec.method, chunk.origin, chunk.step, tau, spec.interpolation)


def _weights_and_growth(
    chunk: ChunkState, arb_weights: PerAsset, block: BlockInputs, spec: SimulationSpec
) -> tuple[Float[Array, "bar asset *batch"], Float[Array, "step *batch"]]:
    """Weights at the bars, and the growth of the log value by the arbitrage at each of them but the first."""
    arb = _arb(block)
    if spec.method != "linear":
        path = arbitrage_path(chunk, arb_weights, arb, spec)
        return path.weights, path.growth
    weights = shown_weights(chunk, block, spec)
    ratio = _over_time(arb.log_ratio, weights)
    grown = small_token_growth if spec.engine == "closed_form" else token_growth
    return weights, jnp.sum(grown(weights[:-1], weights[1:], ratio), axis=1)


def _arb(block: BlockInputs) -> Any:
    assert block.arb is not None
    return block.arb


def exp_series(growth: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """e^g of g up to `SMALL_GROWTH`, in products and sums alone."""
    value = jnp.full_like(growth, _EXP_TERMS[0])
    for term in _EXP_TERMS[1:]:
        value = term + growth * value
    return value


def _exp(growth: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """e^g; by its series where all of them are small, which XLA turns into vector instructions."""
    return lax.cond(jnp.max(jnp.abs(growth)) < SMALL_GROWTH, lambda: exp_series(growth), lambda: jnp.exp(growth))


def _running_product(factors: Float[Array, "step *batch"], first: PerCandidate) -> Float[Array, "bar *batch"]:
    """`first`, and it times the products of the first factors. On a CPU row by row, as XLA's own takes longer there."""

    def row_by_row() -> Array:
        def multiply(step: Array, rows: Array) -> Array:
            factor = lax.dynamic_index_in_dim(factors, step, axis=0, keepdims=False)
            before = lax.dynamic_index_in_dim(rows, step, axis=0, keepdims=False)
            return lax.dynamic_update_index_in_dim(rows, before * factor, step + 1, axis=0)

        rows = jnp.zeros((factors.shape[0] + 1, *first.shape), first.dtype).at[0].set(first)
        return lax.fori_loop(0, factors.shape[0], multiply, rows, unroll=8)

    def at_once() -> Array:
        return jnp.concatenate([first[None], first * jnp.cumprod(factors, axis=0)])

    return lax.platform_dependent(cpu=row_by_row, default=at_once)


def _over_time(prices: Float[Array, "time asset"], weights: Float[Array, "..."]) -> Array:
    return prices.reshape(prices.shape + (1,) * (weights.ndim - 2))
