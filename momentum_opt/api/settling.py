"""Replay the winner of a search that has ended, and write the results (SPEC §12, §15).

Any number of processes may settle one folder: each waits for the one before it, reads all trials that are finished by
then, and replays a winner only where nobody has done so yet. The last one writes the study's totals.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from momentum_opt.api.callbacks import ignore
from momentum_opt.api.evidence import find_evidence
from momentum_opt.api.neighbours import Scorer
from momentum_opt.api.opening import Run, has_test, held, settled_best
from momentum_opt.api.verifying import verified_document
from momentum_opt.errors import StudyError
from momentum_opt.evidence.convergence import Convergence, convergence, search_of
from momentum_opt.evidence.findings import Findings
from momentum_opt.evidence.neighbourhood import Neighbourhood
from momentum_opt.evidence.range_ends import range_ends
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.results.best import StudyFacts
from momentum_opt.results.files import write_json
from momentum_opt.results.holdout import note_look
from momentum_opt.results.look_lines import holdout_in
from momentum_opt.results.parameters import internal_form
from momentum_opt.results.records import read_best
from momentum_opt.results.tables import blocks_table, daily_bars, replay_table, trials_table, write_table
from momentum_opt.results.verdict_section import VERDICT, verdict_section
from momentum_opt.study.candidates import ParamSet
from momentum_opt.study.ledger import Outcome
from momentum_opt.study.minute_figures import MINUTE_FIGURES, MOST, minute_figures
from momentum_opt.study.neighbours import MOST_ROUNDS, latest_rounds
from momentum_opt.study.replay import Replay
from momentum_opt.study.space import SearchSpace
from momentum_opt.study.trials import TrialRecord, best_record, leading

Document = dict[str, Any]

INTERRUPTED = "interrupted"


def settle(
    run: Run,
    outcome: Outcome,
    command: str,
    scorer: Scorer,
    neighbourhood: Neighbourhood | None,
    on_phase: Callable[[str], None] = ignore,
    on_best: Callable[[Document, str], None] = ignore,
) -> tuple[Document, tuple[TrialRecord, ...], Findings | None]:
    """Write the results of all trials that are finished by now.

    Args:
        run: an opened run.
        outcome: how its search ended.
        command: noted in the list of looks at the test.
        scorer: of the run.
        neighbourhood: of a trial, where one has been scored already.
        on_phase: called with what begins: `replay`, `evidence`.
        on_best: called with the content of best.json and how the search ended as soon as the winner is replayed, which
            is before its verdict is known.

    Returns:
        The content of best.json, the trials that it is about, and the content of evidence.json.

    Raises:
        StudyError: there is no trial, every one failed, or the results cannot be written.
        ReplayMismatchError: the winner's replay did not give its tuned value.
    """
    with held(run):
        records = tuple(run.study.records())
        best, findings = _write(run, records, outcome.stopped, command, scorer, neighbourhood, on_phase, on_best)
        return best, records, findings


def _write(
    run: Run,
    records: Sequence[TrialRecord],
    stopped: str,
    command: str,
    scorer: Scorer,
    neighbourhood: Neighbourhood | None,
    on_phase: Callable[[str], None],
    on_best: Callable[[Document, str], None],
) -> tuple[Document, Findings | None]:
    if not records:
        raise StudyError(f"the study was stopped ({stopped}) before its first batch; run the command again")
    on_phase("replay")
    space = scorer.space
    with_test = stopped != INTERRUPTED
    figures = _minute_figures(run, records, space) if with_test else {}
    write_table(run.folder.blocks, blocks_table(records))
    write_table(run.folder.trials, trials_table(records, space, run.fingerprint, figures))
    winner = _winner(records, run.fingerprint)
    best, replayed = settled_best(run, winner, records, with_test=with_test), None
    if best is None:
        measured = _convergence(run, records, winner, stopped, scorer)
        best, replayed = _settled_anew(run, space, records, winner, command, measured, with_test=with_test)
    on_best(best, stopped)
    if run.fingerprint.evidence.enabled:
        on_phase("evidence")
    findings = find_evidence(run, records, stopped, winner, replayed, scorer, neighbourhood)
    return _judged(run, best, findings), findings


def _minute_figures(run: Run, records: Sequence[TrialRecord], space: SearchSpace) -> dict[int, dict[str, float]]:
    """What only minutes tell of the best trials, by number; nothing where every trial records it."""
    best = leading(records, MOST)
    if not best or set(MINUTE_FIGURES) <= set(best[0].train):
        return {}
    keys = tuple(space.ranges)
    numbers = np.array([[record.numbers[key] for key in keys] for record in best])
    found = minute_figures(run.fingerprint, run.market, space.columns(numbers))
    return {
        record.number: {name: float(values[place]) for name, values in found.items()}
        for place, record in enumerate(best)
    }


def _judged(run: Run, best: Document, findings: Findings | None) -> Document:
    """best.json with the verdict in it, written anew where it holds another one."""
    verdict = verdict_section(findings, best)
    if VERDICT in best and best[VERDICT] == verdict:
        return best
    write_json(run.folder.best, {**best, VERDICT: verdict})
    return read_best(run.folder.best)


def _settled_anew(
    run: Run,
    space: SearchSpace,
    records: Sequence[TrialRecord],
    winner: TrialRecord,
    command: str,
    measured: Convergence,
    *,
    with_test: bool,
) -> tuple[Document, Replay | None]:
    """best.json, written anew, and the winner's replay, where one had to be made."""
    params = space.params(winner.numbers)
    facts = StudyFacts.of(
        run.study.name,
        run.fingerprint,
        [record.source for record in records],
        [record.failed for record in records],
        [record.points for record in records],
    )
    best, replayed = _recounted(run, winner, params, facts, with_test=with_test), None
    if best is None:
        best, replayed = _replayed(run, winner, params, facts, command, with_test=with_test)
    write_json(run.folder.best, {**best, "convergence": asdict(measured)})
    return read_best(run.folder.best), replayed


