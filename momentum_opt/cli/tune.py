"""`momentum-opt tune`: search, replay the winner, write the run folder."""

import math
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from momentum_opt.api.callbacks import ignore
from momentum_opt.cli.config import AsJson, Config, Data, Settings, overrides_of
from momentum_opt.cli.report import WithReport, current_or_warning
from momentum_opt.cli.stopping import INTERRUPTED, SEARCH, Phase, leave_if, leave_without_result, stop_request
from momentum_opt.errors import StudyError, UsageError, choose_among
from momentum_opt.passwords import command_line, command_to_repeat, without_passwords
from momentum_opt.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from momentum_opt.api.tuning import TuneResult
    from momentum_opt.cli.plan import Plan
    from momentum_opt.fingerprint import Fingerprint
    from momentum_opt.market import Market
    from momentum_opt.results.run_folder import RunFolder
    from momentum_opt.results.trial_list import TrialList
    from momentum_opt.study.ledger import Progress
    from momentum_opt.study.space import SearchSpace

Trials = Annotated[
    int | None, typer.Option("--trials", metavar="N", help="The same as --set search.n_trials=N.", show_default=False)
]
RunDir = Annotated[
    Path | None,
    typer.Option("--run-dir", metavar="DIR", help="Run folder instead of runs/<name>-<digest>.", show_default=False),
]
Storage = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="URL",
        help="Where trials are kept: postgresql://…, sqlite:///FILE, or the path of a journal.",
        show_default=False,
    ),
]
Workers = Annotated[
    int,
    typer.Option("--workers", metavar="N", min=1, max=256, help="Processes that search; they share cores and GPUs."),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Resume an existing run, fail if there is none; CONFIG may be its run folder."),
]

EvidenceOption = Annotated[
    str | None,
    typer.Option(
        "--evidence",
        metavar="full|quick|none",
        help="How much is scored to judge the winner; none: no verdict. Without it: quick with costs, where full would "
        "score more candidates than the search.",
        show_default=False,
    ),
]
From = Annotated[
    list[Path] | None,
    typer.Option(
        "--from",
        metavar="FILE",
        help="Begin with these parameters: a best.json, the folder of its run, or a file with params alone; may be "
        "repeated.",
        show_default=False,
    ),
]


def tune(
    config: Config,
    trials: Trials = None,
    settings: Settings = None,
    data: Data = None,
    run_dir: RunDir = None,
    storage: Storage = None,
    workers: Workers = 1,
    resume: Resume = False,
    known: From = None,
    evidence: EvidenceOption = None,
    with_report: WithReport = True,
    as_json: AsJson = False,
) -> None:
    """Search for the best parameters; the same command resumes a run that was stopped."""
    from momentum_opt.cli.plan import plan_of, storage_text

    overrides = overrides_of(settings, data, trials, None if storage is None else storage_text(storage))
    overrides = [*overrides, *evidence_overrides(evidence)]
    plan = plan_of(config, overrides, run_dir, known or (), resume=resume)
    shown: list[bool] = []

    def on_best(best: "Mapping[str, Any]", stopped: str) -> None:
        if not as_json and stopped != "interrupted":
            _print_winner(best, stopped, plan.run_dir)
            shown.append(True)

    result, interrupted = run_plan(plan, workers, resume=resume, on_best=on_best)
    if not as_json:
        _print_verdict(result, shown=bool(shown))
    page = current_or_warning(result.folder.path) if with_report and not interrupted else None
    if as_json:
        _print_json(result, page)
    elif page is not None:
        typer.echo(f"report: {page}")
    if interrupted:
        typer.echo(f"stopped; go on with: {_resume_command(plan, workers)}", err=True)
    leave_if(result.outcome.dropped)
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def evidence_overrides(evidence: str | None) -> list[str]:
    """`--evidence` as overrides of the configuration.

    Raises:
        UsageError: another word.
    """
    asked = {
        "full": ["evidence.enabled=true", "evidence.quick=false"],
        "quick": ["evidence.enabled=true", "evidence.quick=true"],
        "none": ["evidence.enabled=false"],
    }
    if evidence is None:
        return []
    if evidence not in asked:
        raise UsageError(f"--evidence: unknown value ({evidence}); {choose_among(evidence, list(asked))}")
    return asked[evidence]


