"""A params file in, its replay and the files about it out (SPEC §15)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from momentum_opt import device
from momentum_opt.api.own_window import UNKNOWN, evaluated_holdouts, sample_label, with_window
from momentum_opt.api.prices import NO_FOLDER, market_of
from momentum_opt.api.replaying import check_replay
from momentum_opt.errors import DataError, ParamsError
from momentum_opt.fingerprint import Fingerprint, load_fingerprint, override_fingerprint
from momentum_opt.market import Market, hash_external, hash_rows
from momentum_opt.paths import AnyPath
from momentum_opt.results.best import (
    RecordedResult,
    check_unchanged,
    days_of_periods,
    limits_section,
    objective_section,
    read_params_file,
    recorded_result,
    versions,
)
from momentum_opt.results.files import why_not_writable, write_json
from momentum_opt.results.holdout import note_look, run_of
from momentum_opt.results.look_lines import Holdout, holdout_document
from momentum_opt.results.parameters import internal_form, parse_params, quiet_effects, readable_form
from momentum_opt.results.report.content import period_sheet
from momentum_opt.results.run_folder import now_text, prices_record
from momentum_opt.results.tables import daily_bars, replay_table, write_table
from momentum_opt.results.tear_sheet import FOLDER, TearSheet, write_tear_sheet
from momentum_opt.study.candidates import ParamSet
from momentum_opt.study.replay import Replay, replay
from momentum_opt.study.space import start_params

Document = dict[str, Any]

_UNKNOWN_SAMPLE = (
    "where these parameters were tuned is not recorded, so it is not known whether the days are out of sample",
)


@dataclass(frozen=True)
class BacktestResult:
    """A replayed parameter set.

    Attributes:
        summary: the content of summary.json.
        replay: every bar.
        fingerprint: what was simulated.
        market: the prices it ran on.
        notes: what could not be checked, one line each.
        holdouts: the test periods of which days were evaluated, the configuration's own first.
    """

    summary: Document
    replay: Replay
    fingerprint: Fingerprint
    market: Market
    notes: tuple[str, ...] = ()
    holdouts: tuple[Holdout, ...] = ()

    @property
    def holdout(self) -> Holdout | None:
        """The test period whose evaluations are shown; None where none was evaluated."""
        return self.holdouts[0] if self.holdouts else None

    @cached_property
    def tear_sheet(self) -> TearSheet:
        """Monthly returns, ratios, rolling figures, drawdowns, flows and parts of the return, as DataFrames."""
        daily = replay_table(self.replay, self.market, daily_bars(self.market))
        return period_sheet(daily, self.fingerprint, self.summary["metrics"])


def backtest(
    params_file: AnyPath,
    *,
    config: AnyPath | None = None,
    overrides: Sequence[str] = (),
    data: AnyPath | None = None,
    allow_changed_data: bool = False,
    start: date | None = None,
    end: date | None = None,
    on_note: Callable[[str], None] = lambda _: None,
) -> BacktestResult:
    """Replay a params file: a best.json alone, or any `params` with a configuration (SPEC §15).

    With `start` or `end` a pool that starts there is simulated over one period, which is called `out of sample` where
    all of its days lie after those that were tuned on, `in sample` where all lie among them, and else `mixed`.

    Args:
        params_file: best.json, or a document with `params`.
        config: configuration; None takes the fingerprint in the params file.
        overrides: `a.b=value` on top of it.
        data: folder of price files; None looks where best.json or the configuration says.
        allow_changed_data: accept prices that differ from the recorded ones.
        start: first day of a window of its own; None: that of the configuration.
        end: the day after the last one; None with a `start`: as far as the prices go.
        on_note: told in a line what the parameters say and the pool does not do, such as a memory beyond its cap.

    Raises:
        ParamsError: the file has no usable params, or names no fingerprint and no `config` is given.
        DataError: prices are missing, or differ from the recorded ones.
        ReplayMismatchError: a best.json, replayed as it is, does not give its recorded objective.
        UsageError: the window is shorter than two days.
    """
    device.configure()
    params_file = Path(params_file)
    document = read_params_file(params_file)
    fingerprint = fingerprint_of(document, params_file, config, overrides, prices=not allow_changed_data)
    recorded = recorded_result(document, params_file) if config is None else None
    notes = _unchecked(params_file) if config is None and recorded is None else ()
    own_window = start is not None or end is not None
    as_recorded = recorded if not overrides else None
    root = data or (as_recorded.root if as_recorded else None)
    if own_window:
        as_recorded = None
        folder = root or fingerprint.data.root
        if folder is None:
            raise DataError(NO_FOLDER)
        fingerprint = with_window(fingerprint, start, end, Path(folder))
    market = market_of(fingerprint, root=root, burn_in_days=as_recorded.burn_in_days if as_recorded else None)
    if recorded and not allow_changed_data:
        check_same_prices(recorded, market, str(params_file), ", or accept the change with --allow-changed-data")
    params = parse_params(document["params"], start_params(fingerprint), fingerprint, str(params_file))
    replayed = replay(fingerprint, market, params)
    if own_window:
        label = sample_label(document, fingerprint.window.start, fingerprint.window.end)
        replayed = replayed.named(label)
        notes += _UNKNOWN_SAMPLE if label == UNKNOWN else ()
    if as_recorded and not allow_changed_data:
        check_replay(as_recorded.objectives, replayed.objectives, str(params_file))
    holdouts = evaluated_holdouts(document, params_file, fingerprint, market.files[0].path.parent)
    summary = _summary(fingerprint, market, params, replayed, holdouts)
    for line in quiet_effects(params, fingerprint):
        on_note(line)
    return BacktestResult(summary, replayed, fingerprint, market, notes, holdouts)


def _unchecked(params_file: Path) -> tuple[str, ...]:
    return (
        f"{params_file}: records no digests of prices, so these cannot be compared with those that it was made with",
    )


def write_backtest(result: BacktestResult, out: Path, *, minute: bool) -> list[Path]:
    """Write summary.json, daily.parquet, the tear sheet's CSV files and, where asked for, minute.parquet.

    Raises:
        DataError: one of them is already there, or the folder cannot be written.
    """
    check_out(out, minute=minute)
    tables = {"daily.parquet": daily_bars(result.market)}
    if minute:
        tables["minute.parquet"] = np.arange(len(result.replay.value))
    paths = [out / "summary.json", *(out / name for name in tables), out / FOLDER]
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, bars in tables.items():
            write_table(out / name, replay_table(result.replay, result.market, bars))
        write_tear_sheet(result.tear_sheet, out / FOLDER)
        write_json(paths[0], result.summary)
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror}); give another --out") from error
    return paths


def check_out(out: Path, *, minute: bool) -> None:
    """Refuse a folder that cannot be written or holds a file of a backtest; asked before anything is computed.

    Raises:
        DataError: naming what is there already, or why it cannot be written.
    """
    names = ("summary.json", "daily.parquet", FOLDER, "report.html", *(["minute.parquet"] if minute else []))
    there = [str(out / name) for name in names if (out / name).exists()]
    if there:
        raise DataError(f"{', '.join(there)}: exists already; give another --out")
    reason = why_not_writable(out)
    if reason is not None:
        raise DataError(f"{out}: cannot be written ({reason}); give another --out")


def note_test_look(params_file: Path, command: str, result: BacktestResult) -> None:
    """Note the evaluation of a test period in the ledger of the run folder that the params file lies in, if it does.

    A folder that cannot be written to serves as well: where nothing can be noted, a warning says so.
    """
    folder = run_of(params_file)
    if folder is not None:
        for holdout in result.holdouts:
            note_look(folder, holdout, command, result.summary["params"])


def fingerprint_of(
    document: Document, params_file: Path, config: AnyPath | None, overrides: Sequence[str], *, prices: bool = True
) -> Fingerprint:
    """The configuration that a params file is run with: `config`, else the fingerprint in the file.

    Args:
        document: the content of the params file.
        params_file: its path.
        config: configuration in place of the fingerprint in the file.
        overrides: `a.b=value` on top of it.
        prices: whether a change of the recorded prices counts as a change of the file.

    Raises:
        ParamsError: there is neither, or the file was changed since it was written.
    """
    if config is not None:
        return load_fingerprint(config, overrides)
    if "fingerprint" not in document:
        raise ParamsError(f"{params_file}: holds params alone; give their configuration with --config")
    fingerprint = Fingerprint.from_dict(document["fingerprint"], name=f"{params_file}: fingerprint")
    check_unchanged(document, fingerprint, params_file, prices=prices)
    name = f"{params_file}: fingerprint"
    return override_fingerprint(fingerprint, overrides, name=name) if overrides else fingerprint


def check_same_prices(recorded: RecordedResult, market: Market, what: str, otherwise: str) -> None:
    """Compare the rows that a result used with the same rows of the files now: prices, and files of costs.

    Raises:
        DataError: they differ; `what` was made with others, and `otherwise` is another way out than the old files.
    """
    root = market.files[0].path.parent
    changed_costs = [
        f"{paths[file.name]}: costs.{file.name} is"
        for paths in [{file.name: file.path for file in market.external.files}]
        for file in recorded.costs
        if file.name in paths and hash_external(file.name, paths[file.name], file.from_ms, file.until_ms) != file.sha256
    ]
    if changed_costs:
        raise DataError(
            f"{' and '.join(changed_costs)} not what {what} was made with; name the old file with "
            f"--set costs.NAME=FILE{otherwise}"
        )
    changed = [
        file.token for file in recorded.files if hash_rows(root, file.token, file.first_ms, file.last_ms) != file.sha256
    ]
    if changed:
        raise DataError(
            f"{root}: prices of {', '.join(changed)} are not those that {what} was made with; "
            f"give the folder with the old ones as --data{otherwise}"
        )


def _summary(
    fingerprint: Fingerprint, market: Market, params: ParamSet, replayed: Replay, holdouts: Sequence[Holdout]
) -> Document:
    return {
        "params": internal_form(params, fingerprint.tokens),
        "readable": readable_form(params, fingerprint),
        "objective": objective_section(fingerprint, replayed.objectives),
        "window": {"start": str(fingerprint.window.start), "end": str(fingerprint.last_day)},
        **limits_section(fingerprint, replayed.metrics),
        "metrics": replayed.metrics,
        "days": days_of_periods(fingerprint, replayed.metrics),
        "baselines": replayed.baseline_metrics,
        "fees_earned": replayed.fees_earned,
        "decomposition": replayed.decomposition,
        **({} if replayed.trades is None else {"trades": replayed.trades}),
        "final_value": float(replayed.value[-1]),
        **({} if replayed.lp_supply is None else {"final_first_lp_value": float(replayed.value_of_first_tokens[-1])}),
        "digest": fingerprint.digest,
        "data": prices_record(market),
        "holdout": holdout_document(holdouts[0]) if holdouts else None,
        "versions": versions(),
        "created": now_text(),
    }
