"""Finished trials: Optuna's frozen trials in, plain records out, and the other way round."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from momentum_opt.study.pareto import balanced_row, pareto_rows

BATCH_START = "batch_start"
BATCH_SIZE = "batch_size"
BLOCKS = "blocks"
"""System attribute of what no person reads."""
WORKER = "worker"
FAIL_REASON = "fail_reason"
TRAIN = "train_"
VALIDATION = "validation_"
"""Before the names of metrics: attributes are flat, so that Optuna's dashboard shows, sorts and filters them."""
SOURCE = "source"
SCREEN = "screen"
WARM_START = "warm_start"
NEIGHBOURHOOD = "neighbourhood"
SAMPLER = "sampler"
BESIDE = frozenset({SCREEN, NEIGHBOURHOOD})
"""Sources of trials that were not asked of the sampler: they do not count towards the number of trials."""
POINTS = "points"
START_OF = "start_"
"""Before the name of a number: where the ascent that led to the trial began."""
NEAR = "near"
"""Number of the trial whose neighbourhood a trial comes from."""
NEAR_COUNT = "near_count"
"""How many trials come from it: with fewer in the storage, their append was cut short."""


@dataclass(frozen=True)
class TrialRecord:
    """One finished trial.

    Attributes:
        number: in the durable storage.
        numbers: sampled numbers by Optuna name.
        objectives: one value, or (mean, worst, −std); empty where the trial failed.
        train: metrics of the train days; NaN where unavailable.
        validation: metrics of the validation days.
        fail_reason: why it failed; None for a complete trial.
        source: where its numbers came from: `sampler`, `screen`, `warm_start` or `neighbourhood`.
        blocks: its sums per block of train days, encoded (`block_sums`); None where they were not gathered.
        points: how many points were scored to find it, itself included; above one where it was improved. The first
            trial of a neighbourhood counts all points of it that did not become trials.
        start: where its improvement began, by Optuna name; empty where it was not improved.
        batch: worker, and trials finished before the batch that it was asked in; None where it was not asked.
        near: number of the trial whose neighbourhood it comes from; None of others.
        near_count: how many trials come from that neighbourhood.
        violation: how far its train metrics break the limits (`limits`); 0 where they keep them, or there are none.
    """

    number: int
    numbers: Mapping[str, float]
    objectives: tuple[float, ...]
    train: Mapping[str, float]
    validation: Mapping[str, float]
    fail_reason: str | None
    source: str = SAMPLER
    blocks: str | None = None
    points: int = 1
    start: Mapping[str, float] = field(default_factory=dict[str, float])
    batch: tuple[int, int] | None = None
    near: int | None = None
    near_count: int = 0
    violation: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether it has no objective."""
        return not self.objectives

    @property
    def counts(self) -> bool:
        """Whether it counts towards the number of trials, as those do that were asked of the sampler."""
        return self.source not in BESIDE


def was_sampled(trial: FrozenTrial) -> bool:
    """Whether a finished trial counts towards the number of trials: screened ones and neighbours do not."""
    return trial.user_attrs.get(SOURCE) not in BESIDE


def was_screened(trial: FrozenTrial) -> bool:
    """Whether a finished trial comes from the screening."""
    return trial.user_attrs.get(SOURCE) == SCREEN


def record_of(trial: FrozenTrial) -> TrialRecord:
    """The record of a finished Optuna trial."""
    complete = trial.state == TrialState.COMPLETE
    attributes = trial.user_attrs
    return TrialRecord(
        number=trial.number,
        numbers={name: float(value) for name, value in trial.params.items()},
        objectives=tuple(trial.values) if complete else (),
        train=_metrics_of(attributes, TRAIN),
        validation=_metrics_of(attributes, VALIDATION),
        fail_reason=None if complete else attributes.get(FAIL_REASON, "unknown"),
        source=attributes.get(SOURCE, SAMPLER),
        blocks=trial.system_attrs.get(BLOCKS, attributes.get(BLOCKS)) if complete else None,
        points=attributes.get(POINTS, 1),
        start={
            name: float(attributes[f"{START_OF}{name}"]) for name in trial.params if f"{START_OF}{name}" in attributes
        },
        batch=(attributes.get(WORKER, 0), attributes[BATCH_START]) if BATCH_START in attributes else None,
        near=attributes.get(NEAR),
        near_count=attributes.get(NEAR_COUNT, 0),
        violation=violation_of_trial(trial),
    )


def violation_of_trial(trial: FrozenTrial) -> float:
    """The sum of its constraints above 0, as Optuna's samplers take it; 0 without limits."""
    return sum((value for value in trial.constraints.values() if value > 0.0), start=0.0)


