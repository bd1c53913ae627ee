"""Slices of one simulation (SPEC §11): the path at day boundaries in, what the metrics of a period read out."""

import jax.numpy as jnp
import numpy as np

from momentum_opt.arrays import Array, Float, PerCandidate
from momentum_opt.fingerprint.periods import Days
from momentum_opt.metrics.path import Flows, SlicePath
from momentum_opt.metrics.summary import SliceSummary
from momentum_opt.simulation.costs import CostPath
from momentum_opt.simulation.engine import BoundaryPath
from momentum_opt.simulation.inputs import DayInputs
from momentum_opt.simulation.minutes import MinutePath
from momentum_opt.simulation.spec import SimulationSpec
from momentum_opt.simulation.values import (
    boundary_reserves,
    boundary_weights_moved,
    daily_log_values,
    daily_values,
    last_bar_values,
)
from momentum_opt.vocabulary.metrics import Cadence


def slice_path(
    path: BoundaryPath | CostPath,
    minutes: MinutePath | None,
    inputs: DayInputs,
    spec: SimulationSpec,
    days: Days,
    cadence: Cadence,
    summary: SliceSummary | None = None,
    constant_weight: Float[Array, "day ..."] | None = None,
) -> SlicePath:
    """The part of a simulation that lies in `days`, re-based to its own first reserves.

    Values come from the minutes where they were rebuilt, else from the day boundaries; those of the pool tokens of
    minute 0 in both. A `summary` of the slice's minutes serves the metrics that read minutes. `constant_weight` is
    the log value of the constant-weight pool at each of the simulation's days.
    """
    first, end = days
    bars = spec.bars_per_day
    minute = None if minutes is None else minutes.value_of_first_tokens[first * bars : end * bars]
    daily = daily_values(path, inputs, spec)[first:end] if minute is None else minute[::bars]
    logs = daily_log_values(path, spec, slice(first, end)) if minute is None else None
    constant = None if constant_weight is None else constant_weight[first:end]
    if cadence < Cadence.LAST_MINUTE:
        return SlicePath(daily, daily_log=logs, constant_weight=constant)
    day_end = None
    if cadence >= Cadence.DAY_END:
        day_end = last_bar_values(path, inputs, spec, slice(first, end)) if minute is None else minute[bars - 1 :: bars]
    last = last_bar_values(path, inputs, spec, np.array([end - 1]))[0] if minute is None else minute[-1]
    reserves = boundary_reserves(path, inputs, first)
    flows = None
    if minutes is not None:
        flows = _flows_between(minutes, first * bars, end * bars)
    elif summary is not None:
        flows = _flows_of(summary, bars)
    return SlicePath(
        daily=daily,
        daily_log=logs,
        last=last,
        hodl_last=jnp.tensordot(inputs.last_price[end - 1], reserves, axes=1),
        uniform_hodl_last=daily[0] * jnp.mean(inputs.last_price[end - 1] / inputs.price[first]),
        day_end=day_end,
        minute=minute,
        summary=summary,
        constant_weight=constant,
        weights_moved=0.5 * boundary_weights_moved(path, first, end),
        flows=flows,
    )


def _flows_between(minutes: MinutePath, first: int, end: int) -> Flows:
    """What flowed through the pool over the bars [first, end)."""
    steps = minutes.steps
    assert steps is not None
    return Flows(
        mean_value=jnp.mean(minutes.value_of_first_tokens[first:end], axis=0),
        traded=jnp.sum(steps.traded[first + 1 : end], axis=0),
        fees=jnp.sum(steps.fees[first:end], axis=0),
        rebalanced=jnp.sum(steps.rebalanced[first + 1 : end], axis=0),
    )


def _flows_of(summary: SliceSummary, bars_per_day: int) -> Flows:
    """The flows of a slice: those inside its days and between them, and for fees the ones at its first bar."""
    inside, into = summary.inside, summary.into
    assert inside is not None
    assert into is not None

    def between(name: str) -> PerCandidate | None:
        if name not in inside:
            return None
        return jnp.sum(inside[name], axis=0) + jnp.sum(into[name][1:], axis=0)

    fees, total = between("fees"), summary.total
    return Flows(
        mean_value=None if total is None else jnp.sum(total, axis=0) / (total.shape[0] * bars_per_day),
        traded=between("traded"),
        fees=None if fees is None else fees + into["fees"][0],
        rebalanced=between("rebalanced"),
    )


def mean_turnover(
    path: BoundaryPath | CostPath, minutes: MinutePath | None, spec: SimulationSpec, days: Days
) -> PerCandidate | None:
    """Mean over the bars of `days` of Σ |Δ(R_i p_i/V)|; None where it would need minutes that were not simulated.

    Arbitraged at every bar without costs, the value shares are the weights, whose changes the engine sums up; otherwise
    the shares drift with the prices between two trades, and their changes are summed up where it is asked.
    """
    first, end = days
    changes = (end - first) * spec.bars_per_day - 1
    if spec.arb == 1 and isinstance(path, BoundaryPath):
        return boundary_weights_moved(path, first, end) / changes
    if minutes is not None:
        shares: Float[Array, "time asset *batch"] = minutes.shares[first * spec.bars_per_day : end * spec.bars_per_day]
        return jnp.sum(jnp.abs(jnp.diff(shares, axis=0)), axis=(0, 1)) / changes
    kept = path.kept
    if kept is None or "shares" not in kept.inside:
        return None
    inside, into = kept.inside["shares"][first:end], kept.into["shares"][first + 1 : end]
    return (jnp.sum(inside, axis=0) + jnp.sum(into, axis=0)) / changes
