"""Search, and search on from better points near the winner (SPEC §12): an opened run in, the search's end out.

When a search has ended, the neighbourhood that its evidence would show is scored. Points that beat the winner enter the
study as trials, and the search goes on where it has trials and time left; then the new winner's neighbourhood is
scored, until none beats its winner. All of it follows from the trials in the storage, so a stop in between changes
nothing, and a settled run is left as it is.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from momentum_opt.api.callbacks import ignore
from momentum_opt.api.opening import Run, held
from momentum_opt.api.searching import Watch, evaluator_of, readable_of, search_here
from momentum_opt.api.warm_starting import space_of
from momentum_opt.api.workers import search_with_workers
from momentum_opt.evidence.effort import settings_for
from momentum_opt.evidence.neighbourhood import Neighbourhood, score_neighbourhood
from momentum_opt.evidence.scoring import constant_weight_objective
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.results.evidence import recorded_evidence
from momentum_opt.results.run_folder import RunFolder
from momentum_opt.study.dropping import result_unless
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.ledger import Ledger, Outcome
from momentum_opt.study.neighbours import MOST_ROUNDS, better_rows, cut_short, latest_rounds, neighbour_trials
from momentum_opt.study.space import SearchSpace
from momentum_opt.study.trials import TrialRecord, best_record
from momentum_opt.units import counted
from momentum_opt.vocabulary.metrics import figure

INTERRUPTED = "interrupted"


@dataclass
class Scorer:
    """What scores candidates of a run beside its trials; made when it is first asked for."""

    run: Run

    @cached_property
    def evaluator(self) -> Evaluator:
        """As the trials are scored."""
        return evaluator_of(self.run)

    @cached_property
    def space(self) -> SearchSpace:
        """What the run searches."""
        return space_of(self.run)

    @cached_property
    def baseline(self) -> float:
        """The (first) objective of the constant-weight pool; not finite where it has none."""
        return constant_weight_objective(self.space.start, self.evaluator)


@dataclass(frozen=True)
class _Round:
    """A look around a winner.

    Attributes:
        found: its neighbourhood, where it was scored.
        again: whether another winner may have to be looked at.
        dropped: whether it was given up while it was scored, which then goes on in the background.
    """

    found: Neighbourhood | None = None
    again: bool = False
    dropped: bool = False


def search_on(run: Run, watch: Watch, scorer: Scorer, workers: int) -> tuple[Outcome, Neighbourhood | None]:
    """Go on with the study until it has its trials and no neighbour beats its winner.

    Returns:
        How it ended, and the winner's neighbourhood, where it has been scored.

    Raises:
        ConfigError: the configuration asks for what cannot be done.
        StudyError: trials cannot be saved, or all workers died.
    """
    began = time.monotonic()
    outcome = _search(run, _telling_of(run, watch), workers)
    quiet = replace(watch, on_start=ignore, on_message=ignore)  # has been said
    while outcome.stopped != INTERRUPTED:
        with held(run):
            look = _look_around(run, watch, scorer)
        if look.dropped or (look.again and watch.should_stop()):
            return replace(outcome, stopped=INTERRUPTED, dropped=look.dropped), look.found
        if not look.again:
            return outcome, look.found
        rest = _what_is_left(run, time.monotonic() - began)
        if rest is not None:
            outcome = _search(replace(run, fingerprint=rest), quiet, workers)
    return outcome, None


def _telling_of(run: Run, watch: Watch) -> Watch:
    """One that also tells what an earlier process has found."""

    def on_start(folder: RunFolder, market: Market, space: SearchSpace) -> None:
        watch.on_start(folder, market, space)
        records = run.study.records()
        if records:
            watch.on_message(_found_so_far(run.fingerprint, records))

    return replace(watch, on_start=on_start)


def _found_so_far(fingerprint: Fingerprint, records: Sequence[TrialRecord]) -> str:
    sampled = sum(record.counts for record in records)
    words = f"resuming: {sampled:,} of {counted(fingerprint.search.n_trials, 'trial')} finished"
    best = best_record(records)
    if best is None:
        return f"{words}, all of them failed"
    values = zip(fingerprint.objective.columns, fingerprint.objective.shown(best.objectives), strict=True)
    return f"{words}, best trial {best.number}: {', '.join(f'{name} {value:.6g}' for name, value in values)}"


def _search(run: Run, watch: Watch, workers: int) -> Outcome:
    return search_here(run, watch) if workers == 1 else search_with_workers(run, watch, workers)


def _look_around(run: Run, watch: Watch, scorer: Scorer) -> _Round:
    """Score the winner's neighbourhood, and let what beats it enter the study."""
    records = run.study.records()
    winner = best_record(records)
    evidence = settings_for(run.fingerprint, records)
    if winner is None or not evidence.enabled or not (evidence.plateau_draws or evidence.heat_map):
        return _Round()
    if recorded_evidence(run.folder.evidence, run.fingerprint, records, winner) is not None:
        return _Round()
    cut = cut_short(records)
    if cut is None and len(latest_rounds(records)) >= MOST_ROUNDS:
        watch.on_message(
            f"points near the winner entered the study {MOST_ROUNDS} times in a row: its neighbourhood is left as it is"
        )
        return _Round()
    centre = winner if cut is None else next(record for record in records if record.number == cut.near)
    found = result_unless(
        watch.should_drop, lambda: score_neighbourhood(scorer.evaluator, scorer.space, centre, evidence)
    )
    if found is None:
        return _Round(dropped=watch.should_drop())
    entered = _enter(run, watch, scorer, found, centre, 0 if cut is None else cut.there, len(records))
    return _Round(found, again=entered)


def _enter(
    run: Run, watch: Watch, scorer: Scorer, found: Neighbourhood, centre: TrialRecord, there: int, expected: int
) -> bool:
    """Append what beats the trial `centre`; whether there is any.

    Another process may have added trials since they were counted: then nothing is appended, and the next look counts
    them again.
    """
    numbers, scores = found.numbers[1:], found.without_winner
    rows = better_rows(
        scores.objectives,
        numbers,
        centre.objectives,
        scorer.baseline,
        scorer.space,
        run.fingerprint.search.batch_size,
        scores.violations,
        centre.violation,
    )
    if not rows.size:
        return False
    finished = run.study.finished()
    trials = neighbour_trials(rows, numbers, scores, centre.number, scorer.space, run.fingerprint, finished)
    if not trials[there:]:
        return False  # scored by another version, which found fewer
    run.study.readable = readable_of(scorer.space, run.fingerprint)
    if run.study.append(trials[there:], expected=expected):
        aim = run.fingerprint.objective
        numbers_told = (centre.objectives[0], float(scores.objectives[rows[0], 0]))
        before, best = (figure(aim.metric, aim.signs[0] * value, ".6g") for value in numbers_told)
        watch.on_message(
            f"{counted(len(rows), 'point')} near trial {centre.number} score better than it "
            f"({before}), the best {best}: they enter the study as trials"
        )
    return True


def _what_is_left(run: Run, seconds: float) -> Fingerprint | None:
    """The fingerprint with the time that is left of it after so many seconds; None where the search has ended."""
    search, ledger = run.fingerprint.search, Ledger()
    for record in run.study.records():
        ledger.add(record)
    rule = search.early_stopping
    stalled = rule is not None and ledger.has_stalled(rule.patience, rule.min_improvement)
    if stalled or ledger.sampled >= search.n_trials:
        return None
    if search.timeout is None:
        return run.fingerprint
    left = search.timeout - seconds
    return run.fingerprint.with_timeout(left) if left > 0 else None
