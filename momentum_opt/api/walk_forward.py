"""Run a walk-forward (SPEC §13): tune each fold alone, evaluate its winner on the days that follow, judge them all."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from momentum_opt import device
from momentum_opt.api.callbacks import ignore, never
from momentum_opt.api.prices import market_of
from momentum_opt.api.tuning import TuneResult, tune
from momentum_opt.errors import StudyError
from momentum_opt.evidence.folds import (
    Fold,
    check_blind,
    evaluation_fingerprint,
    folds_of,
    tuning_fingerprint,
)
from momentum_opt.evidence.walk_forward import (
    CURVES,
    Efficiency,
    FoldDays,
    curve_findings,
    efficiency,
    fold_days,
    in_sample_error,
    joined,
    overall_spread,
    random_spread,
    stability,
)
from momentum_opt.evidence.walk_verdict import walk_detectable, walk_verdict
from momentum_opt.fingerprint import Fingerprint, check_bar, recordable
from momentum_opt.market import Market
from momentum_opt.paths import AnyPath
from momentum_opt.results.best import objective_section, versions
from momentum_opt.results.files import read_record, write_json
from momentum_opt.results.holdout import note_look
from momentum_opt.results.look_lines import holdout_document, holdout_of
from momentum_opt.results.parameters import parse_params
from momentum_opt.results.records import read_fold_record
from momentum_opt.results.run_folder import now_text, prices_record
from momentum_opt.results.tables import write_table
from momentum_opt.results.tear_sheet import TearSheet, joined_tear_sheet
from momentum_opt.results.verdict_section import LINES, walk_lines
from momentum_opt.results.walk_forward import (
    FOLD_REMADE,
    WalkForwardFolder,
    days_table,
    open_walk_forward,
    read_days,
    read_joined,
)
from momentum_opt.study.ledger import Progress
from momentum_opt.study.limits import limits_document
from momentum_opt.study.replay import Replay, replay
from momentum_opt.study.space import SearchSpace, search_space, start_params
from momentum_opt.study.storage import open_store
from momentum_opt.vocabulary.metrics import METRICS

Document = dict[str, Any]

FINISHED = "finished"
INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class WalkForwardResult:
    """How a walk-forward ended.

    Attributes:
        folder: its files.
        summary: the content of walk_forward.json.
        stopped: `finished` or `interrupted`.
        dropped: whether a batch is still being computed that nobody waits for.
    """

    folder: WalkForwardFolder
    summary: Document
    stopped: str
    dropped: bool = False

    @cached_property
    def tear_sheet(self) -> TearSheet:
        """Of the joined out-of-sample days: monthly returns, ratios, rolling figures and drawdowns, as DataFrames.

        Raises:
            RunFolderError: walk_forward.parquet cannot be read.
        """
        return joined_tear_sheet(read_joined(self.folder.days))


def walk_forward(
    fingerprint: Fingerprint,
    path: AnyPath,
    *,
    config_text: str = "",
    command: str = "walk-forward",
    on_market: Callable[[Market], None] | None = None,
    on_fold: Callable[[Fold, Sequence[Fold]], None] | None = None,
    on_batch: Callable[[Progress], None] | None = None,
    on_phase: Callable[[str], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    should_drop: Callable[[], bool] | None = None,
) -> WalkForwardResult:
    """Tune every fold on its own days and evaluate its winner on the days that follow.

    The same call goes on where an earlier one stopped. No fold's tuning is given a price of its test.

    Args:
        fingerprint: what to search, and the folds.
        path: folder; made if it is not there.
        config_text: the configuration as the user wrote it, kept in the folder.
        command: noted in the list of looks at the tests.
        on_market: called once with the prices of all folds together, which no tuning sees.
        on_fold: called before every fold with it and all of them.
        on_batch: called after every batch of trials.
        on_phase: called with what begins: those of a fold's tune, then `test`; `summary` after the last fold.
        should_stop: asked between batches; True ends the walk-forward, with the finished folds written.
        should_drop: asked while a batch is scored; True ends the walk-forward without that batch.

    Raises:
        ConfigError: the configuration names no folds, or asks for what cannot be done.
        DataError: the prices cannot be used.
        RunFolderError: the folder holds something else.
        StorageError: `search.storage` cannot be opened.
        StudyError: a fold has no result, or the walk-forward was stopped before the first one had.
    """
    device.configure()
    folds = folds_of(fingerprint)
    path = Path(path)
    plans = {fold: tuning_fingerprint(fingerprint, fold, _study_name(fingerprint, path, fold)) for fold in folds}
    market = market_of(fingerprint)  # refuses before the first fold what the last one could not use
    check_bar(fingerprint, market.bar_minutes)
    if fingerprint.search.storage != "journal":
        open_store(fingerprint.search.storage, path).close()  # one that cannot be opened is told of before any folder
    (on_market or ignore)(market)
    begin = on_phase or ignore
    folder = open_walk_forward(path, config_text, fingerprint)
    done: list[tuple[Fold, Document, FoldDays]] = []
    dropped = False
    for fold in folds:
        (on_fold or ignore)(fold, folds)
        tuned = _tuned(
            plans[fold], folder, fold, command, on_batch or ignore, begin, should_stop or never, should_drop or never
        )
        dropped = tuned is not None and tuned.outcome.dropped
        if tuned is None or tuned.outcome.stopped == INTERRUPTED:
            break
        begin("test")
        done.append((fold, *_evaluated(fingerprint, folder, fold, tuned, command)))
    if not done:
        raise StudyError("the walk-forward was stopped before its first fold was tuned; run the command again")
    stopped = FINISHED if len(done) == len(folds) else INTERRUPTED
    if stopped == FINISHED:
        begin("summary")
    days = joined([(part, fold.counted_days) for fold, _, part in done])
    documents = [document for _, document, _ in done]
    summary = summarise(fingerprint, folds, documents, days, stopped, prices_record(market))
    write_table(folder.days, days_table(days, fingerprint.pool.initial_pool_value))
    write_json(folder.summary, summary)
    return WalkForwardResult(folder, read_record(folder.summary, "walk_forward.json", "run it again"), stopped, dropped)


def _study_name(fingerprint: Fingerprint, path: Path, fold: Fold) -> str | None:
    """A name per fold where one storage holds all of them."""
    search = fingerprint.search
    if search.storage == "journal" and search.study_name is None:
        return None
    return f"{search.study_name or path.name}-{fold.name}"


def _tuned(
    plan: Fingerprint,
    folder: WalkForwardFolder,
    fold: Fold,
    command: str,
    on_batch: Callable[[Progress], None],
    on_phase: Callable[[str], None],
    should_stop: Callable[[], bool],
    should_drop: Callable[[], bool],
) -> TuneResult | None:
    """The fold's study; None where it was stopped before it had a result."""

    def check(_folder: Any, market: Market, _space: Any) -> None:
        check_blind(market, fold)

    if should_stop():
        return None
    try:
        return tune(
            plan,
            folder.fold(fold.name),
            command=command,
            on_start=check,
            on_batch=on_batch,
            on_phase=on_phase,
            should_stop=should_stop,
            should_drop=should_drop,
        )
    except StudyError as error:
        if should_stop():
            return None
        raise StudyError(f"{fold.name} ({fold.train_start} to {fold.test_start}): {error}") from error


