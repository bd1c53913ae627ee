"""Which parameters decide how good a trial is: trials' numbers and objectives in, one share per parameter out.

PED-ANOVA (S. Watanabe, A. Bansal, F. Hutter, PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
Subspaces, IJCAI 2023), as Optuna has it: how far the best tenth of the trials is spread otherwise than all of them.
"""

from collections.abc import Container, Mapping
from typing import Final

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

FEWEST_TRIALS: Final = 50
"""Complete trials below which the best tenth is too few to tell."""

MOST_TRIALS: Final = 1000
"""Trials that are looked at, evenly spaced over the study; more say no more and take longer."""

_NAME: Final = "importance"

Values = NDArray[np.float64]


def parameter_importances(params: Mapping[str, Mapping[str, Values]], objective: Values) -> dict[str, float]:
    """Shares that sum to one, largest first; empty where too few trials are complete or nothing was varied.

    Args:
        params: parameter → token → (trial,) numbers, which become `log_k_BTC`, …; one that all tokens share is `log_k`,
            and what does not vary is left out.
        objective: (trial,) higher is better; NaN for a trial that failed.
    """
    complete = np.flatnonzero(np.isfinite(objective))
    if len(complete) < FEWEST_TRIALS:
        return {}
    kept = complete[np.linspace(0, len(complete) - 1, min(len(complete), MOST_TRIALS)).round().astype(int)]
    varied = {name: values[kept] for name, values in _sampled(params).items()}
    varied = {name: values for name, values in varied.items() if np.isfinite(values).all() and np.ptp(values) > 0.0}
    scores = objective[kept]
    if not varied or not np.ptp(scores) > 0.0:
        return {}
    ranges: dict[str, BaseDistribution] = {
        name: FloatDistribution(float(values.min()), float(values.max())) for name, values in varied.items()
    }
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = _Finished(
            [
                optuna.trial.FrozenTrial(
                    number=place,
                    trial_id=place,
                    state=TrialState.COMPLETE,
                    value=float(scores[place]),
                    params={name: float(values[place]) for name, values in varied.items()},
                    distributions=ranges,
                    datetime_start=None,
                    datetime_complete=None,
                    user_attrs={},
                    system_attrs={},
                    intermediate_values={},
                )
                for place in range(len(scores))
            ]
        )
        return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    finally:
        optuna.logging.set_verbosity(before)


class _Finished(optuna.Study):
    """A study that holds trials as they are: Optuna's own storage copies each of them, which takes most of the time."""

    def __init__(self, trials: list[optuna.trial.FrozenTrial]) -> None:
        storage = InMemoryStorage()
        storage.create_new_study([StudyDirection.MAXIMIZE], _NAME)
        super().__init__(_NAME, storage)
        self._finished = trials

    def get_trials(
        self,
        deepcopy: bool = True,  # noqa: ARG002
        states: Container[TrialState] | None = None,
    ) -> list[optuna.trial.FrozenTrial]:
        """The trials, not copied."""
        return [one for one in self._finished if states is None or one.state in states]


def _sampled(params: Mapping[str, Mapping[str, Values]]) -> dict[str, Values]:
    """The numbers that were sampled: one per token, or one for all where the tokens' are alike."""
    sampled: dict[str, Values] = {}
    for name, table in params.items():
        first, *others = table.values()
        shared = bool(others) and all(np.array_equal(first, other) for other in others)
        sampled |= {name: first} if shared else {f"{name}_{token}": values for token, values in table.items()}
    return sampled
