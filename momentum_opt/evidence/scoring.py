"""Score candidates beside the trials: objectives, validation and block sums."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from momentum_opt.pool import POOLS
from momentum_opt.study.block_sums import Sums
from momentum_opt.study.candidates import ParamSet
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.space import SearchSpace

Values = NDArray[np.float64]


class ScoredRows(NamedTuple):
    """Candidates and what they came to; one that failed has no finite number."""

    numbers: NDArray[np.float64]
    """(candidate, number) in the order of the space's distributions."""
    objectives: Values
    """(candidate,) the first objective."""
    validation: Values | None
    """(candidate,) the objective's metric on validation; None without such days."""
    sums: Sums
    """(candidate, row, column) sums per block of train days; NaN where they were not kept."""

    def part(self, first: int, end: int) -> "ScoredRows":
        """Candidates first … end − 1."""
        validation = None if self.validation is None else self.validation[first:end]
        return ScoredRows(self.numbers[first:end], self.objectives[first:end], validation, self.sums[first:end])


def score_rows(rows: Sequence[Values], space: SearchSpace, evaluator: Evaluator) -> ScoredRows:
    """Score candidates in as few calls as the evaluator's width allows.

    Raises:
        ValueError: the evaluator gathers no block sums.
    """
    numbers = np.concatenate(rows)
    scores = evaluator.score_columns(space.columns(numbers))
    if scores.blocks is None:
        raise ValueError("`evaluator` gathers no block sums; give it the constant-weight pool")
    failed = np.asarray(~np.isfinite(scores.objectives).all(axis=1))
    metric = evaluator.scoring.metric
    validation = scores.validation.get(metric)
    return ScoredRows(
        numbers,
        np.where(failed, np.nan, scores.objectives[:, 0]),
        None if validation is None else np.where(failed, np.nan, validation),
        np.where(failed[:, None, None], np.nan, scores.blocks),
    )


def constant_weight_objective(start: ParamSet, evaluator: Evaluator) -> float:
    """The (first) objective of the constant-weight pool: the initial weights, with parameters that never move them."""
    still = POOLS[evaluator.fingerprint.pool.rule].resting_params(start)
    return float(evaluator.score([still]).objectives[0, 0])