def _evaluated(
    fingerprint: Fingerprint, folder: WalkForwardFolder, fold: Fold, tuned: TuneResult, command: str
) -> tuple[Document, FoldDays]:
    """The winner on the fold's test: as recorded by an earlier run, or looked at now."""
    place = folder.fold(fold.name)
    record, table = place / "out_of_sample.json", place / "out_of_sample.parquet"
    best = tuned.best
    told = {"trial": best["trial"], "n_trials": best["study"]["n_trials"]}
    converged = best.get("convergence", {}).get("converged")
    if record.exists() and table.exists():
        document = read_fold_record(record, FOLD_REMADE)
        if told.items() <= document.items():
            return {"converged": converged, **document}, read_days(table)  # one of an older version lacks it
    whole = evaluation_fingerprint(fingerprint, fold)
    market = market_of(whole, burn_in_days=best["data"]["burn_in_days"])
    params = parse_params(best["params"], start_params(whole), whole, str(place))
    holdout = holdout_of(whole, market.root)
    assert holdout is not None
    note_look(folder.path, holdout, command, best["params"], required=True)  # first: a kill must not hide the look
    replayed = replay(whole, market, params)
    test = whole.periods.test
    assert test is not None
    days = fold_days(replayed, market, test, fold.number)
    metric = fingerprint.objective.metric
    in_sample, out_of_sample = replayed.metrics["train"], replayed.metrics["test"]
    error = in_sample_error(metric, *_train_returns(whole, market, replayed))
    document = {
        **told,
        "converged": converged,
        "fold": fold.number,
        "train_start": str(fold.train_start),
        "test_start": str(fold.test_start),
        "test_end": str(fold.test_end),
        "last_price_of_tuning": max(file["last"] for file in best["data"]["files"]),
        "objective": best["objective"]["value"],
        "in_sample": in_sample,
        "validation": replayed.metrics.get("validation"),
        "out_of_sample": out_of_sample,
        "in_sample_error": error,
        "efficiency": _efficiency(metric, [in_sample[metric]], [out_of_sample[metric]], [error]).value,
        "baselines": replayed.baseline_metrics["test"],
        "params": best["params"],
        "readable": best["readable"],
        "data": prices_record(market),
        "holdout": holdout_document(holdout),
    }
    write_table(table, days_table(days, fingerprint.pool.initial_pool_value))
    write_json(record, document)
    return read_fold_record(record, FOLD_REMADE), days


