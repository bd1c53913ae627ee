"""Score parameter sets: objective and metrics of train and validation."""

from collections.abc import Sequence
from typing import Any

from momentum_opt import device
from momentum_opt.api.given_params import GivenParams, check_alike, parsed_sets
from momentum_opt.api.prices import fitting
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.study.constant_weight import has_own_weights
from momentum_opt.study.evaluation import Evaluator

Document = dict[str, Any]


def score(fingerprint: Fingerprint, market: Market, sets: Sequence[GivenParams]) -> list[Document]:
    """Objective and train and validation metrics of parameter sets, scored as one batch.

    Args:
        fingerprint: what to simulate and how to score it.
        market: its prices; those of more days are cut to the fingerprint's.
        sets: parameters as for `simulate`, the same names in all of them.

    Returns:
        One document per set: `objectives`, `train`, `validation`; not finite where a metric cannot be had.

    Raises:
        ParamsError: a set that the pool cannot run with, sets that name different parameters, or none at all.
        ConfigError: a period is no multiple of the market's bar.
    """
    device.configure()
    parsed, market = parsed_sets(sets, fingerprint), fitting(fingerprint, market)
    check_alike(parsed)
    evaluator = Evaluator(
        fingerprint,
        market,
        batch_size=len(parsed),
        precision=fingerprint.device.precision,
        own_weights=any(has_own_weights(params, fingerprint) for params in parsed),
    )
    scores = evaluator.score(parsed)
    return [
        {
            "objectives": fingerprint.objective.shown([float(value) for value in scores.objectives[place]]),
            "train": {name: float(values[place]) for name, values in scores.train.items()},
            "validation": {name: float(values[place]) for name, values in scores.validation.items()},
        }
        for place in range(len(parsed))
    ]
