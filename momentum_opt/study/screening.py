"""Screening (SPEC §12): a search space in; many quasi-random candidates, scored on the engine alone, out.

Everything here depends on the configuration and the prices alone, so a screening that was cut short is simply made
again and comes out the same.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Final

import jax
import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from momentum_opt.fingerprint import Fingerprint
from momentum_opt.study.block_sums import encoded
from momentum_opt.study.dropping import LOOK_SECONDS
from momentum_opt.study.evaluation import BatchScores, Evaluator
from momentum_opt.study.limits import merit, merits
from momentum_opt.study.pareto import balanced_order, pareto_rows
from momentum_opt.study.samplers import first_generation, sobol_numbers
from momentum_opt.study.space import SearchSpace
from momentum_opt.study.trials import (
    BLOCKS,
    FAIL_REASON,
    SCREEN,
    SOURCE,
    TrialRecord,
    metric_attributes,
)

AT_ONCE: Final = 2
"""Chunks under way."""

Chunk = tuple[int, NDArray[np.float64], BatchScores]

SCREEN_NUMBER = "screen_number"
"""Place of a kept candidate in screen.parquet."""
KEPT = "screen_kept"
"""How many candidates were kept: with fewer in the storage, the screening was cut short."""


@dataclass(frozen=True)
class Screened:
    """Screened candidates, in the order of the Sobol sequence.

    Attributes:
        numbers: (candidate, key) in the order of the search space, as simulated.
        scores: of all of them.
        problems: place → why the candidate failed.
        kept: places of those that enter the study, the best first.
    """

    numbers: NDArray[np.float64]
    scores: BatchScores
    problems: Mapping[int, str]
    kept: NDArray[np.int64]


def screen(
    fingerprint: Fingerprint,
    space: SearchSpace,
    evaluator: Evaluator,
    on_chunk: Callable[[int, TrialRecord | None, int], None],
    should_stop: Callable[[], bool],
    should_drop: Callable[[], bool] = lambda: False,
) -> Screened | None:
    """Score the configuration's number of candidates; None where it was stopped before the last of them.

    Args:
        fingerprint: how many, how many to keep, and the seed.
        space: where.
        evaluator: of the study; its batch size does not matter.
        on_chunk: told after every chunk how many are done, the best one by the (first) objective, and how many failed.
        should_stop: asked before every chunk.
        should_drop: asked all the time; True leaves what is being computed to itself.
    """
    search = fingerprint.search
    wide = evaluator.of_width(min(evaluator.most, 1 << (search.screen - 1).bit_length()))
    numbers: list[NDArray[np.float64]] = []
    scores: list[BatchScores] = []
    problems: dict[int, str] = {}
    best: TrialRecord | None = None
    for first, drawn, scored in _chunks(search.seed, search.screen, space, wide, should_stop, should_drop):
        problems |= {first + place: why for place, why in _problems(scored).items()}
        best = _better(best, first, drawn, scored, problems, space)
        numbers.append(drawn)
        scores.append(scored)
        on_chunk(first + len(drawn), best, len(problems))
    if sum(map(len, numbers)) < search.screen:
        return None
    every: BatchScores = jax.tree.map(lambda *parts: np.concatenate(parts), *scores)
    failed = np.isin(np.arange(search.screen), list(problems))
    kept = best_rows(every.objectives, failed, search.screen_keep, every.violations)
    return Screened(np.concatenate(numbers), every, problems, kept)


def _chunks(
    seed: int,
    count: int,
    space: SearchSpace,
    wide: Evaluator,
    should_stop: Callable[[], bool],
    should_drop: Callable[[], bool],
) -> Iterator[Chunk]:
    """Chunk by chunk: the first one's place, numbers and scores. Ends early where it is stopped.

    Two at a time, so that the host draws and unpacks one while the devices score the other.
    """

    def score(first: int) -> Chunk:
        drawn = space.lifted(sobol_numbers(seed, first, min(wide.width, count - first), space.ranges))
        return first, drawn, wide.score_columns(space.columns(drawn))

    firsts = iter(range(0, count, wide.width))
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        under_way = [pool.submit(score, next(firsts))]  # alone: it compiles
        while under_way:
            chunk = _result_unless(should_drop, under_way.pop(0))
            if chunk is None:
                return
            yield chunk
            if should_stop():
                return
            while len(under_way) < AT_ONCE and (first := next(firsts, None)) is not None:
                under_way.append(pool.submit(score, first))
    finally:
        pool.shutdown(wait=not should_drop(), cancel_futures=True)


def _result_unless(give_up: Callable[[], bool], work: "Future[Chunk]") -> Chunk | None:
    while not wait([work], timeout=LOOK_SECONDS).done:
        if give_up():
            return None
    return work.result()


def _better(
    best: TrialRecord | None,
    first: int,
    drawn: NDArray[np.float64],
    scored: BatchScores,
    problems: Mapping[int, str],
    space: SearchSpace,
) -> TrialRecord | None:
    """The best candidate after another chunk; its number is its place in the sequence."""
    values = merits(scored.objectives[:, 0], scored.violations)
    values[[number - first for number in problems if number >= first]] = -np.inf
    place = int(np.argmax(values))
    if values[place] == -np.inf or (best is not None and merit(best.objectives[0], best.violation) >= values[place]):
        return best
    numbers = dict(zip(space.ranges, drawn[place].tolist(), strict=True))
    objectives, violation = tuple(scored.objectives[place].tolist()), float(scored.violations[place])
    return TrialRecord(first + place, numbers, objectives, {}, {}, None, SCREEN, violation=violation)


def _problems(scores: BatchScores) -> dict[int, str]:
    """Place → why the candidate failed."""
    sound = np.isfinite(scores.objectives).all(axis=1) & np.isfinite(scores.violations)
    return {place: scores.problem(place) or "" for place in np.flatnonzero(~sound).tolist()}


def best_rows(
    objectives: NDArray[np.float64], failed: NDArray[np.bool_], keep: int, violations: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The `keep` best rows that did not fail, the best first; those that break limits last, by their violation.

    Of several objectives whole Pareto fronts are kept, the first one first, each from its balanced point outwards.
    """
    sound = ~failed & (violations == 0.0)
    nearest = np.flatnonzero(~failed & (violations > 0.0))
    nearest = nearest[np.lexsort((-objectives[nearest, 0], violations[nearest]))]
    return np.concatenate([_best_feasible(objectives, np.flatnonzero(sound), keep), nearest])[:keep]