def _convergence(
    run: Run, records: Sequence[TrialRecord], winner: TrialRecord, stopped: str, scorer: Scorer
) -> Convergence:
    """Whether the search has converged, as far as it has come; the baseline in the metric's own sign."""
    found = convergence(
        search_of(records, scorer.space),
        scorer.baseline,
        range_ends(winner.numbers, scorer.space, run.fingerprint),
        n_trials=run.fingerprint.search.n_trials,
        stopped=stopped,
        several=run.fingerprint.objective.several,
        neighbours_left=len(latest_rounds(records)) >= MOST_ROUNDS,
    )
    shown = None if found.baseline is None else run.fingerprint.objective.signs[0] * found.baseline
    return replace(found, baseline=shown)


def _winner(records: Sequence[TrialRecord], fingerprint: Fingerprint) -> TrialRecord:
    winner = best_record(records)
    if winner is not None:
        return winner
    reasons = [record.fail_reason or "unknown" for record in records]
    common = max(set(reasons), key=reasons.count)
    who = "the only candidate" if len(reasons) == 1 else f"all {len(reasons)} candidates"
    raise StudyError(
        f"{who} failed, most often because: {common}; "
        f"widen search.parameters, or choose another objective.metric than {' or '.join(fingerprint.objective.names)}"
    )


def _recounted(
    run: Run, winner: TrialRecord, params: ParamSet, facts: StudyFacts, *, with_test: bool
) -> Document | None:
    """best.json with new totals, where it tells of this winner already: its test need not be evaluated again."""
    if not (run.folder.best.exists() and run.folder.daily.exists()):
        return None
    best = read_best(run.folder.best)
    study = best["study"]
    if (best["trial"], study["name"]) != (winner.number, facts.name):
        return None
    if with_test and not has_test(run.fingerprint, best):
        return None
    if best["params"] != internal_form(params, run.fingerprint.tokens):
        return None
    counts = {key: value for key, value in asdict(facts).items() if key != "name"}
    return {**best, "study": {**study, **counts}}


def _replayed(
    run: Run, winner: TrialRecord, params: ParamSet, facts: StudyFacts, command: str, *, with_test: bool
) -> tuple[Document, Replay]:
    """Replay the winner, check that it gives its tuned value, note its evaluation, write its days; best.json.

    Of an interrupted study neither figures nor days of the test period are written: whoever goes on has not seen them.
    """
    fingerprint, market = run.fingerprint, run.market
    best, replayed = verified_document(fingerprint, market, params, winner, facts, with_test=with_test)
    holdout = holdout_in(best)
    bars = daily_bars(market)
    if holdout is not None and with_test:  # first: a kill in between must not hide the look
        note_look(run.folder.path, holdout, command, best["params"], required=True)
    elif holdout is not None:
        last = (fingerprint.window.end - fingerprint.window.start).days * market.bars_per_day - 1
        bars = np.append(bars[bars < last], last)
    write_table(run.folder.daily, replay_table(replayed, market, bars))
    return best, replayed
