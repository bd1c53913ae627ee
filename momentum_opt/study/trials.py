"""Finished trials: Optuna's frozen trials in, plain records out, and the other way round."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

BATCH_START = "batch_start"
BATCH_SIZE = "batch_size"
BLOCKS = "blocks"
FAIL_REASON = "fail_reason"
TRAIN = "train"
VALIDATION = "validation"


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
        blocks: its sums per block of train days, encoded (`block_sums`); None where they were not gathered.
    """

    number: int
    numbers: Mapping[str, float]
    objectives: tuple[float, ...]
    train: Mapping[str, float]
    validation: Mapping[str, float]
    fail_reason: str | None
    blocks: str | None = None

    @property
    def failed(self) -> bool:
        """Whether it has no objective."""
        return not self.objectives


def record_of(trial: FrozenTrial) -> TrialRecord:
    """The record of a finished Optuna trial."""
    complete = trial.state == TrialState.COMPLETE
    attributes = trial.user_attrs
    return TrialRecord(
        number=trial.number,
        numbers={name: float(value) for name, value in trial.params.items()},
        objectives=tuple(trial.values) if complete else (),
        train=_from_json(attributes.get(TRAIN, {})),
        validation=_from_json(attributes.get(VALIDATION, {})),
        fail_reason=None if complete else attributes.get(FAIL_REASON, "unknown"),
        blocks=attributes.get(BLOCKS) if complete else None,
    )


def json_metrics(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Metrics as strict JSON: null where a value is not finite."""
    return {name: float(value) if math.isfinite(value) else None for name, value in metrics.items()}


def _from_json(metrics: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.nan if value is None else value for name, value in metrics.items()}


def best_record(records: Sequence[TrialRecord]) -> TrialRecord | None:
    """The winner: the largest objective, the earliest among equals; the balanced point of several objectives.

    The balanced point is the trial of the Pareto front closest to the ideal after min–max scaling over the front.
    """
    complete = [record for record in records if not record.failed]
    if not complete:
        return None
    if len(complete[0].objectives) == 1:
        return max(complete, key=lambda record: (record.objectives[0], -record.number))
    front = pareto_front(complete)
    columns = list(zip(*(record.objectives for record in front), strict=True))
    low, high = [min(column) for column in columns], [max(column) for column in columns]

    def distance(record: TrialRecord) -> float:
        parts = zip(record.objectives, low, high, strict=True)
        return math.hypot(*((top - value) / (top - bottom) if top > bottom else 0.0 for value, bottom, top in parts))

    return min(front, key=lambda record: (distance(record), record.number))


def pareto_front(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The complete trials that no other one beats in every objective (and equals in none better)."""

    def dominated(one: TrialRecord) -> bool:
        return any(
            all(a >= b for a, b in zip(other.objectives, one.objectives, strict=True))
            and other.objectives != one.objectives
            for other in records
        )

    return [record for record in records if not dominated(record)]
