"""Write a best.json of any trial: replay it, check it, note the evaluation of its test period (SPEC §15)."""

from pathlib import Path
from typing import Any

import numpy as np

from momentum_opt import device
from momentum_opt.api.backtesting import check_same_prices
from momentum_opt.api.prices import market_of
from momentum_opt.api.verifying import verified_document
from momentum_opt.errors import DataError, ParamsError, RunFolderError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.results.best import RecordedResult, StudyFacts, recorded_result
from momentum_opt.results.files import read_record, write_json
from momentum_opt.results.holdout import note_look
from momentum_opt.results.look_lines import holdout_in
from momentum_opt.results.parquet import REMADE
from momentum_opt.results.records import read_best, read_identity
from momentum_opt.results.trial_list import Row, TrialList, find_trial
from momentum_opt.results.verdict_section import VERDICT, recorded_verdict
from momentum_opt.study.candidates import ParamSet
from momentum_opt.study.space import start_params
from momentum_opt.study.trials import SAMPLER, TrialRecord

Document = dict[str, Any]


def export_trial(trials: TrialList, number: int, out: Path, *, command: str, data: Path | None = None) -> Document:
    """Write a full best.json of one trial, from which it can be replayed, exported and rehearsed as the winner can.

    Args:
        trials: of the run, as `read_trials` gives them.
        number: of the trial.
        out: file to write; must not be there.
        command: noted in the run's list of looks at the test.
        data: folder of price files; None looks where the run found them.

    Raises:
        UsageError: there is no such trial.
        ParamsError: the trial failed, so there is nothing to replay.
        DataError: `out` is there or cannot be written, or the prices are not those of the run.
        ReplayMismatchError: the replay does not give the trial's objective.
    """
    row = find_trial(trials, number)
    if row["state"] != "COMPLETE":
        raise ParamsError(f"trial {number}: failed ({row['fail_reason']}); export one that is COMPLETE")
    if out.exists():
        raise DataError(f"{out}: exists already; give another --out")
    device.configure()
    fingerprint = trials.fingerprint
    recorded, name = _recorded(trials, row)
    market = market_of(fingerprint, root=data or recorded.root, burn_in_days=recorded.burn_in_days, settings=False)
    check_same_prices(recorded, market, f"the run in {trials.folder.path}", "")
    params = _params(row, fingerprint, trials.folder.trials)
    document, _ = verified_document(fingerprint, market, params, _record(row, trials), _facts(trials, name))
    document[VERDICT] = _verdict(trials, number)
    holdout = holdout_in(document)
    if holdout is not None:
        note_look(trials.folder.path, holdout, command, document["params"])  # first: the look is made
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(out, document)
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror}); give another --out") from error
    return read_record(out, "the exported trial", "export it again")


def _verdict(trials: TrialList, number: int) -> Document | None:
    """The verdict on the run, where the trial is its winner."""
    path = trials.folder.best
    best = read_best(path) if path.exists() else {}
    return recorded_verdict(best, path) if best.get("trial") == number else None


def _recorded(trials: TrialList, row: Row) -> tuple[RecordedResult, str]:
    """What the run recorded of its prices, with the trial's objective; and the name of its study."""
    path = trials.folder.fingerprint
    identity, _ = read_identity(trials.folder)
    objective = {"value": [row[name] for name in trials.objectives]}
    recorded = recorded_result({**identity, "objective": objective}, path)
    if recorded is None:
        raise RunFolderError(f"{path}: says nothing of the prices; tune again in another --run-dir")
    return recorded, trials.fingerprint.search.study_name or identity.get("study") or trials.folder.path.resolve().name


def _params(row: Row, fingerprint: Fingerprint, path: Path) -> ParamSet:
    columns = {name: [f"{name}_{token}" for token in fingerprint.tokens] for name in start_params(fingerprint)}
    lacking = [one for names in columns.values() for one in names if not isinstance(row.get(one), float)]
    if lacking:
        raise RunFolderError(f"{path}: has no numbers in {', '.join(lacking)}; {REMADE}")
    return {name: np.array([row[one] for one in names], np.float64) for name, names in columns.items()}


def _record(row: Row, trials: TrialList) -> TrialRecord:
    objectives = trials.fingerprint.objective.shown([float(row[name]) for name in trials.objectives])
    return TrialRecord(int(row["number"]), {}, objectives, {}, {}, None, str(row.get("source") or SAMPLER))


def _facts(trials: TrialList, name: str) -> StudyFacts:
    rows = trials.rows
    sources = rows["source"].tolist() if "source" in rows else [SAMPLER] * len(rows)
    points = rows["points"].tolist() if "points" in rows else [1] * len(rows)
    return StudyFacts.of(name, trials.fingerprint, sources, (rows["state"] == "FAIL").tolist(), points)
