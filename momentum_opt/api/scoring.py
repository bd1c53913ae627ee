"""Parameter sets in, objective and metrics of train and validation out."""

from collections.abc import Sequence
from typing import Any

from momentum_opt import device
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.study.candidates import ParamSet
from momentum_opt.study.evaluation import Evaluator

Document = dict[str, Any]


def score(fingerprint: Fingerprint, market: Market, sets: Sequence[ParamSet]) -> list[Document]:
    """Objective and train and validation metrics of parameter sets, scored as one batch.

    Args:
        fingerprint: what to simulate and how to score it.
        market: its prices.
        sets: name → (asset,) values in the order of the fingerprint's tokens.

    Returns:
        One document per set: `objectives`, `train`, `validation`.
    """
    device.configure()
    evaluator = Evaluator(fingerprint, market, batch_size=len(sets), precision=fingerprint.device.precision)
    scores = evaluator.score(sets)
    return [
        {
            "objectives": tuple(float(value) for value in scores.objectives[place]),
            "train": {name: float(values[place]) for name, values in scores.train.items()},
            "validation": {name: float(values[place]) for name, values in scores.validation.items()},
        }
        for place in range(len(sets))
    ]
