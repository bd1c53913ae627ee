"""The rehearsal (SPEC §14): a tuned pool, its deployment and prices in, simulation and contract side by side out.

The gap between the two is taken apart by adding the contract's habits one at a time, in the order of `STAGES`; each
stage's share is what it changes against the stage before, so the shares of the value add up to the whole gap.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.onchain.contract import Update
from momentum_opt.onchain.deployment import Deployment
from momentum_opt.onchain.keeper import Keeper, Schedule, schedule
from momentum_opt.onchain.path import ContractPath, contract_path
from momentum_opt.onchain.resolution import Resolution, resolution
from momentum_opt.onchain.simulated import pool_value, simulated_weights
from momentum_opt.study.candidates import ParamSet

STAGES: Final[Mapping[str, str]] = {
    "arithmetic": "integers of 18 decimals, the contract's clamp and speed limit",
    "nine_decimals": "weights and multipliers cut off at the ninth decimal",
    "rails": "standing still once a token reaches a rail",
    "delay": "late updates, which read later prices and let the line run past its target",
    "missed": "updates that do not come",
}

Series = NDArray[np.float64]


@dataclass(frozen=True)
class Gap:
    """How far two pools are apart.

    Attributes:
        largest_weight: largest difference of a weight at any bar.
        mean_weight: mean difference over bars and tokens.
        largest_value: largest relative difference of the value at any bar.
        final_value: relative difference of the value at the end, with its sign.
    """

    largest_weight: float
    mean_weight: float
    largest_value: float
    final_value: float


@dataclass(frozen=True, eq=False)
class Pools:
    """Weights (time, asset) and value (time,) of one path."""

    weights: Series
    value: Series

    def gap_from(self, other: "Pools") -> Gap:
        """The gap of this path, measured from `other`."""
        difference = np.abs(self.weights - other.weights)
        ratio = self.value / other.value - 1.0
        return Gap(float(difference.max()), float(difference.mean()), float(np.abs(ratio).max()), float(ratio[-1]))


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """Simulation and contract side by side.

    Attributes:
        simulated: the simulation.
        contract: the contract model, everything included.
        gap: the contract's from the simulation.
        shares: stage → what it adds to the stage before it.
        updates: how many came.
        missed: times of those that did not, in seconds since 1970 (UTC).
        frozen: times of updates after which a rail was reached before the interval was over.
        resolution: what the digits carry.
    """

    simulated: Pools
    contract: Pools
    gap: Gap
    shares: Mapping[str, Gap]
    updates: int
    missed: tuple[int, ...]
    frozen: tuple[int, ...]
    resolution: Resolution


def rehearse(
    params: ParamSet, fingerprint: Fingerprint, deployment: Deployment, market: Market, keeper: Keeper
) -> Rehearsal:
    """Run both over the market's window; the contract begins with the deployment's state and weights.

    Args:
        params: what the simulation runs with.
        fingerprint: its settings.
        deployment: the contract's values, its first update one interval after the market's start.
        market: prices.
        keeper: how the updates come.

    Raises:
        UsageError: a keeper that no pool can have.
    """
    keeper.check(deployment.update_interval)
    weights = simulated_weights(fingerprint, market, params)
    simulated = Pools(weights, pool_value(fingerprint, market, weights))
    shares: dict[str, Gap] = {}
    before = simulated
    runs = _stages(deployment, market, keeper)
    for stage, _, path in runs:
        after = Pools(path.weights, pool_value(fingerprint, market, path.weights))
        shares[stage] = after.gap_from(before)
        before = after
    _, times, path = runs[-1]
    return Rehearsal(
        simulated=simulated,
        contract=before,
        gap=before.gap_from(simulated),
        shares=shares,
        updates=len(path.updates),
        missed=times.missed,
        frozen=tuple(_frozen(path.updates, deployment.update_interval)),
        resolution=resolution(deployment, path.updates),
    )


def _stages(deployment: Deployment, market: Market, keeper: Keeper) -> list[tuple[str, Schedule, ContractPath]]:
    """The contract's path with one habit more each time; the last one has them all."""
    complete = deployment.settings
    exact = replace(complete, stored_unit=1, stops=False)
    stored = replace(complete, stops=False)
    on_time, late = Keeper(), replace(keeper, miss=0.0)
    stages = [("arithmetic", exact, on_time), ("nine_decimals", stored, on_time), ("rails", complete, on_time)]
    if keeper.delay:
        stages.append(("delay", complete, late))
    if keeper.miss:
        stages.append(("missed", complete, keeper))
    runs: list[tuple[str, Schedule, ContractPath]] = []
    for stage, settings, sender in stages:
        times = schedule(deployment.first_update, deployment.update_interval, market.end_ms // 1000, sender)
        path = contract_path(deployment.pool, settings, deployment.tokens, market, times.times)
        runs.append((stage, times, path))
    return runs


def _frozen(updates: Sequence[Update], interval: int) -> Iterator[int]:
    for done in updates:
        motion = done.pool.motion
        if motion.stop is not None and motion.stop < motion.begin + interval:
            yield motion.begin