def _resume_command(plan: "Plan", workers: int) -> str:
    """The command that goes on with a run: by its folder where that holds the study, else the same one."""
    if plan.fingerprint.search.storage != "journal":
        return command_to_repeat()
    crew = f" --workers {workers}" if workers > 1 else ""
    return f"momentum-opt tune {shlex.quote(str(plan.run_dir))} --resume{crew}"


def phase_of_run(name: str, folder: Path, again: str = "run the command again to go on") -> Phase:
    """What a signal ends in a phase of a tune, what is kept then, and how to go on."""
    return {
        "prices": Phase("prices were read", "no batch was scored; run the command again"),
        "compile": Phase("the search was compiled", f"no batch was scored; {again}"),
        "search": SEARCH,
        "replay": Phase("the winner was replayed", f"all trials are kept in {folder}; {again}"),
        "evidence": Phase("evidence was gathered", f"the trials and best.json are kept in {folder}; {again}"),
    }[name]


def run_plan(
    plan: "Plan", workers: int, *, resume: bool, on_best: "Callable[[Mapping[str, Any], str], None]" = ignore
) -> "tuple[TuneResult, bool]":
    """Run a tune, its progress on stderr; the result, and whether it was stopped.

    Args:
        plan: what to run.
        workers: processes that search.
        resume: refuse to begin a new study.
        on_best: told the content of best.json, and how the search ended, before the verdict is known.
    """
    from momentum_opt.api import tuning
    from momentum_opt.cli.progress import Reporter, describe
    from momentum_opt.cli.render import said_of_prices
    from momentum_opt.results.run_folder import now_text

    aim = plan.fingerprint.objective
    again = f"go on with: {_resume_command(plan, workers)}"
    with stop_request() as stop, Reporter(aim) as report:
        log: list[Path] = []

        def on_start(folder: "RunFolder", market: "Market", space: "SearchSpace") -> None:
            log.append(folder.log)
            for line in _opening(plan.fingerprint, folder, market, space, workers):
                say(line)

        def on_batch(progress: "Progress") -> None:
            report(progress)
            append_log(log[0], f"{now_text()} {describe(progress, aim)}")

        def on_phase(name: str) -> None:
            stop.enter(phase_of_run(name, plan.run_dir, again))
            report.enter(name)

        def told_best(best: "Mapping[str, Any]", stopped: str) -> None:
            report.leave()
            on_best(best, stopped)

        def say(line: str) -> None:
            typer.echo(line, err=True)
            append_log(log[0], f"{now_text()} {line}")

        try:
            result = tuning.tune(
                plan.fingerprint,
                plan.run_dir,
                config_text=plan.config_text,
                command=command_line(),
                study_name=plan.study_name,
                known=plan.known,
                resume=resume,
                workers=workers,
                on_start=on_start,
                on_batch=on_batch,
                on_message=say,
                on_phase=on_phase,
                on_best=told_best,
                should_stop=stop.was_asked,
                should_drop=stop.is_overdue,
            )
        except StudyError as error:
            leave_without_result(stop, error)
        if not log:  # finished before: nothing was said at the start
            for line in said_of_prices(result.best["data"]):
                typer.echo(line, err=True)
    return result, result.outcome.stopped == "interrupted"


def _opening(
    fingerprint: "Fingerprint", folder: "RunFolder", market: "Market", space: "SearchSpace", workers: int
) -> "Iterator[str]":
    """What a user should know before the first batch."""
    from momentum_opt.cli.render import left_out_notes, said_of_prices
    from momentum_opt.device import describe_devices
    from momentum_opt.fingerprint import choose_engine, range_lines
    from momentum_opt.results.run_folder import prices_record

    engine = choose_engine(fingerprint, market.bar_minutes)
    yield f"run folder {folder.path}, digest {fingerprint.digest}"
    where = describe_devices() if workers == 1 else f"{workers} worker processes"
    yield f"engine {engine.name}: {engine.reason}; {where}, {fingerprint.device.precision}"
    asked = math.ceil(fingerprint.pool.max_memory_days)
    short = "" if market.burn_in_days >= asked else f" of the {asked} that max_memory_days asks for"
    history = f"{counted(market.burn_in_days, 'day')} of history before the start{short}"
    yield f"prices of {'/'.join(market.tokens)}; {history}"
    for line in range_lines({one.name: one.ranges for one in space.sampled}, fingerprint):
        yield f"search range: {line}"
    yield from (f"note: {note}" for note in space.notes)
    record = prices_record(market)
    yield from said_of_prices(record)
    yield from left_out_notes(record["costs"])


