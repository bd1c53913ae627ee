"""Replay parameters, of a file or as a notebook has them, with all metrics of all periods (SPEC §15)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from momentum_opt import device
from momentum_opt.api.callbacks import ignore
from momentum_opt.api.given_params import GivenParams, parsed_set
from momentum_opt.api.own_window import UNKNOWN, evaluated_holdouts, sample_label, with_window
from momentum_opt.api.prices import NO_FOLDER, fitting, market_of
from momentum_opt.api.replaying import check_replay
from momentum_opt.errors import DataError, ParamsError, UsageError
from momentum_opt.fingerprint import (
    Fingerprint,
    load_fingerprint,
    override_fingerprint,
    recordable,
    replace_values,
)
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
from momentum_opt.results.holdout import Looks, note_look, run_of
from momentum_opt.results.look_lines import Holdout, holdout_document, holdout_of
from momentum_opt.results.notebook import Tables
from momentum_opt.results.parameters import internal_form, parse_params, quiet_effects, readable_form
from momentum_opt.results.report.content import Content, period_sheet
from momentum_opt.results.run_folder import now_text, prices_record, result_file
from momentum_opt.results.tables import daily_bars, replay_table, write_table
from momentum_opt.results.tear_sheet import FOLDER, TearSheet, write_tear_sheet
from momentum_opt.study.candidates import ParamSet
from momentum_opt.study.replay import Replay, replay
from momentum_opt.study.space import start_params

if TYPE_CHECKING:
    import pandas as pd

Document = dict[str, Any]

_UNKNOWN_SAMPLE = (
    "where these parameters were tuned is not recorded, so it is not known whether the days are out of sample",
)


@dataclass(frozen=True, repr=False)
class BacktestResult(Tables):
    """A replayed parameter set, with its tables and figures: `daily`, `metrics`, `parameters`, `plot()`.

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

    def content(self, name: str = "backtest", looks: Looks | None = None, inputs: str = "") -> Content:
        """Everything that its page shows.

        Args:
            name: of the parameters.
            looks: evaluations of the test period; None where they are not counted.
            inputs: digest of the files that it tells of.
        """
        return Content(
            name=name,
            document=self.summary,
            fingerprint=Fingerprint.from_dict(recordable(self.fingerprint.to_dict())),
            looks=looks,
            inputs=inputs,
            daily=self.day_rows,
        )

    def __repr__(self) -> str:
        found = self.summary["objective"]
        window = self.summary["window"]
        return (
            f"<backtest of {'/'.join(self.fingerprint.tokens)} from {window['start']} to {window['end']}: "
            f"{found['metric']} {found['value']}>"
        )

    @cached_property
    def day_rows(self) -> "pd.DataFrame":
        """The rows of daily.parquet: one for every day's start and one for the last bar, `time` among the columns."""
        return replay_table(self.replay, self.market, daily_bars(self.market))

    @cached_property
    def tear_sheet(self) -> TearSheet:
        """Monthly returns, ratios, rolling figures, drawdowns, flows and parts of the return, as DataFrames."""
        return period_sheet(self.day_rows, self.fingerprint, self.summary["metrics"])


def backtest(
    params: AnyPath | GivenParams,
    fingerprint: Fingerprint | None = None,
    market: Market | None = None,
    *,
    config: AnyPath | None = None,
    overrides: Sequence[str] = (),
    data: AnyPath | None = None,
    allow_changed_data: bool = False,
    start: date | None = None,
    end: date | None = None,
    with_test: bool = True,
    on_note: Callable[[str], None] | None = None,
) -> BacktestResult:
    """Replay parameters minute by minute, with the metrics of every period and the baselines beside them.

    Three ways: a best.json alone, which is checked against what it records; any params file with a configuration; or,
    without a file, a mapping with a fingerprint and a market.

    With `start` or `end` a pool that starts there is simulated over one period, which is called `out of sample` where
    all of its days lie after those that were tuned on, `in sample` where all lie among them, and else `mixed`. Nothing
    is written; `write_backtest` of this module does that.

    Args:
        params: path of a best.json, of the folder of its run, or of a document with `params`; or the parameters
            themselves, name → number, {token: number} or (asset,) numbers, as for `simulate`.
        fingerprint: what to simulate; None takes that of the params file, or `config`.
        market: its prices, as `market_of` or `Market.from_frame` gives them; None loads them.
        config: configuration file in place of `fingerprint`.
        overrides: `a.b=value` on top of it.
        data: folder of price files; None looks where best.json or the configuration says.
        allow_changed_data: accept prices that differ from the recorded ones.
        start: first day of a window of its own; None: that of the configuration.
        end: the day after the last one; None with a `start`: as far as the prices go.
        with_test: False simulates no day of the test period.
        on_note: told in a line what the parameters say and the pool does not do, such as a memory beyond its cap.

    Returns:
        Metrics, days and figures: `metrics`, `parameters`, `baselines`, `daily`, `plot()`, and every bar in `replay`.

    Raises:
        ParamsError: there are no usable params, or no fingerprint and no `config`.
        DataError: prices are missing, or differ from the recorded ones.
        ReplayMismatchError: a best.json, replayed as it is, does not give its recorded objective.
        UsageError: the window is shorter than two days, or two arguments say the same thing.
    """
    device.configure()
    _check_arguments(fingerprint, market, config, overrides, data, start or end)
    told = on_note or ignore
    if isinstance(params, Mapping):
        return _of_params(params, fingerprint, market, config, overrides, data, told)
    if fingerprint is not None or market is not None:
        path = result_file(Path(params))
        given = read_params_file(path)["params"]
        return _of_params(given, fingerprint, market, config, overrides, data, told, str(path))
    return _of_file(
        result_file(Path(params)), config, overrides, data, start, end, told, allow_changed_data=allow_changed_data,
        with_test=with_test,
    )  # fmt: skip


