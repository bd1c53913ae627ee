"""What a notebook calls and what the commands call: load, score, tune and backtest, composed of the layers below.

Call `momentum_opt.device.configure()` once before anything that simulates; the functions here do it themselves.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from momentum_opt import device
from momentum_opt.errors import ConfigError, DataError, ParamsError, ReplayMismatchError, StudyError
from momentum_opt.fingerprint import Fingerprint, load_fingerprint, override_fingerprint
from momentum_opt.market import Market, hash_rows, load_market
from momentum_opt.results.best import (
    RecordedResult,
    StudyFacts,
    best_document,
    objective_section,
    read_params_file,
    recorded_result,
    versions,
)
from momentum_opt.results.files import read_json, to_json, write_json
from momentum_opt.results.parameters import internal_form, parse_params, readable_form
from momentum_opt.results.run_folder import (
    RunFolder,
    append_test_look,
    check_same_run,
    now_text,
    open_run_folder,
    prices_record,
    run_identity,
)
from momentum_opt.results.tables import daily_bars, replay_table, trials_table, write_table
from momentum_opt.study.candidates import ParamSet
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.journal import open_journal, open_storage, sole_run
from momentum_opt.study.loop import Outcome, Progress, Study
from momentum_opt.study.replay import Replay, replay
from momentum_opt.study.space import SearchSpace, search_space
from momentum_opt.study.trials import TrialRecord, best_record

REPLAY_TOLERANCE = 1e-9
"""Largest relative difference between a tuned value and its replay (SPEC §12)."""

Document = dict[str, Any]


@dataclass(frozen=True)
class TuneResult:
    """How a tune ended.

    Attributes:
        folder: the run folder.
        best: the content of best.json.
        outcome: all finished trials, and why the study stopped.
        space: what was searched.
    """

    folder: RunFolder
    best: Document
    outcome: Outcome
    space: SearchSpace


@dataclass(frozen=True)
class BacktestResult:
    """A replayed parameter set.

    Attributes:
        summary: the content of summary.json.
        replay: every bar.
        fingerprint: what was simulated.
        market: the prices it ran on.
    """

    summary: Document
    replay: Replay
    fingerprint: Fingerprint
    market: Market


def market_of(fingerprint: Fingerprint, *, root: Path | None = None, burn_in_days: int | None = None) -> Market:
    """Load the prices of a fingerprint, with as much history as its memory asks for.

    Args:
        fingerprint: tokens, window and gap limit.
        root: folder of the price files; None takes `data.root`.
        burn_in_days: days of history; None takes max_memory_days, rounded up.

    Raises:
        DataError: the prices cannot be used, or no folder is known.
    """
    folder = root or fingerprint.data.root
    if folder is None:
        raise DataError("data.root: no folder of price files is named; set data.root, or give --data")
    return load_market(
        folder,
        fingerprint.tokens,
        start=fingerprint.window.start,
        end=fingerprint.last_day,
        burn_in_days=math.ceil(fingerprint.pool.max_memory_days) if burn_in_days is None else burn_in_days,
        max_gap_minutes=fingerprint.data.max_gap_minutes,
    )


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


def tune(
    fingerprint: Fingerprint,
    run_dir: Path,
    *,
    config_text: str = "",
    command: str = "tune",
    on_start: Callable[[RunFolder, Market, SearchSpace], None] = lambda *_: None,
    on_batch: Callable[[Progress], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> TuneResult:
    """Search, replay the winner, and write the run folder (SPEC §12, §15).

    The same call goes on where an earlier one stopped. Test is looked at once, for the winner.

    Args:
        fingerprint: what to search and how.
        run_dir: run folder; made if it is not there.
        config_text: the configuration as the user wrote it, kept in the folder.
        command: noted in the list of looks at the test.
        on_start: called once when prices and search space are known.
        on_batch: called after every batch.
        should_stop: asked between batches; True ends the study early, with its results written.

    Raises:
        ConfigError: the configuration asks for what cannot be done.
        RunFolderError: the folder holds another run, or another tune is at work in it.
        StorageError: `search.storage` cannot be opened.
        StudyError: every candidate failed, or the study was stopped before its first batch.
        ReplayMismatchError: the winner's replay did not give its tuned value.
    """
    device.configure()
    search = fingerprint.search
    if search.screen:
        raise ConfigError([f"search.screen: this version does not screen candidates ({search.screen}); set it to 0"])
    space = search_space(fingerprint)
    market = market_of(fingerprint)
    evaluator = Evaluator(fingerprint, market, batch_size=search.batch_size, precision=fingerprint.device.precision)
    elsewhere = None if search.storage == "journal" else open_storage(search.storage)
    folder = open_run_folder(run_dir, config_text, fingerprint, market)
    with sole_run(folder.lock):
        on_start(folder, market, space)
        name = search.study_name or run_dir.name
        study = Study(fingerprint, space, evaluator, elsewhere or open_journal(folder.journal), name)
        identity = run_identity(fingerprint, market)
        check_same_run(f"study {name}", study.claim(identity), identity, "give another search.study_name")
        outcome = study.run(search.n_trials, on_batch=on_batch, should_stop=should_stop)
        if outcome.records:
            write_table(folder.trials, trials_table(outcome.records, space, fingerprint))
        winner = _winner(outcome, fingerprint)
        best = _settled(folder, outcome, winner)
        if best is None:
            best = _settle(folder, fingerprint, market, space, outcome, winner, name, command)
    return TuneResult(folder, best, outcome, space)


def _winner(outcome: Outcome, fingerprint: Fingerprint) -> TrialRecord:
    winner = best_record(outcome.records)
    if winner is not None:
        return winner
    if not outcome.records:
        raise StudyError(f"the study was stopped ({outcome.stopped}) before its first batch; run the command again")
    reasons = [record.fail_reason or "unknown" for record in outcome.records]
    common = max(set(reasons), key=reasons.count)
    raise StudyError(
        f"all {len(reasons)} candidates failed, most often because: {common}; "
        f"widen search.parameters, or choose another objective.metric than {fingerprint.objective.metric}"
    )


def _settled(folder: RunFolder, outcome: Outcome, winner: TrialRecord) -> Document | None:
    """best.json, where it already tells of this winner among these trials."""
    if not folder.best.exists():
        return None
    best = read_json(folder.best, "best.json")
    same = best["trial"] == winner.number and best["study"]["n_trials"] == len(outcome.records)
    return best if same else None


def _settle(
    folder: RunFolder,
    fingerprint: Fingerprint,
    market: Market,
    space: SearchSpace,
    outcome: Outcome,
    winner: TrialRecord,
    name: str,
    command: str,
) -> Document:
    """Replay the winner, check that it gives its tuned value, note the look at its test, and write best.json."""
    params = space.params(winner.numbers)
    tuned = winner.objectives
    if fingerprint.device.precision != "float64":
        exact = Evaluator(fingerprint, market, batch_size=1).score([params])
        tuned = tuple(float(value) for value in exact.objectives[0])
    replayed = replay(fingerprint, market, params)
    check_replay(tuned, replayed.objectives, f"trial {winner.number}")
    facts = StudyFacts(name, len(outcome.records), sum(record.failed for record in outcome.records))
    best = best_document(fingerprint, market, params, replace(winner, objectives=tuned), replayed, facts)
    append_test_look(folder.test_looks, command, best["params"])  # first: a kill in between must not hide the look
    write_json(folder.best, best)
    return read_json(folder.best, "best.json")


def check_replay(tuned: Sequence[float], replayed: Sequence[float], what: str) -> None:
    """Refuse a replay that differs from the tuned value by more than 1e-9 relative.

    Raises:
        ReplayMismatchError: it does.
    """
    for one, other in zip(tuned, replayed, strict=True):
        if not math.isclose(one, other, rel_tol=REPLAY_TOLERANCE, abs_tol=1e-12):
            raise ReplayMismatchError(
                f"{what}: tuned value {one!r}, replayed {other!r}; the result cannot be trusted, please report it "
                "with the run folder"
            )


def backtest(
    params_file: Path,
    *,
    config: Path | None = None,
    overrides: Sequence[str] = (),
    data: Path | None = None,
    allow_changed_data: bool = False,
) -> BacktestResult:
    """Replay a params file: a best.json alone, or any `params` with a configuration (SPEC §15).

    Args:
        params_file: best.json, or a document with `params`.
        config: configuration; None takes the fingerprint in the params file.
        overrides: `a.b=value` on top of it.
        data: folder of price files; None looks where best.json or the configuration says.
        allow_changed_data: accept prices that differ from the recorded ones.

    Raises:
        ParamsError: the file has no usable params, or names no fingerprint and no `config` is given.
        DataError: prices are missing, or differ from the recorded ones.
        ReplayMismatchError: a best.json, replayed as it is, does not give its recorded objective.
    """
    device.configure()
    document = read_params_file(params_file)
    fingerprint = _fingerprint_of(document, params_file, config, overrides)
    recorded = recorded_result(document, params_file) if config is None else None
    as_recorded = recorded if not overrides else None
    root = data or (as_recorded.root if as_recorded else None)
    market = market_of(fingerprint, root=root, burn_in_days=as_recorded.burn_in_days if as_recorded else None)
    if recorded and not allow_changed_data:
        _check_same_prices(recorded, market, params_file)
    params = parse_params(document["params"], search_space(fingerprint).start, fingerprint, str(params_file))
    replayed = replay(fingerprint, market, params)
    if as_recorded and not allow_changed_data:
        check_replay(as_recorded.objectives, replayed.objectives, str(params_file))
    summary = _summary(fingerprint, market, params, replayed)
    return BacktestResult(summary, replayed, fingerprint, market)


def write_backtest(result: BacktestResult, out: Path, *, minute: bool) -> list[Path]:
    """Write summary.json, daily.parquet and, where asked for, minute.parquet.

    Raises:
        DataError: one of them is already there, or the folder cannot be written.
    """
    import numpy as np

    tables = {"daily.parquet": daily_bars(result.market)}
    if minute:
        tables["minute.parquet"] = np.arange(len(result.replay.value))
    paths = [out / "summary.json", *(out / name for name in tables)]
    there = [str(path) for path in paths if path.exists()]
    if there:
        raise DataError(f"{', '.join(there)}: exists already; give another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, bars in tables.items():
            write_table(out / name, replay_table(result.replay, result.market, bars))
        write_json(paths[0], result.summary)
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror}); give another --out") from error
    return paths


def note_test_look(params_file: Path, command: str, summary: Document) -> None:
    """Where the params file lies in a run folder and the summary has a test, add a line to its test_looks.jsonl."""
    folder = RunFolder(params_file.parent)
    if folder.fingerprint.exists() and "test" in summary["metrics"]:
        append_test_look(folder.test_looks, command, summary["params"])


def _fingerprint_of(
    document: Document, params_file: Path, config: Path | None, overrides: Sequence[str]
) -> Fingerprint:
    if config is not None:
        return load_fingerprint(config, overrides)
    if "fingerprint" not in document:
        raise ParamsError(f"{params_file}: holds params alone; give their configuration with --config")
    fingerprint = Fingerprint.from_dict(document["fingerprint"], name=f"{params_file}: fingerprint")
    return override_fingerprint(fingerprint, overrides) if overrides else fingerprint


def _check_same_prices(recorded: RecordedResult, market: Market, params_file: Path) -> None:
    """Compare the rows that a result used with the same rows of the files now."""
    root = market.files[0].path.parent
    changed = [
        file.token for file in recorded.files if hash_rows(root, file.token, file.first_ms, file.last_ms) != file.sha256
    ]
    if changed:
        raise DataError(
            f"{root}: prices of {', '.join(changed)} are not those that {params_file} was made with; "
            "give the folder with the old ones as --data, or accept the change with --allow-changed-data"
        )


def _summary(fingerprint: Fingerprint, market: Market, params: ParamSet, replayed: Replay) -> Document:
    return {
        "params": internal_form(params, fingerprint.tokens),
        "readable": readable_form(params, fingerprint),
        "objective": objective_section(fingerprint, replayed.objectives),
        "metrics": replayed.metrics,
        "baselines": replayed.baseline_metrics,
        "fees_earned": replayed.fees_earned,
        "final_value": float(replayed.value[-1]),
        "digest": fingerprint.digest,
        "data": prices_record(market),
        "versions": versions(),
        "created": now_text(),
    }


__all__ = [
    "BacktestResult",
    "TuneResult",
    "backtest",
    "load_fingerprint",
    "load_market",
    "market_of",
    "note_test_look",
    "score",
    "to_json",
    "tune",
    "write_backtest",
]
