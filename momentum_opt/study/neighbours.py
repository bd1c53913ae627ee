"""Let neighbours of a winner that score better enter the study as trials (SPEC §12): which ones, and as what.

A neighbourhood is scored around a winner once a search has ended. The points of it that beat the winner enter the study
in one go, the best first. Each notes the trial that it lies near and how many enter with it, so that an append that was
cut short is completed by the next start, and nothing enters twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial

from momentum_opt.fingerprint import Fingerprint
from momentum_opt.study.samplers import first_generation
from momentum_opt.study.screening import finished_trial
from momentum_opt.study.space import SearchSpace
from momentum_opt.study.trials import (
    NEAR,
    NEAR_COUNT,
    NEIGHBOURHOOD,
    POINTS,
    SOURCE,
    TrialRecord,
)

if TYPE_CHECKING:
    from momentum_opt.study.evaluation import BatchScores

BETTER_SHARE: Final = 0.01
"""Of the winner's gain over the constant-weight pool: by more than that a neighbour must score better to enter."""

MOST_ROUNDS: Final = 32
"""Neighbourhoods in a row that may yield trials without one of the sampler's between them."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Cut:
    """Trials of a neighbourhood whose append was cut short: near which trial they lie, and how many are there."""

    near: int
    there: int


def margin(winner: float, baseline: float) -> float:
    """By how much a neighbour must score better: 1 % of the gain, or of the loss where the winner has no gain.

    Args:
        winner: its (first) objective.
        baseline: the constant-weight pool's; not finite where it has none, and then the winner's own size counts.
    """
    return BETTER_SHARE * abs(winner - baseline if np.isfinite(baseline) else winner)


def better_rows(
    objectives: NDArray[np.float64],
    numbers: NDArray[np.float64],
    winner: Sequence[float],
    baseline: float,
    space: SearchSpace,
    most: int,
    violations: NDArray[np.float64],
    violation: float,
) -> NDArray[np.int64]:
    """Rows of the neighbours that enter the study, the best first.

    They beat the winner's first objective by more than `margin`, fall behind it in no other, keep the limits, and lie
    in the ranges that are searched: a heat map shows the whole range also where only a part of it is searched. Where
    the winner breaks a limit, they violate the limits less by more than `BETTER_SHARE`.

    Args:
        objectives: (candidate, objective); not finite where a candidate failed.
        numbers: (candidate, key).
        winner: its objectives.
        baseline: the constant-weight pool's first objective.
        space: what is searched.
        most: rows at most.
        violations: (candidate,) of the limits; 0 where a candidate keeps them.
        violation: the winner's.
    """
    low, high = space.bounds
    inside = ((numbers >= low) & (numbers <= high)).all(axis=1)
    sound = np.isfinite(objectives).all(axis=1)
    if violation > 0.0:
        better = violations < (1.0 - BETTER_SHARE) * violation
    else:
        ahead = (objectives >= np.asarray(winner)).all(axis=1)
        better = ahead & (objectives[:, 0] > winner[0] + margin(winner[0], baseline)) & (violations == 0.0)
    rows = np.flatnonzero(inside & sound & better)
    rows = rows[np.lexsort((-objectives[rows, 0], violations[rows]))]
    _, first = np.unique(numbers[rows], axis=0, return_index=True)
    return rows[np.sort(first)][:most]


def neighbour_trials(
    rows: NDArray[np.int64],
    numbers: NDArray[np.float64],
    scores: "BatchScores",
    near: int,
    space: SearchSpace,
    fingerprint: Fingerprint,
    finished: Sequence[FrozenTrial],
) -> list[FrozenTrial]:
    """The neighbours in `rows` as finished trials.

    The first of them counts as points all of the neighbourhood that do not enter, because the best were chosen among
    them. For nsga2 they are of the last generation, so that the next one is bred from them as well.

    Args:
        rows: places of those that enter, from `better_rows`.
        numbers: (candidate, key) of the whole neighbourhood, without the winner.
        scores: of the same.
        near: number of the trial that they lie near.
        space: what is searched.
        fingerprint: of the study.
        finished: the trials of the study.
    """
    others = len(np.unique(numbers, axis=0)) - len(rows)
    generation = first_generation(fingerprint.search.sampler)
    system = {key: max((one.system_attrs.get(key, 0) for one in finished), default=0) for key in generation}
    return [
        finished_trial(
            numbers[row].tolist(),
            space.distributions,
            scores,
            row,
            {
                SOURCE: NEIGHBOURHOOD,
                NEAR: near,
                NEAR_COUNT: len(rows),
                POINTS: 1 + (others if place == 0 else 0),
            },
            system,
        )
        for place, row in enumerate(rows.tolist())
    ]


def latest_rounds(records: Sequence[TrialRecord]) -> list[list[TrialRecord]]:
    """The neighbourhoods that trials came from since the sampler's last one, by trial number."""
    rounds: list[list[TrialRecord]] = []
    for record in reversed(records):
        if record.near is None:
            break
        if not rounds or rounds[-1][-1].near != record.near:
            rounds.append([])
        rounds[-1].append(record)
    return [found[::-1] for found in rounds[::-1]]


def cut_short(records: Sequence[TrialRecord]) -> Cut | None:
    """The last neighbourhood, where not all of its trials are in the storage."""
    rounds = latest_rounds(records)
    if not rounds or len(rounds[-1]) >= rounds[-1][0].near_count:
        return None
    first = rounds[-1][0]
    assert first.near is not None
    return Cut(first.near, len(rounds[-1]))
