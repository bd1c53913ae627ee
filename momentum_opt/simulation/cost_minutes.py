"""Reserves and fees earned at every bar with costs (SPEC §9): the starts of all blocks in.

A block's start is all that its arbitrages depend on, so all blocks run side by side, one step of each at a time.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from momentum_opt.arrays import Array, Float, Int
from momentum_opt.pool.costs import Costs, Income
from momentum_opt.pool.outside import Swaps
from momentum_opt.pool.series import EXACT, SHORT, SMALL, Functions
from momentum_opt.simulation.cost_inputs import CostInputs
from momentum_opt.simulation.costs import CostBlockStart, Holdings, step
from momentum_opt.simulation.spec import SimulationSpec


class CostMinutes(NamedTuple):
    """The pool at every bar."""

    reserves: Float[Array, "time asset *batch"]
    income: Income
    """(time, *batch) fees earned at each bar."""
    refused: Float[Array, "time *batch"] | None
    """How many outside trades the pool refused at each bar; None where there are none."""


class _Steps(NamedTuple):
    reserves: Float[Array, "step block asset *batch"]
    income: Income
    refused: Float[Array, "step block *batch"] | None


def rerun_blocks(
    blocks: CostBlockStart,
    steps: CostInputs,
    swaps: Swaps | None,
    last_step: Int[Array, "day block bar"],
    step_bar: Int[Array, "day block step"],
    costs: Costs,
    spec: SimulationSpec,
) -> CostMinutes:
    """Run every block again from its start, keeping all bars.

    Args:
        blocks: block starts of a MINUTE simulation.
        steps: what the simulation read.
        swaps: all outside trades.
        last_step: how many of the block's steps are not later than each bar.
        step_bar: the bar of each step, T or later where it lies behind the data.
        costs: as simulated.
        spec: static description.
    """
    flat_blocks, flat_steps = (jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), tree) for tree in (blocks, steps))
    found = _both_ways(_Blocks(flat_blocks, flat_steps, swaps, costs, spec))
    start = jnp.stack(flat_blocks.holdings.reserves, axis=1)
    path = jnp.moveaxis(jnp.concatenate([start[None], found.reserves]), 0, 1)
    reserves = jax.vmap(lambda one, index: one[index])(path, last_step.reshape(-1, spec.block))
    bars = step_bar.reshape(spec.n_blocks, -1).T

    def at_bars(amount: Float[Array, "step block *batch"]) -> Float[Array, "time *batch"]:
        table = jnp.zeros((spec.n_bars, *amount.shape[2:]), amount.dtype)
        return table.at[bars].add(amount, mode="drop")

    return CostMinutes(
        reserves.reshape(spec.n_bars, *reserves.shape[2:]),
        income=Income(*(at_bars(amount) for amount in found.income)),
        refused=None if found.refused is None else at_bars(found.refused),
    )


class _Blocks(NamedTuple):
    """All blocks side by side."""

    starts: CostBlockStart
    inputs: CostInputs
    swaps: Swaps | None
    costs: Costs
    spec: SimulationSpec


def _both_ways(blocks: _Blocks) -> _Steps:
    """All steps of all blocks, each block with the functions that the simulation took."""
    short, reach = _all_steps(blocks, SHORT)
    held = reach <= SMALL

    def again() -> _Steps:
        exact, _ = _all_steps(blocks, EXACT)

        def choose(one: Array, other: Array) -> Array:
            shape = (1, *held.shape) if one.ndim == held.ndim + 1 else (1, held.shape[0], 1, *held.shape[1:])
            return jnp.where(held.reshape(shape), one, other)

        return jax.tree.map(choose, short, exact)

    return jax.lax.cond(jnp.all(held), lambda: short, again)


def _all_steps(blocks: _Blocks, functions: Functions) -> tuple[_Steps, Float[Array, "block *batch"]]:
    """The steps, and the largest z of each block's trades."""

    def one(
        number: Array, start: CostBlockStart, holdings: Holdings, block: CostInputs
    ) -> tuple[Holdings, _Steps, Array]:
        at = jax.tree.map(lambda values: values[number], block.steps)
        after, outcome, refused = step(start.chunk, holdings, at, blocks.swaps, blocks.costs, blocks.spec, functions)
        there = number < block.length
        income = Income(*(jnp.where(there, amount, 0.0) for amount in outcome.income))
        refused = None if refused is None else jnp.where(there, refused, 0.0)
        return after, _Steps(jnp.stack(outcome.reserves), income, refused), jnp.where(there, outcome.reach, 0.0)

    def all_blocks(carry: tuple[Holdings, Array], number: Array) -> tuple[tuple[Holdings, Array], _Steps]:
        holdings, found, reach = jax.vmap(one, in_axes=(None, 0, 0, 0))(number, blocks.starts, carry[0], blocks.inputs)
        return (holdings, jnp.maximum(carry[1], reach)), found

    first = (blocks.starts.holdings, jnp.zeros_like(blocks.starts.holdings.reserves[0]))
    (_, reach), found = jax.lax.scan(all_blocks, first, jnp.arange(blocks.inputs.steps.tau.shape[1]))
    return found, reach
