"""`momentum-opt sweep`: a tune per combination of settings, and the comparison of their winners."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from momentum_opt.cli.completing import complete_settings
from momentum_opt.cli.config import AsJson, Config, Data, Settings, overrides_of
from momentum_opt.cli.report import WithReport, current_or_warning
from momentum_opt.cli.stopping import INTERRUPTED, Interrupted, in_phase, leave_if
from momentum_opt.cli.tune import Storage, Trials, Workers, run_plan
from momentum_opt.errors import StudyError
from momentum_opt.passwords import command_line, command_to_repeat

if TYPE_CHECKING:
    from momentum_opt.api.sweeping import Combination

FAILED = 1


def sweep(
    config: Config,
    over: Annotated[
        list[str],
        typer.Option(
            "--over",
            metavar="SECTION.KEY=A,B,…",
            help="Values of one setting; of several options every combination is tuned.",
            show_default=False,
            autocompletion=complete_settings,
        ),
    ],
    trials: Trials = None,
    settings: Settings = None,
    data: Data = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(
            "--run-dir", metavar="DIR", help="Folder of all run folders, instead of runs.", show_default=False
        ),
    ] = None,
    storage: Storage = None,
    workers: Workers = 1,
    with_report: WithReport = True,
    as_json: AsJson = False,
) -> None:
    """Tune every combination of settings, each a run of its own, and compare the winners.

    The evidence of each counts the candidates of all. The same command again goes on where it stopped.
    """
    from momentum_opt.api import comparing, sweeping
    from momentum_opt.cli.compare import show_comparison
    from momentum_opt.cli.plan import storage_text

    overrides = overrides_of(settings, data, trials, None if storage is None else storage_text(storage))
    combinations = sweeping.combinations_of(config, overrides, over, run_dir)
    done = _tune(combinations, workers)
    in_phase("the evidence was counted", "all runs are kept; run the command again")
    sweeping.share_evidence(done)
    for one in done if with_report else ():
        current_or_warning(one.run_dir)
    page = None
    if len(done) > 1:
        names = [one.name for one in done]
        comparison = comparing.compare([one.run_dir for one in done], names=names, command=command_line())
        if with_report:
            page = comparing.write_comparison(comparison, sweeping.sweep_page(config, combinations), replace=True)
        show_comparison(comparison, page, as_json=as_json)
    if len(done) < len(combinations):
        raise typer.Exit(FAILED)


def _tune(combinations: "Sequence[Combination]", workers: int) -> "list[Combination]":
    """Tune one after the other; those that have a result. A stop by the user ends the sweep with the tune.

    Raises:
        typer.Exit: the user asked to stop.
        Interrupted: the same, where no search was at work.
    """
    from momentum_opt.cli.plan import Plan

    done: list[Combination] = []
    for place, one in enumerate(combinations):
        typer.echo(f"combination {place + 1} of {len(combinations)}: {one.name}", err=True)
        plan = Plan(one.fingerprint, one.run_dir, one.config_text, one.study_name)
        try:
            result, interrupted = run_plan(plan, workers, resume=False)
        except StudyError as error:
            typer.echo(f"error: {one.name}: {error}", err=True)
            continue
        except (typer.Exit, Interrupted):
            _tell_how_to_go_on(len(done), len(combinations))
            raise
        if interrupted:
            _tell_how_to_go_on(len(done), len(combinations))
            leave_if(result.outcome.dropped)
            raise typer.Exit(INTERRUPTED)
        done.append(one)
    return done


def _tell_how_to_go_on(done: int, total: int) -> None:
    typer.echo(f"{done} of {total} combinations are done; to go on: {command_to_repeat()}", err=True)
