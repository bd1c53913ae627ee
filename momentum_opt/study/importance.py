"""Which parameters decide how good a trial is: trials' numbers and objectives in, one share per parameter out.

PED-ANOVA (S. Watanabe, A. Bansal, F. Hutter, PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
Subspaces, IJCAI 2023), as Optuna has it: how far the best tenth of the trials is spread otherwise than all of them.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import FloatDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

FEWEST_TRIALS: Final = 50
"""Complete trials below which the best tenth is too few to tell."""

MOST_TRIALS: Final = 1000
"""Trials that are looked at, evenly spaced over the study; more say no more and take longer."""

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
    ranges = {name: FloatDistribution(float(values.min()), float(values.max())) for name, values in varied.items()}
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(direction="maximize")
        study.add_trials(
            optuna.create_trial(
                params={name: float(values[place]) for name, values in varied.items()},
                distributions=dict(ranges),
                value=float(scores[place]),
            )
            for place in range(len(scores))
        )
        return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    finally:
        optuna.logging.set_verbosity(before)


def _sampled(params: Mapping[str, Mapping[str, Values]]) -> dict[str, Values]:
    """The numbers that were sampled: one per token, or one for all where the tokens' are alike."""
    sampled: dict[str, Values] = {}
    for name, table in params.items():
        first, *others = table.values()
        shared = bool(others) and all(np.array_equal(first, other) for other in others)
        sampled |= {name: first} if shared else {f"{name}_{token}": values for token, values in table.items()}
    return sampled
