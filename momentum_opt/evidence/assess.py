"""Gather the evidence about a winner (SPEC §13): statistics, neighbourhood, what chance reaches, and the verdict."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from momentum_opt.evidence.detectable import Detectable, detectable
from momentum_opt.evidence.effort import settings_for
from momentum_opt.evidence.findings import (
    CandidateCounts,
    Distribution,
    Findings,
    NonAdaptiveFindings,
    PlateauFindings,
    SharpeFindings,
)
from momentum_opt.evidence.neighbourhood import Neighbourhood, keys_of, random_rows, score_neighbourhood
from momentum_opt.evidence.plateau import heat_map, plateau_findings
from momentum_opt.evidence.scoring import ScoredRows, constant_weight_objective, score_rows
from momentum_opt.evidence.statistics import histogram, sharpe_findings
from momentum_opt.evidence.verdict import verdict
from momentum_opt.fingerprint.sections import Objective
from momentum_opt.study.block_sums import ROWS, Sums, decoded
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.space import SearchSpace
from momentum_opt.study.trials import TrialRecord
from momentum_opt.units import DAYS_PER_YEAR, counted

RANDOM: Final = "random"
SCREENED: Final = "screened"

RANDOM_QUANTILES: Final = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
RANDOM_BINS: Final = 40

Values = NDArray[np.float64]


@dataclass(frozen=True)
class WinnerPath:
    """What the winner's replay shows.

    Attributes:
        returns: (day,) daily log returns of train.
        baseline: the same of the constant-weight pool.
        metric: name of a metric.
        validation: the winner's on validation; None without such days.
        baseline_validation: the constant-weight pool's.
    """

    returns: Values
    baseline: Values
    metric: str
    validation: float | None
    baseline_validation: float | None


def assess(
    evaluator: Evaluator,
    space: SearchSpace,
    records: Sequence[TrialRecord],
    winner: TrialRecord,
    path: WinnerPath,
    screened: ScoredRows | None = None,
    neighbourhood: Neighbourhood | None = None,
) -> Findings:
    """Everything that can be said of the winner, and the verdict.

    Args:
        evaluator: of the study; it must gather block sums.
        space: what was searched.
        records: all finished trials.
        winner: one of them.
        path: its replay.
        screened: candidates scored before the study; they take the place of the random parameter sets.
        neighbourhood: the winner's, where it has been scored already.
    """
    began = time.monotonic()
    fingerprint = evaluator.fingerprint
    settings, seed = settings_for(fingerprint, records), fingerprint.search.seed
    others = screened
    if others is None:
        rng = np.random.default_rng([seed, winner.number])
        others = score_rows([random_rows(space, settings.random_baselines, rng)], space, evaluator)
    competitors, n_distinct, missing = competitors_of(
        records, space, screened, settings.blocks, same_costs=not fingerprint.proposes_without_costs
    )
    non_adaptive = _finite(others.sums)

    def say(returns: Values, *, excess: bool) -> SharpeFindings:
        return sharpe_findings(
            returns,
            competitors,
            non_adaptive,
            n_candidates=n_distinct,
            excess=excess,
            blocks=settings.blocks,
            draws=settings.bootstrap_draws,
            seed=seed,
            missing=missing,
            cautious=bool(settings.quick),
        )

    excess = say(path.returns - path.baseline, excess=True)
    if neighbourhood is None:
        neighbourhood = score_neighbourhood(evaluator, space, winner, settings)
    plateau = None if neighbourhood is None else _plateau(evaluator, space, winner, neighbourhood)
    sampled = [record for record in records if record.counts]
    validation = (path.metric, path.validation, path.baseline_validation)
    return Findings(
        trial=winner.number,
        settings=settings.model_dump(),
        candidates=CandidateCounts(
            trials=len(sampled),
            failed=sum(record.failed for record in sampled),
            screened=0 if screened is None else len(screened.objectives),
            distinct=n_distinct,
        ),
        excess=excess,
        absolute=say(path.returns, excess=False),
        non_adaptive=_spread(RANDOM if screened is None else SCREENED, others, winner, fingerprint.objective),
        plateau=plateau,
        verdict=verdict(excess, plateau, validation, n_distinct, settings.verdict),
        seconds=time.monotonic() - began,
        detectable=detectable_of(excess, n_distinct, settings.verdict.min_deflated_sharpe),
    )


def detectable_of(excess: SharpeFindings, n_candidates: int, probability: float) -> Detectable | None:
    """What the first rule could find, at the ratio that so many candidates reach without skill."""
    candidates = counted(n_candidates, "candidate")
    best = excess.expected_maximum
    reached = (
        "" if best is None else f"the {best * DAYS_PER_YEAR**0.5:.2f} that the best of {candidates} has without skill"
    )
    return detectable(
        excess.sharpe, excess.skewness, excess.kurtosis, excess.n_observations, best, probability, reached
    )


def competitors_of(
    records: Sequence[TrialRecord],
    space: SearchSpace,
    screened: ScoredRows | None,
    blocks: int,
    *,
    same_costs: bool,
) -> tuple[Sums, int, str | None]:
    """Sums of the distinct candidates that were scored, how many there are, and why sums are missing, or None.

    What was scored on the way to a trial counts, and has no sums. Where the screening was scored without costs and the
    trials with them, its candidates count as well, but their sums cannot stand beside the trials'.
    """
    keys = keys_of(space)
    complete = [record for record in records if not record.failed]
    on_the_way = sum(record.points - 1 for record in complete)
    drawn = np.array([[record.numbers[key] for key in keys] for record in complete]).reshape(-1, len(keys))
    numbers = space.lifted(drawn)
    texts = [record.blocks for record in complete]
    known = [decoded(text) for text in texts if text is not None]
    fitting = [sums for sums in known if sums.shape[1] == blocks + 1]
    if len(fitting) < len(numbers):
        held = f"{len(fitting):,} of {len(numbers):,} trials hold sums of {blocks} blocks; tune anew to gather them"
        return np.zeros((0, len(ROWS), blocks + 1)), len(np.unique(numbers, axis=0)) + on_the_way, held
    sums = np.stack(fitting)
    if screened is not None:
        scored = np.isfinite(screened.objectives)
        numbers = np.concatenate([numbers, screened.numbers[scored]])
        sums = np.concatenate([sums, screened.sums[scored]])
    _, places = np.unique(numbers, axis=0, return_index=True)
    comparable = np.sort(places) if same_costs else np.sort(places[places < len(complete)])
    return _finite(sums[comparable]), len(places) + on_the_way, None


def _finite(sums: Sums) -> Sums:
    return sums[np.isfinite(sums).all(axis=(1, 2))]


def _plateau(
    evaluator: Evaluator, space: SearchSpace, winner: TrialRecord, neighbourhood: Neighbourhood
) -> PlateauFindings:
    around, maps = neighbourhood.clouds, neighbourhood.grids
    ends = np.cumsum([1, *(len(part.rows) for part in (*around, *maps))])
    own, *pieces = np.split(neighbourhood.objectives, ends[:-1])
    fingerprint, params = evaluator.fingerprint, space.params(winner.numbers)
    return plateau_findings(
        float(own[0]),
        constant_weight_objective(space.start, evaluator),
        list(zip(around, pieces[: len(around)], strict=True)),
        [heat_map(grid, values, params, fingerprint) for grid, values in zip(maps, pieces[len(around) :], strict=True)],
        fingerprint.objective.signs[0],
    )


def _spread(source: str, others: ScoredRows, winner: TrialRecord, aim: Objective) -> NonAdaptiveFindings:
    """Where the winner stands among randomly drawn candidates."""
    sign, metric = aim.signs[0], aim.metric
    found = [_distribution("objective", sign * others.objectives, sign * winner.objectives[0], sign)]
    if others.validation is not None:
        found.append(_distribution(f"validation {metric}", others.validation, winner.validation.get(metric), sign))
    scored = int(np.isfinite(others.objectives).sum())
    return NonAdaptiveFindings(source, len(others.objectives), scored, tuple(one for one in found if one is not None))


def _distribution(name: str, values: Values, winner: float | None, sign: int) -> Distribution | None:
    """Values as they are shown; the percentile is of those that the winner is better than, higher ones or lower."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None
    known = winner if winner is not None and np.isfinite(winner) else None
    below = None if known is None else (sign * finite < sign * known).mean() + 0.5 * (finite == known).mean()
    return Distribution(
        name=name,
        quantiles=tuple(map(float, np.quantile(finite, RANDOM_QUANTILES))),
        histogram=histogram(finite, RANDOM_BINS),
        winner=known,
        percentile=None if below is None else 100.0 * float(below),
    )