def _check_arguments(
    fingerprint: Fingerprint | None,
    market: Market | None,
    config: AnyPath | None,
    overrides: Sequence[str],
    data: AnyPath | None,
    window: date | None,
) -> None:
    """Refuse arguments that would contradict each other."""
    if fingerprint is not None and (config is not None or overrides):
        raise UsageError(
            "backtest: give a fingerprint, or `config` and `overrides`, not both; load_fingerprint joins them"
        )
    if market is not None and data is not None:
        raise UsageError("backtest: give either a market or `data`, the folder of price files")
    if window is not None and (fingerprint is not None or market is not None):
        raise UsageError("backtest: `start` and `end` go with a params file; set the fingerprint's own window instead")


def _of_params(
    given: GivenParams,
    fingerprint: Fingerprint | None,
    market: Market | None,
    config: AnyPath | None,
    overrides: Sequence[str],
    data: AnyPath | None,
    on_note: Callable[[str], None],
    where: str = "params",
) -> BacktestResult:
    """A replay of parameters that nothing is recorded about."""
    if fingerprint is None and config is None:
        raise ParamsError(f"{where}: nothing says what to simulate; give a fingerprint, or a configuration as `config`")
    fingerprint = fingerprint or load_fingerprint(Path(str(config)), overrides)
    params = parsed_set(given, fingerprint, where)
    market = market_of(fingerprint, root=data) if market is None else fitting(fingerprint, market)
    replayed = replay(fingerprint, market, params)
    own = holdout_of(fingerprint, market.root)
    holdouts = () if own is None else (own,)
    for line in quiet_effects(params, fingerprint):
        on_note(line)
    return BacktestResult(
        _summary(fingerprint, market, params, replayed, holdouts), replayed, fingerprint, market, (), holdouts
    )


def _of_file(
    params_file: Path,
    config: AnyPath | None,
    overrides: Sequence[str],
    data: AnyPath | None,
    start: date | None,
    end: date | None,
    on_note: Callable[[str], None],
    *,
    allow_changed_data: bool,
    with_test: bool,
) -> BacktestResult:
    """A replay of a params file, checked against what it records."""
    document = read_params_file(params_file)
    fingerprint = fingerprint_of(document, params_file, config, overrides, prices=not allow_changed_data)
    if not with_test:
        fingerprint = replace_values(fingerprint, {"window.test_end": None}, name=str(params_file))
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
    holdouts = evaluated_holdouts(document, params_file, fingerprint, market.root)
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
    tables = {"daily.parquet": result.day_rows}
    if minute:
        tables["minute.parquet"] = replay_table(result.replay, result.market, np.arange(len(result.replay.value)))
    paths = [out / "summary.json", *(out / name for name in tables), out / FOLDER]
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, rows in tables.items():
            write_table(out / name, rows)
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
    folder = run_of(result_file(params_file))
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


def _root(market: Market) -> Path:
    """Folder of the prices of a market that was loaded from files."""
    assert market.root is not None
    return market.root


def check_same_prices(recorded: RecordedResult, market: Market, what: str, otherwise: str) -> None:
    """Compare the rows that a result used with the same rows of the files now: prices, and files of costs.

    Raises:
        DataError: they differ; `what` was made with others, and `otherwise` is another way out than the old files.
    """
    root = _root(market)
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
