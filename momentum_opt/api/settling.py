"""A run whose search has ended in; its winner replayed, trials.parquet and best.json out (SPEC §12, §15).

Any number of processes may settle one folder: each waits for the one before it, reads all trials that are finished by
then, and replays a winner only where nobody has done so yet. The last one writes the study's totals.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from momentum_opt.api.opening import Run, settled_best
from momentum_opt.api.replaying import check_replay
from momentum_opt.errors import MomentumOptError, StudyError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.results.best import StudyFacts, best_document
from momentum_opt.results.files import read_json, write_json
from momentum_opt.results.parameters import internal_form
from momentum_opt.results.run_folder import append_test_look
from momentum_opt.results.tables import trials_table, write_table
from momentum_opt.study.candidates import ParamSet
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.ledger import Outcome
from momentum_opt.study.replay import replay
from momentum_opt.study.space import search_space
from momentum_opt.study.trials import TrialRecord, best_record

Document = dict[str, Any]


def settle(run: Run, outcome: Outcome, command: str) -> tuple[Document, tuple[TrialRecord, ...]]:
    """Write the results of all trials that are finished by now.

    Args:
        run: an opened run.
        outcome: how its search ended.
        command: noted in the list of looks at the test.

    Returns:
        The content of best.json, and the trials that it is about.

    Raises:
        StudyError: there is no trial, every one failed, or the results cannot be written.
        ReplayMismatchError: the winner's replay did not give its tuned value.
    """
    try:
        with run.folder.held():
            records = tuple(run.study.records())
            return _write(run, records, outcome.stopped, command), records
    except OSError as error:
        if isinstance(error, MomentumOptError):
            raise
        raise StudyError(
            f"{run.folder.path}: the results cannot be written ({error.strerror}); the trials are safe: "
            "make room, and run the command again"
        ) from error


def _write(run: Run, records: Sequence[TrialRecord], stopped: str, command: str) -> Document:
    if not records:
        raise StudyError(f"the study was stopped ({stopped}) before its first batch; run the command again")
    space = search_space(run.fingerprint)
    write_table(run.folder.trials, trials_table(records, space, run.fingerprint))
    winner = _winner(records, run.fingerprint)
    best = settled_best(run, winner, records)
    if best is not None:
        return best
    params = space.params(winner.numbers)
    facts = StudyFacts(run.study.name, len(records), sum(record.failed for record in records))
    best = _recounted(run, winner, params, facts) or _replayed(run, winner, params, facts, command)
    write_json(run.folder.best, best)
    return read_json(run.folder.best, "best.json")


def _winner(records: Sequence[TrialRecord], fingerprint: Fingerprint) -> TrialRecord:
    winner = best_record(records)
    if winner is not None:
        return winner
    reasons = [record.fail_reason or "unknown" for record in records]
    common = max(set(reasons), key=reasons.count)
    raise StudyError(
        f"all {len(reasons)} candidates failed, most often because: {common}; "
        f"widen search.parameters, or choose another objective.metric than {fingerprint.objective.metric}"
    )


def _recounted(run: Run, winner: TrialRecord, params: ParamSet, facts: StudyFacts) -> Document | None:
    """best.json with new totals, where it tells of this winner already: its test need not be looked at again."""
    if not run.folder.best.exists():
        return None
    best = read_json(run.folder.best, "best.json")
    study = best["study"]
    if (best["trial"], study["name"]) != (winner.number, facts.name):
        return None
    if best["params"] != internal_form(params, run.fingerprint.tokens):
        return None
    return {**best, "study": {**study, "n_trials": facts.n_trials, "n_failed": facts.n_failed}}


def _replayed(run: Run, winner: TrialRecord, params: ParamSet, facts: StudyFacts, command: str) -> Document:
    """Replay the winner, check that it gives its tuned value, and note the look at its test; best.json."""
    fingerprint, market = run.fingerprint, run.market
    tuned = winner.objectives
    if fingerprint.device.precision != "float64":
        exact = Evaluator(fingerprint, market, batch_size=1).score([params])
        tuned = tuple(float(value) for value in exact.objectives[0])
    replayed = replay(fingerprint, market, params)
    check_replay(tuned, replayed.objectives, f"trial {winner.number}")
    best = best_document(fingerprint, market, params, replace(winner, objectives=tuned), replayed, facts)
    append_test_look(run.folder.test_looks, command, best["params"])  # first: a kill in between must not hide the look
    return best
