"""`momentum-opt tune`: search, replay the winner, write the run folder."""

import math
import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from momentum_opt.cli.config import AsJson, Config, Settings
from momentum_opt.errors import MomentumOptError, StudyError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from momentum_opt.api.tuning import TuneResult
    from momentum_opt.fingerprint import Fingerprint
    from momentum_opt.market import Market
    from momentum_opt.results.run_folder import RunFolder
    from momentum_opt.study.loop import Progress
    from momentum_opt.study.space import SearchSpace

INTERRUPTED = 130

Trials = Annotated[
    int | None, typer.Option("--trials", metavar="N", help="The same as --set search.n_trials=N.", show_default=False)
]
RunDir = Annotated[
    Path | None,
    typer.Option("--run-dir", metavar="DIR", help="Run folder instead of runs/<name>-<digest>.", show_default=False),
]
Storage = Annotated[
    str | None,
    typer.Option("--storage", metavar="URL", help="Where trials are kept: an Optuna URL.", show_default=False),
]

WithReport = Annotated[bool, typer.Option("--report/--no-report", help="Write report.html into the run folder.")]


def tune(
    config: Config,
    trials: Trials = None,
    settings: Settings = None,
    run_dir: RunDir = None,
    storage: Storage = None,
    with_report: WithReport = True,
    as_json: AsJson = False,
) -> None:
    """Search for the best parameters; the same command again goes on where it stopped."""
    from momentum_opt.fingerprint import load_fingerprint

    shortcuts = {"search.n_trials": trials, "search.storage": storage}
    overrides = [*(settings or ()), *(f"{key}={value}" for key, value in shortcuts.items() if value is not None)]
    fingerprint = load_fingerprint(config, overrides)
    result, interrupted = _run(fingerprint, config, run_dir)
    page = _report(result.folder.path) if with_report else None
    _print(result, page, as_json=as_json)
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def _run(fingerprint: "Fingerprint", config: Path, run_dir: Path | None) -> "tuple[TuneResult, bool]":
    from momentum_opt.api import tuning
    from momentum_opt.cli.progress import Reporter, describe
    from momentum_opt.results.run_folder import default_folder, now_text

    with stop_request() as stop_requested, Reporter() as report:
        log: list[Path] = []

        def on_start(folder: "RunFolder", market: "Market", space: "SearchSpace") -> None:
            log.append(folder.log)
            for line in _opening(fingerprint, folder, market, space):
                typer.echo(line, err=True)
                append_log(folder.log, f"{now_text()} {line}")

        def on_batch(progress: "Progress") -> None:
            report(progress)
            append_log(log[0], f"{now_text()} {describe(progress)}")

        try:
            result = tuning.tune(
                fingerprint,
                run_dir or default_folder(config, fingerprint),
                config_text=config.read_text(encoding="utf-8-sig"),
                command=" ".join(["momentum-opt", *sys.argv[1:]]),
                on_start=on_start,
                on_batch=on_batch,
                should_stop=stop_requested,
            )
        except StudyError as error:  # stopped before there was a result: that is what the user asked for
            if not stop_requested():
                raise
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(INTERRUPTED) from error
    return result, result.outcome.stopped == "interrupted"


def _opening(
    fingerprint: "Fingerprint", folder: "RunFolder", market: "Market", space: "SearchSpace"
) -> "Iterator[str]":
    """What a user should know before the first batch."""
    from momentum_opt.device import describe_devices
    from momentum_opt.fingerprint import choose_engine

    engine = choose_engine(fingerprint, market.bar_minutes)
    yield f"run folder {folder.path}, digest {fingerprint.digest}"
    yield f"engine {engine.name}: {engine.reason}; {describe_devices()}, {fingerprint.device.precision}"
    asked = math.ceil(fingerprint.pool.max_memory_days)
    short = "" if market.burn_in_days >= asked else f" of the {asked} that max_memory_days asks for"
    yield f"prices of {'/'.join(market.tokens)}; {market.burn_in_days} days of history before the start{short}"
    yield from (f"note: {note}" for note in space.notes)


def append_log(log: Path, line: str) -> None:
    """Add a line to a run's log."""
    with log.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


@contextmanager
def stop_request() -> "Generator[Callable[[], bool]]":
    """Ask whether the user wants to stop: the first SIGINT or SIGTERM waits for the batch in flight."""
    asked = False

    def note(signum: int, frame: object) -> None:
        nonlocal asked
        del signum, frame
        if asked:
            os._exit(INTERRUPTED)
        asked = True
        # Not through sys.stderr: the signal may come in the middle of a write to it, which must not be entered twice.
        os.write(2, b"stopping after this batch; once more to stop at once\n")

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(run: Path) -> Path | None:
    """The run's page; where it cannot be made, the results still stand."""
    from momentum_opt.api.reporting import current_report

    try:
        return current_report(run)
    except MomentumOptError as error:
        typer.echo(f"warning: no report: {error}", err=True)
        return None


def _print(result: "TuneResult", page: Path | None, *, as_json: bool) -> None:
    from momentum_opt.cli.render import metric_table, objective_line, parameter_table, test_lines, verdict_lines
    from momentum_opt.results.evidence import evidence_document
    from momentum_opt.results.files import to_json
    from momentum_opt.results.test_looks import read_test_looks

    best, folder = result.best, result.folder
    if as_json:
        document = {
            "run_dir": str(folder.path),
            "stopped": result.outcome.stopped,
            "best": best,
            "evidence": None if result.findings is None else evidence_document(result.findings),
            "test_looks": asdict(read_test_looks(folder.test_looks)),
            "report": None if page is None else str(page),
        }
        typer.echo(to_json(document), nl=False)
        return
    study = best["study"]
    failed = f", {study['n_failed']} failed" if study["n_failed"] else ""
    typer.echo(f"best of {study['n_trials']} trials{failed}: trial {best['trial']} ({result.outcome.stopped})")
    typer.echo(objective_line(best))
    typer.echo(f"\n{parameter_table(best)}\n\n{metric_table(best)}\n")
    for line in [*test_lines(best, read_test_looks(folder.test_looks)), *verdict_lines(result.findings)]:
        typer.echo(line)
    typer.echo(f"replayed minute by minute: the tuned value is met\nresult: {folder.best}")
    if page is not None:
        typer.echo(f"report: {page}")