def append_log(log: Path, line: str) -> None:
    """Add a line to a run's log."""
    with suppress(OSError), log.open("a", encoding="utf-8") as file:  # a full disk is told of by what needs it more
        file.write(without_passwords(line) + "\n")


def _print_json(result: "TuneResult", page: Path | None) -> None:
    from momentum_opt.results.evidence import evidence_document
    from momentum_opt.results.files import to_json
    from momentum_opt.results.holdout import count_looks, looks_document, recorded_holdout
    from momentum_opt.results.trial_list import as_rows

    best, folder = result.best, result.folder
    front = _front(folder.path)
    document = {
        "run_dir": str(folder.path),
        "stopped": result.outcome.stopped,
        "best": best,
        "evidence": None if result.findings is None else evidence_document(result.findings),
        "test_looks": looks_document(count_looks(folder.path, recorded_holdout(best))),
        "report": None if page is None else str(page),
    }
    typer.echo(to_json(document if front is None else {**document, "pareto": as_rows(front.rows)}), nl=False)


def _print_winner(best: "Mapping[str, Any]", stopped: str, path: Path) -> None:
    """What is known once best.json is there: all but the verdict."""
    from momentum_opt.cli.render import metric_table, objective_line, parameter_table
    from momentum_opt.cli.text_table import filled
    from momentum_opt.cli.trials import pareto_text

    front, study = _front(path), best["study"]
    failed = f", {study['n_failed']} failed" if study["n_failed"] else ""
    screened = f" and {counted(study['n_screened'], 'screened candidate')}" if study["n_screened"] else ""
    near = f" and {counted(study['n_neighbours'], 'trial')} near earlier winners" if study.get("n_neighbours") else ""
    source = {
        "screen": ", from the screening",
        "warm_start": ", from the warm start",
        "neighbourhood": ", near an earlier winner",
    }.get(best["source"], "")
    winner = f"trial {best['trial']}{source} ({stopped})"
    typer.echo(filled(f"best of {counted(study['n_trials'], 'trial')}{screened}{near}{failed}: {winner}", "  "))
    typer.echo(filled(objective_line(best), "  "))
    typer.echo(f"\n{parameter_table(best)}\n\n{metric_table(best)}\n")
    if front is not None:
        typer.echo(f"{pareto_text(front, path)}\n")
    sys.stdout.flush()


def _print_verdict(result: "TuneResult", *, shown: bool) -> None:
    """The verdict below the winner; the winner first where it was not `shown` yet."""
    from momentum_opt.cli.render import REPLAYED, convergence_lines, limit_lines, test_lines, verdict_lines
    from momentum_opt.cli.text_table import filled
    from momentum_opt.results.holdout import count_looks, recorded_holdout

    best, folder = result.best, result.folder
    if not shown:
        _print_winner(best, result.outcome.stopped, folder.path)
    looks, verdict = count_looks(folder.path, recorded_holdout(best)), best["verdict"]
    if verdict is None:
        for line in limit_lines(best):  # else the verdict says it
            typer.echo(line)
    if not all(one["kept"] for one in best.get("limits", {}).values()):
        nearest = f"no trial keeps all limits: trial {best['trial']} comes nearest to it; loosen objective.limits"
        typer.echo(filled(nearest, "  "))
    if verdict is None:
        typer.echo(_NOT_JUDGED["interrupted" if result.outcome.stopped == "interrupted" else "none"])
    found = None if verdict is None else verdict["detectable"]
    judged = verdict_lines(verdict, found, apart=("convergence",))
    for line in [*map(filled, test_lines(best, looks)), *judged, *convergence_lines(best)]:
        typer.echo(line)
    typer.echo(f"{filled(REPLAYED, '  ')}\nresult: {folder.best}")


_NOT_JUDGED: Final = {
    "interrupted": "verdict: not judged; the search was interrupted",
    "none": "verdict: not judged; --evidence full judges it",
}
"""Why a winner has no verdict."""


def _front(path: Path) -> "TrialList | None":
    """The Pareto front of the trials that were written; None of a single objective."""
    from momentum_opt.results.trial_list import choose_columns, pareto_list, read_trials

    trials = read_trials(path)
    return choose_columns(pareto_list(trials), None) if len(trials.objectives) > 1 else None