def _efficiency(
    metric: str, in_sample: Sequence[float], out_of_sample: Sequence[float], errors: Sequence[float | None]
) -> Efficiency:
    """`efficiency` of a metric of which more is better; a share that is left of a cost says nothing."""
    if METRICS[metric].direction == "lower":
        return Efficiency(None, reason=f"lower is better of {metric}")
    return efficiency(in_sample, out_of_sample, errors)


def _train_returns(
    fingerprint: Fingerprint, market: Market, replayed: Replay
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(day,) daily log returns of train, and the same in excess of the constant-weight pool."""
    first, end = fingerprint.periods.train
    bars = slice(first * market.bars_per_day, end * market.bars_per_day, market.bars_per_day)
    pool = np.diff(np.log(replayed.value_of_first_tokens[bars]))
    return pool, pool - np.diff(np.log(replayed.baselines["constant_weight"][bars]))


def summarise(
    fingerprint: Fingerprint,
    folds: Sequence[Fold],
    done: Sequence[Document],
    days: FoldDays,
    stopped: str,
    data: Document,
) -> Document:
    """The content of walk_forward.json.

    Args:
        fingerprint: of the whole walk-forward.
        folds: all folds that were asked for.
        done: out_of_sample.json of each finished one.
        days: their joined days.
        stopped: `finished` or `interrupted`.
        data: record of the prices of all folds.
    """
    asked, metric = fingerprint.walk_forward, fingerprint.objective.metric
    assert asked is not None
    settings, seed = fingerprint.evidence, fingerprint.search.seed
    curves = {name: curve_findings(days, name, draws=settings.bootstrap_draws, seed=seed) for name in CURVES}
    space = search_space(fingerprint)
    steady = stability([_numbers(document["params"], space, fingerprint.tokens) for document in done], space)
    random = random_spread(len(done))
    spread = overall_spread(steady)
    verdict = walk_verdict(days, curves, spread, random, n_folds=len(folds), draws=settings.bootstrap_draws, seed=seed)
    limits = limits_document(fingerprint.objective)
    found = walk_detectable(days)
    overall = _efficiency(
        metric,
        [_finite(document["in_sample"][metric]) for document in done],
        [_finite(document["out_of_sample"][metric]) for document in done],
        [document.get("in_sample_error") for document in done],
    )
    return {
        "walk_forward": asked.model_dump(),
        "stopped": stopped,
        "n_folds": len(folds),
        "metric": metric,
        "aggregate": objective_section(fingerprint, (0.0, 0.0, 0.0))["aggregate"],
        "verdict": {**asdict(verdict), LINES: walk_lines(done, limits, data)},
        "detectable": None if found is None else asdict(found),
        "folds": list(done),
        "mean_in_sample": _mean(done, "in_sample", metric),
        "mean_out_of_sample": _mean(done, "out_of_sample", metric),
        "efficiency": overall.value,
        "efficiency_error": overall.error,
        "efficiency_reason": overall.reason,
        "out_of_sample_days": len(days.time_ms),
        "out_of_sample": {name: asdict(one) for name, one in curves.items()},
        "stability": {name: asdict(one) for name, one in steady.items()},
        "spread": spread,
        "random_spread": random,
        "digest": fingerprint.digest,
        "fingerprint": recordable(fingerprint.to_dict()),
        "versions": versions(),
        "created": now_text(),
        "data": data,
    }


def _numbers(params: Document, space: SearchSpace, tokens: Sequence[str]) -> dict[str, float]:
    """A winner's parameters as the numbers that the search samples."""
    return {
        key: params[one.name][token]
        for one in space.sampled
        for key, token in zip(one.keys, tokens, strict=False)  # a shared number has one key: the first token's value
    }


def _mean(done: Sequence[Document], period: str, metric: str) -> float | None:
    """Mean of the folds' metric; None where one of them has none."""
    values = [document[period][metric] for document in done]
    return None if None in values else sum(values) / len(values)


def _finite(value: float | None) -> float:
    """A number of a JSON document, in which None stands for one that is not finite."""
    return math.nan if value is None else value
