"""Measure how the objective falls off around a winner (SPEC §13)."""

from collections.abc import Sequence
from typing import Final

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.evidence.findings import Cloud, HeatMap, PlateauFindings
from momentum_opt.evidence.neighbourhood import JOINT, CloudRows, GridRows
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.pool.memory import capped_lamb, lamb_to_memory_days_clipped
from momentum_opt.study.candidates import ParamSet

KEPT: Final = 0.9
"""Share of the gain over the constant-weight pool that a neighbour keeps to count."""

VERDICT_RADIUS: Final = 0.05
"""Radius of the joint cloud that the verdict reads; one of `neighbourhood.RADII`."""

CLOUD_QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)

Values = NDArray[np.float64]


def plateau_findings(
    winner: float,
    baseline: float,
    clouds: Sequence[tuple[CloudRows, Values]],
    heat_maps: Sequence[HeatMap],
    sign: int = 1,
) -> PlateauFindings:
    """Quantiles of every cloud, and the share of it that keeps 90 % of the winner's gain over the constant-weight pool.

    Args:
        winner: its objective, as the study maximises it.
        baseline: the constant-weight pool's; not finite where it has none.
        clouds: each with its objectives, not finite where a candidate failed.
        heat_maps: as they are.
        sign: −1 where the objective's metric is better when lower; its values are then given with their sign turned,
            and shown as they are.
    """
    known = bool(np.isfinite(baseline))
    gains = known and winner > baseline
    needed = baseline + KEPT * (winner - baseline) if gains else None
    found = tuple(_cloud(rows, objectives, needed, sign) for rows, objectives in clouds)
    joint = next((one for one in found if one.parameter == JOINT and one.radius == VERDICT_RADIUS), None)
    reason = None
    if not gains:
        better = "above" if sign > 0 else "below"
        reason = f"the winner's objective is not {better} the constant-weight pool's" if known else "that pool has none"
    return PlateauFindings(
        winner=sign * winner,
        baseline=sign * baseline if known else None,
        radius=VERDICT_RADIUS,
        share_kept=None if joint is None else joint.share_kept,
        reason=reason,
        clouds=found,
        heat_maps=tuple(heat_maps),
    )


def heat_map(grid: GridRows, objectives: Values, winner: ParamSet, fingerprint: Fingerprint) -> HeatMap:
    """A grid's objectives, with its sides in readable units: k per day and days of memory."""
    table = fingerprint.objective.signs[0] * objectives.reshape(len(grid.logit_lamb), len(grid.log_k))
    place = grid.token_place
    return HeatMap(
        token=grid.token,
        k_per_day=tuple(map(float, np.exp2(grid.log_k))),
        memory_days=tuple(map(float, _memory_days(grid.logit_lamb, fingerprint))),
        objective=tuple(tuple(float(x) if np.isfinite(x) else None for x in row) for row in table),
        winner_k_per_day=float(np.exp2(winner["log_k"][place])),
        winner_memory_days=float(_memory_days(winner["logit_lamb"][place : place + 1], fingerprint)[0]),
    )


def _cloud(rows: CloudRows, objectives: Values, needed: float | None, sign: int) -> Cloud:
    finite = objectives[np.isfinite(objectives)]
    quantiles = np.quantile(sign * finite, CLOUD_QUANTILES) if finite.size else ()
    kept = None if needed is None else float((finite >= needed).sum() / len(objectives))
    return Cloud(rows.parameter, rows.radius, len(objectives), tuple(map(float, quantiles)), kept)


def _memory_days(logit_lamb: Values, fingerprint: Fingerprint) -> Values:
    pool = fingerprint.pool
    lamb = capped_lamb(jnp.asarray(logit_lamb), pool.max_memory_days, pool.chunk_period)
    return np.asarray(lamb_to_memory_days_clipped(lamb, pool.chunk_period, pool.max_memory_days))
