"""A tuned run in, evidence.json in its folder out (SPEC §13): luck or skill, found once per winner."""

from typing import Any

import numpy as np

from momentum_opt.evidence.assess import WinnerPath, assess
from momentum_opt.evidence.findings import Findings
from momentum_opt.evidence.scoring import ScoredRows
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.results.evidence import recorded_evidence, write_evidence
from momentum_opt.results.run_folder import RunFolder
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.loop import Outcome
from momentum_opt.study.replay import BASELINE_METRICS, Replay, replay
from momentum_opt.study.space import SearchSpace
from momentum_opt.study.trials import TrialRecord

BASELINE = "constant_weight"


def find_evidence(
    folder: RunFolder,
    market: Market,
    space: SearchSpace,
    evaluator: Evaluator,
    outcome: Outcome,
    winner: TrialRecord,
    replayed: Replay | None,
    screened: ScoredRows | None = None,
) -> Findings | None:
    """What evidence.json says of the winner; made anew where it tells of another one, other trials or other settings.

    None, and no file, where the configuration leaves evidence out, or the study was interrupted: it can go on.

    Args:
        folder: of the run.
        market: its prices.
        space: what was searched.
        evaluator: of the study.
        outcome: its trials.
        winner: one of them.
        replayed: the winner's replay, where it has been made already.
        screened: candidates scored before the study.
    """
    fingerprint = evaluator.fingerprint
    recorded = recorded_evidence(folder.evidence, fingerprint, outcome.records, winner)
    if recorded is not None:
        return recorded
    folder.evidence.unlink(missing_ok=True)  # it tells of another winner, or of other settings
    if not fingerprint.evidence.enabled or outcome.stopped == "interrupted":
        return None
    path = winner_path(fingerprint, market, replayed or replay(fingerprint, market, space.params(winner.numbers)))
    findings = assess(evaluator, space, outcome.records, winner, path, screened)
    write_evidence(folder.evidence, findings)
    return findings


def winner_path(fingerprint: Fingerprint, market: Market, replayed: Replay) -> WinnerPath:
    """The daily returns of train and the numbers of validation that a replay shows."""
    first, end = fingerprint.periods.train
    bars = market.bars_per_day
    metric = fingerprint.objective.metric
    metric = metric if metric in BASELINE_METRICS else "returns"

    def returns(value: Any) -> Any:
        return np.diff(np.log(value[first * bars : end * bars : bars]))

    validated = "validation" in replayed.metrics
    return WinnerPath(
        returns=returns(replayed.value),
        baseline=returns(replayed.baselines[BASELINE]),
        metric=metric,
        validation=_finite(replayed.metrics["validation"][metric]) if validated else None,
        baseline_validation=(_finite(replayed.baseline_metrics["validation"][BASELINE][metric]) if validated else None),
    )


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
