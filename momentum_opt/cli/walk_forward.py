"""`momentum-opt walk-forward`: tune fold after fold, each judged by the days that follow it."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from momentum_opt.cli.config import AsJson, Config, Settings
from momentum_opt.cli.report import WithReport, current_or_warning
from momentum_opt.cli.stopping import INTERRUPTED, leave_if, leave_without_result, stop_request
from momentum_opt.cli.tune import RunDir, Storage, Trials, append_log
from momentum_opt.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from momentum_opt.api.walk_forward import WalkForwardResult
    from momentum_opt.evidence.folds import Fold
    from momentum_opt.fingerprint import Fingerprint
    from momentum_opt.market import Market
    from momentum_opt.study.ledger import Progress


def walk_forward(
    config: Config,
    trials: Trials = None,
    settings: Settings = None,
    run_dir: RunDir = None,
    storage: Storage = None,
    with_report: WithReport = True,
    as_json: AsJson = False,
) -> None:
    """Tune fold after fold and judge each winner by the days that follow; the same command again goes on."""
    from momentum_opt.fingerprint import load_fingerprint

    shortcuts = {"search.n_trials": trials, "search.storage": storage}
    overrides = [*(settings or ()), *(f"{key}={value}" for key, value in shortcuts.items() if value is not None)]
    result = _run(load_fingerprint(config, overrides), config, run_dir)
    finished = result.stopped == "finished"
    page = current_or_warning(result.folder.path) if with_report and finished else None
    _print(result, page, as_json=as_json)
    leave_if(result.dropped)
    if not finished:
        raise typer.Exit(INTERRUPTED)


def _run(fingerprint: "Fingerprint", config: Path, run_dir: Path | None) -> "WalkForwardResult":
    from momentum_opt.api import walk_forward as api
    from momentum_opt.cli.progress import Reporter, describe
    from momentum_opt.cli.render import said_of_prices
    from momentum_opt.results.run_folder import now_text, prices_record
    from momentum_opt.results.walk_forward import WalkForwardFolder, default_walk_forward

    folder = WalkForwardFolder(run_dir or default_walk_forward(config, fingerprint))
    with stop_request() as stop, Reporter() as report:

        def on_market(market: "Market") -> None:
            for line in said_of_prices(prices_record(market)):
                typer.echo(line, err=True)

        def on_fold(fold: "Fold", folds: "Sequence[Fold]") -> None:
            line = (
                f"fold {fold.number} of {len(folds)}: tuned on {fold.train_start} to {fold.test_start}, "
                f"judged on the days until {fold.test_end}"
            )
            typer.echo(line, err=True)
            append_log(folder.log, f"{now_text()} {line}")

        def on_batch(progress: "Progress") -> None:
            report(progress)
            append_log(folder.log, f"{now_text()} {describe(progress)}")

        try:
            return api.walk_forward(
                fingerprint,
                folder.path,
                config_text=config.read_text(encoding="utf-8-sig"),
                command=" ".join(["momentum-opt", *sys.argv[1:]]),
                on_market=on_market,
                on_fold=on_fold,
                on_batch=on_batch,
                should_stop=stop.was_asked,
                should_drop=stop.is_overdue,
            )
        except StudyError as error:
            leave_without_result(stop, error)


def _print(result: "WalkForwardResult", page: Path | None, *, as_json: bool) -> None:
    from momentum_opt.cli.folds import curve_table, fold_table, stability_table, summary_lines
    from momentum_opt.results.files import to_json
    from momentum_opt.results.test_looks import read_test_looks

    summary, folder = result.summary, result.folder
    looks = read_test_looks(folder.test_looks)
    if as_json:
        document = {
            "run_dir": str(folder.path),
            "summary": summary,
            "test_looks": asdict(looks),
            "report": None if page is None else str(page),
        }
        typer.echo(to_json(document), nl=False)
        return
    typer.echo(f"{fold_table(summary)}\n\n{curve_table(summary)}\n\n{stability_table(summary)}\n")
    for line in [*summary_lines(summary), looks.words(), f"result: {folder.summary}", f"days: {folder.days}"]:
        typer.echo(line)
    if page is not None:
        typer.echo(f"report: {page}")
