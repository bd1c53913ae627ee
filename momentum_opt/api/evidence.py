"""Write the evidence.json of a tuned run (SPEC §13), found once per winner."""

from collections.abc import Sequence

import numpy as np

from momentum_opt.api.neighbours import Scorer
from momentum_opt.api.opening import Run
from momentum_opt.evidence.assess import WinnerPath, assess
from momentum_opt.evidence.findings import Findings
from momentum_opt.evidence.neighbourhood import Neighbourhood
from momentum_opt.evidence.together import among_all
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.results.evidence import counted_others, recorded_evidence, write_evidence
from momentum_opt.results.tables import read_screened
from momentum_opt.study.constant_weight import constant_weight_log_growth
from momentum_opt.study.replay import BASELINE_METRICS, Replay, replay
from momentum_opt.study.trials import TrialRecord

BASELINE = "constant_weight"


def find_evidence(
    run: Run,
    records: Sequence[TrialRecord],
    stopped: str,
    winner: TrialRecord,
    replayed: Replay | None,
    scorer: Scorer,
    neighbourhood: Neighbourhood | None,
) -> Findings | None:
    """What evidence.json says of the winner; made anew where it tells of another one, other trials or other settings.

    None, and no file, where the configuration leaves evidence out, or the study was interrupted: it can go on.

    Args:
        run: whose winner it is.
        records: all finished trials.
        stopped: how the study ended.
        winner: one of the trials.
        replayed: the winner's replay, where it has been made already.
        scorer: of the run.
        neighbourhood: of a trial, where one has been scored already; the winner's is scored where it is another one's.
    """
    fingerprint, folder, space = run.fingerprint, run.folder, scorer.space
    recorded = recorded_evidence(folder.evidence, fingerprint, records, winner)
    if recorded is not None:
        return recorded
    others = counted_others(folder.evidence)
    folder.evidence.unlink(missing_ok=True)  # it tells of another winner, or of other settings
    if not fingerprint.evidence.enabled or stopped == "interrupted":
        return None
    replayed = replayed or replay(fingerprint, run.market, space.params(winner.numbers))
    screened = read_screened(folder.screen, space, fingerprint) if fingerprint.search.screen else None
    path = winner_path(fingerprint, run.market, replayed)
    around = neighbourhood if neighbourhood is not None and neighbourhood.trial == winner.number else None
    findings = assess(scorer.evaluator, space, records, winner, path, screened, around)
    if others:
        findings = among_all(findings, others, fingerprint.evidence)
    write_evidence(folder.evidence, findings)
    return findings


def winner_path(fingerprint: Fingerprint, market: Market, replayed: Replay) -> WinnerPath:
    """The daily returns of train and the numbers of validation that a replay shows.

    The returns stand beside those of the constant-weight pool that the trials' sums are in excess of, whose weights are
    the configuration's; the replay's own one has the winner's initial weights.

    Raises:
        ConfigError: a period is no multiple of the market's bar.
    """
    first, end = fingerprint.periods.train
    bars = market.bars_per_day
    metric = fingerprint.objective.metric
    metric = metric if metric in BASELINE_METRICS else "returns"

    validated = "validation" in replayed.metrics
    return WinnerPath(
        returns=np.diff(np.log(replayed.value_of_first_tokens[first * bars : end * bars : bars])),
        baseline=np.diff(constant_weight_log_growth(fingerprint, market)[first:end]),
        metric=metric,
        validation=_finite(replayed.metrics["validation"][metric]) if validated else None,
        baseline_validation=(_finite(replayed.baseline_metrics["validation"][BASELINE][metric]) if validated else None),
    )


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