def _best_feasible(objectives: NDArray[np.float64], rows: NDArray[np.int64], keep: int) -> NDArray[np.int64]:
    if objectives.shape[1] == 1:
        return rows[np.argsort(-objectives[rows, 0], kind="stable")][:keep]
    kept: list[NDArray[np.int64]] = []
    while rows.size and sum(map(len, kept)) < keep:
        front = pareto_rows(objectives[rows])
        kept.append(rows[front][balanced_order(objectives[rows[front]])])
        rows = np.delete(rows, front)
    return np.concatenate([*kept, np.zeros(0, np.int64)])[:keep]


def rows_of(scores: BatchScores, rows: NDArray[np.int64]) -> BatchScores:
    """Some candidates' scores."""
    return jax.tree.map(lambda values: values[rows], scores)


def kept_trials(
    screened: Screened, space: SearchSpace, fingerprint: Fingerprint, scores: BatchScores | None = None
) -> list[FrozenTrial]:
    """The kept candidates as finished trials; one that has no objective failed.

    Args:
        screened: where they are from.
        space: that was screened.
        fingerprint: of the study.
        scores: one row for each kept candidate, where trials are scored otherwise than the screening was.
    """
    scores = rows_of(screened.scores, screened.kept) if scores is None else scores
    generation = first_generation(fingerprint.search.sampler)
    return [
        finished_trial(
            screened.numbers[place].tolist(),
            space.distributions,
            scores,
            rank,
            {SOURCE: SCREEN, SCREEN_NUMBER: place, KEPT: len(screened.kept)},
            generation if rank < fingerprint.search.batch_size else {},
        )
        for rank, place in enumerate(screened.kept.tolist())
    ]


def finished_trial(
    numbers: Sequence[float],
    distributions: Mapping[str, BaseDistribution],
    scores: BatchScores,
    row: int,
    attributes: Mapping[str, Any],
    system_attributes: Mapping[str, Any],
) -> FrozenTrial:
    """A candidate that was not asked of a sampler as a finished trial; one that has no objective failed.

    Args:
        numbers: in the order of the distributions.
        distributions: what the study samples.
        scores: of a batch.
        row: the candidate's row in them.
        attributes: what the trial notes besides its scores.
        system_attributes: what Optuna's samplers read.
    """
    values, problem = scores.objectives[row], scores.problem(row)
    known = problem is None
    own: dict[str, Any] = {FAIL_REASON: problem}
    if known:
        own = metric_attributes(scores.train, scores.validation, row)
        own |= {} if scores.blocks is None else {BLOCKS: encoded(scores.blocks[row])}
    return create_trial(
        state=TrialState.COMPLETE if known else TrialState.FAIL,
        values=[float(value) for value in values] if known else None,
        params=dict(zip(distributions, numbers, strict=True)),
        distributions=dict(distributions),
        user_attrs={**attributes, **own},
        system_attrs=dict(system_attributes),
        constraints=scores.excesses_of(row) if known else None,
    )
