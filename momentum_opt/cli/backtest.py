"""`momentum-opt backtest`: replay a parameter set on its prices, minute by minute."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from momentum_opt.cli.config import AsJson, Data, Params, Settings, day, one_result, tell_notes
from momentum_opt.cli.stopping import in_phase
from momentum_opt.passwords import command_line

if TYPE_CHECKING:
    from momentum_opt.api.backtesting import BacktestResult


def backtest(
    params: Params,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="CONFIG", help="Configuration for the params.", show_default=False),
    ] = None,
    data: Data = None,
    settings: Settings = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Write summary.json, tables and report.html here.", show_default=False
        ),
    ] = None,
    minute: Annotated[bool, typer.Option("--minute", help="With --out, write minute.parquet as well.")] = False,
    allow_changed_data: Annotated[
        bool, typer.Option("--allow-changed-data", help="Accept prices that differ from the recorded ones.")
    ] = False,
    start: Annotated[
        str | None,
        typer.Option(
            "--start", metavar="DATE", help="First day of a window of its own, one period.", show_default=False
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(
            "--end",
            metavar="DATE",
            help="Day after the last; with --start the newest prices end it.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replay parameters: all metrics of train, validation and test, with the baselines beside them."""
    file = one_result(params)
    from momentum_opt.api import backtesting
    from momentum_opt.api.reporting import report_of_backtest
    from momentum_opt.errors import UsageError

    if minute and out is None:
        raise UsageError("--minute: no place to write minute.parquet to; give --out DIR as well")
    if out is not None:
        backtesting.check_out(out, minute=minute)
    notes: list[str] = []
    in_phase("the pool was replayed", "nothing was written; run the command again")
    result = backtesting.backtest(
        file,
        config=config,
        overrides=settings or (),
        data=data,
        allow_changed_data=allow_changed_data,
        start=day(start, "--start"),
        end=day(end, "--end"),
        on_note=notes.append,
    )
    if out is not None:
        in_phase("the results were written", f"files in {out} are whole; remove them, and run the command again")
    written = [] if out is None else backtesting.write_backtest(result, out, minute=minute)
    backtesting.note_test_look(file, command_line(), result)
    if out is not None:
        written.append(report_of_backtest(result, out, file))
    tell_notes(notes)
    _print(result, written, file, as_json=as_json)


def _print(result: "BacktestResult", written: list[Path], params: Path, *, as_json: bool) -> None:
    from momentum_opt.cli.render import (
        data_lines,
        limit_lines,
        metric_table,
        objective_line,
        parameter_table,
        said_of_prices,
    )
    from momentum_opt.results.files import to_json
    from momentum_opt.results.holdout import looks_beside, looks_document, looks_words

    summary, looks = result.summary, looks_beside(params, result.holdout)
    for line in [*(f"note: {note}" for note in result.notes), *said_of_prices(summary["data"])]:
        typer.echo(line, err=True)
    if as_json:
        document = {**summary, "written": [str(path) for path in written], "test_looks": looks_document(looks)}
        typer.echo(to_json(document), nl=False)
        return
    for line in [objective_line(summary), *limit_lines(summary)]:
        typer.echo(line)
    typer.echo(f"\n{parameter_table(summary)}\n\n{metric_table(summary)}\n")
    shown = [looks_words(looks)] if result.holdouts else []
    for line in [*shown, *data_lines(summary)]:
        typer.echo(line)
    for path in written:
        typer.echo(f"written: {path}")
