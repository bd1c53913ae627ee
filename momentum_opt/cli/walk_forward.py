"""`momentum-opt walk-forward`: tune fold after fold, and evaluate each winner on the days that follow."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from momentum_opt.cli.config import AsJson, Config, Data, Settings, overrides_of
from momentum_opt.cli.report import WithReport, current_or_warning
from momentum_opt.cli.stopping import INTERRUPTED, Phase, leave_if, leave_without_result, stop_request
from momentum_opt.cli.tune import (
    EvidenceOption,
    RunDir,
    Storage,
    Trials,
    append_log,
    evidence_overrides,
    phase_of_run,
)
from momentum_opt.errors import StudyError
from momentum_opt.passwords import command_line, command_to_repeat

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
    data: Data = None,
    run_dir: RunDir = None,
    storage: Storage = None,
    evidence: EvidenceOption = None,
    with_report: WithReport = True,
    as_json: AsJson = False,
) -> None:
    """Tune fold after fold and evaluate each winner on the days that follow; the same command again goes on."""
    from momentum_opt.cli.plan import storage_text
    from momentum_opt.fingerprint import read_configuration

    overrides = overrides_of(settings, data, trials, None if storage is None else storage_text(storage))
    overrides = [*overrides, *evidence_overrides(evidence)]
    fingerprint, text = read_configuration(config, overrides)
    result = _run(fingerprint, text, config, run_dir)
    finished = result.stopped == "finished"
    page = current_or_warning(result.folder.path) if with_report and finished else None
    _print(result, page, as_json=as_json)
    if not finished:
        typer.echo(f"stopped; go on with: {command_to_repeat()}", err=True)
    leave_if(result.dropped)
    if not finished:
        raise typer.Exit(INTERRUPTED)


def _phase(name: str, folder: Path) -> Phase:
    """What a signal ends in a phase of a walk-forward, and what is kept then."""
    kept = f"what is finished is kept in {folder}; go on with: {command_to_repeat()}"
    beside = {"test": Phase("a winner's test was evaluated", kept), "summary": Phase("the folds were summed up", kept)}
    if name in beside:
        return beside[name]
    phase = phase_of_run(name, folder)
    return phase if phase.waits else replace(phase, remedy=kept)


def _run(fingerprint: "Fingerprint", text: str, config: Path, run_dir: Path | None) -> "WalkForwardResult":
    from momentum_opt.api import walk_forward as api
    from momentum_opt.cli.progress import Reporter, describe
    from momentum_opt.cli.render import said_of_prices
    from momentum_opt.results.run_folder import now_text, prices_record
    from momentum_opt.results.walk_forward import WalkForwardFolder, default_walk_forward

    folder = WalkForwardFolder(run_dir or default_walk_forward(config, fingerprint))
    with (
        stop_request(Phase("the folds were laid out", "no fold was tuned; run the command again")) as stop,
        Reporter(fingerprint.objective) as report,
    ):

        def on_market(market: "Market") -> None:
            for line in said_of_prices(prices_record(market)):
                typer.echo(line, err=True)

        def on_fold(fold: "Fold", folds: "Sequence[Fold]") -> None:
            line = (
                f"fold {fold.number} of {len(folds)}: tuned on {fold.train_start} to {fold.test_start}, "
                f"out of sample until {fold.test_end}"
            )
            typer.echo(line, err=True)
            append_log(folder.log, f"{now_text()} {line}")

        def on_batch(progress: "Progress") -> None:
            report(progress)
            append_log(folder.log, f"{now_text()} {describe(progress, fingerprint.objective)}")

        def on_phase(name: str) -> None:
            stop.enter(_phase(name, folder.path))
            report.enter(name)

        try:
            return api.walk_forward(
                fingerprint,
                folder.path,
                config_text=text,
                command=command_line(),
                on_market=on_market,
                on_fold=on_fold,
                on_batch=on_batch,
                on_phase=on_phase,
                should_stop=stop.was_asked,
                should_drop=stop.is_overdue,
            )
        except StudyError as error:
            leave_without_result(stop, error)


def _print(result: "WalkForwardResult", page: Path | None, *, as_json: bool) -> None:
    from momentum_opt.cli.folds import curve_table, fold_table, stability_table, summary_lines
    from momentum_opt.results.files import to_json
    from momentum_opt.results.holdout import fold_looks, fold_looks_document, fold_looks_words

    summary, folder = result.summary, result.folder
    looks = fold_looks(folder.path, summary["folds"], summary["fingerprint"]["tokens"])
    if as_json:
        document = {
            "run_dir": str(folder.path),
            "summary": summary,
            "test_looks": fold_looks_document(looks),
            "report": None if page is None else str(page),
        }
        typer.echo(to_json(document), nl=False)
        return
    typer.echo(f"{fold_table(summary)}\n\n{curve_table(summary)}\n\n{stability_table(summary)}\n")
    for line in [*summary_lines(summary), fold_looks_words(looks), f"result: {folder.summary}", f"days: {folder.days}"]:
        typer.echo(line)
    if page is not None:
        typer.echo(f"report: {page}")