def metric_attributes(
    train: Mapping[str, NDArray[np.float64]], validation: Mapping[str, NDArray[np.float64]], row: int
) -> dict[str, float | None]:
    """One row of the metrics as attributes of a trial, strict JSON: null where a value is not finite."""
    return {
        f"{prefix}{name}": float(values[row]) if math.isfinite(values[row]) else None
        for prefix, table in ((TRAIN, train), (VALIDATION, validation))
        for name, values in table.items()
    }


def not_finite(values: Sequence[float] | NDArray[np.float64]) -> str:
    """Why a trial whose objectives are `values` fails."""
    return f"objective is not finite ({', '.join(f'{value:g}' for value in values)})"


def _metrics_of(attributes: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """The metrics of a period; those of an older version stand in one attribute together."""
    together = attributes.get(prefix[:-1])
    found = (
        together
        if isinstance(together, Mapping)
        else {name.removeprefix(prefix): value for name, value in attributes.items() if name.startswith(prefix)}
    )
    return {name: math.nan if value is None else value for name, value in found.items()}


def best_record(records: Sequence[TrialRecord]) -> TrialRecord | None:
    """The winner: the largest objective, the earliest among equals; the balanced point of several objectives.

    Only trials that keep the limits can win; where none does, those with the smallest violation. The balanced point is
    the trial of the Pareto front closest to the ideal after min–max scaling over the front.
    """
    complete = _least_violating(records)
    if not complete:
        return None
    if len(complete[0].objectives) == 1:
        return max(complete, key=lambda record: (record.objectives[0], -record.number))
    front = pareto_front(complete)
    return front[balanced_row(_objectives(front))]


def leading(records: Sequence[TrialRecord], count: int) -> list[TrialRecord]:
    """The `count` best trials, the winner first: those that keep the limits before the others, by the first objective.

    Of several objectives their Pareto front comes first.
    """
    front = {record.number for record in pareto_front(records)}
    complete = [record for record in records if not record.failed]
    complete.sort(key=lambda one: (one.number not in front, one.violation, -one.objectives[0], one.number))
    return complete[:count]


def pareto_front(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The complete trials that no other one beats in every objective (and equals in none better), by number.

    Of those that keep the limits; where none does, of those with the smallest violation.
    """
    complete = sorted(_least_violating(records), key=lambda record: record.number)
    return [complete[row] for row in pareto_rows(_objectives(complete))]


def _least_violating(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    complete = [record for record in records if not record.failed]
    least = min((record.violation for record in complete), default=0.0)
    return [record for record in complete if record.violation == least]


def _objectives(records: Sequence[TrialRecord]) -> NDArray[np.float64]:
    return np.array([record.objectives for record in records], np.float64)


class Leader:
    """The trials that no other one beats, as trials come in; the cost of one more grows with the front alone."""

    def __init__(self) -> None:
        self.front: list[TrialRecord] = []

    def add(self, record: TrialRecord) -> None:
        """Take in one more trial; a failed one beats none."""
        if record.failed or any(_beats(other, record) for other in self.front):
            return
        self.front = [other for other in self.front if not _beats(record, other)]
        self.front.append(record)

    @property
    def best(self) -> TrialRecord | None:
        """The winner, as `best_record` describes it."""
        if not self.front:
            return None
        front = sorted(self.front, key=lambda record: record.number)
        return front[balanced_row(_objectives(front))]


def _beats(one: TrialRecord, other: TrialRecord) -> bool:
    """Whether `one` breaks the limits less, or as much and is at least as good in every objective and better in some.

    Of equal single objectives the earlier trial is the better one.
    """
    if one.violation != other.violation:
        return one.violation < other.violation
    if len(one.objectives) == 1:
        return (one.objectives[0], -one.number) > (other.objectives[0], -other.number)
    pairs = zip(one.objectives, other.objectives, strict=True)
    return all(a >= b for a, b in pairs) and one.objectives != other.objectives
