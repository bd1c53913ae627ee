"""Replay a finished trial, check it against its tuned value, and make its best.json."""

from dataclasses import replace
from typing import Any

from momentum_opt.api.replaying import check_replay
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.results.best import StudyFacts, best_document
from momentum_opt.study.candidates import ParamSet
from momentum_opt.study.constant_weight import has_own_weights
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.replay import Replay, replay
from momentum_opt.study.trials import TrialRecord


def verified_document(
    fingerprint: Fingerprint,
    market: Market,
    params: ParamSet,
    trial: TrialRecord,
    facts: StudyFacts,
    *,
    with_test: bool = True,
) -> tuple[dict[str, Any], Replay]:
    """The content of best.json for `trial`, and its replay; whoever shows them has evaluated its test period.

    Args:
        fingerprint: of the run.
        market: its prices.
        params: of the trial.
        trial: a finished one.
        facts: what best.json says of the study.
        with_test: whether the figures of the test period are in them.

    Raises:
        ReplayMismatchError: the replay did not give the tuned value.
    """
    tuned = trial.objectives
    if fingerprint.device.precision != "float64":
        exact = Evaluator(fingerprint, market, batch_size=1, own_weights=has_own_weights(params, fingerprint)).score(
            [params]
        )
        tuned = tuple(float(value) for value in exact.objectives[0])
    replayed = replay(fingerprint, market, params)
    replayed = replayed if with_test else replayed.without_test()
    check_replay(fingerprint.objective.shown(tuned), replayed.objectives, f"trial {trial.number}")
    return best_document(fingerprint, market, params, replace(trial, objectives=tuned), replayed, facts), replayed
