"""`momentum-opt rehearse`: the contract model beside the simulation."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from momentum_opt.cli.completing import complete_runs
from momentum_opt.cli.config import AsJson, Data, Settings, check_json, day, one_result, tell_notes
from momentum_opt.cli.export import Config
from momentum_opt.cli.stopping import in_phase
from momentum_opt.errors import UsageError
from momentum_opt.onchain.defaults import WEIGHT_TOLERANCE

if TYPE_CHECKING:
    from momentum_opt.api.rehearsing import RehearsalResult

FAILED = 1

_SECONDS = {"s": 1, "m": 60, "h": 3600}


def rehearse(
    params: Annotated[
        list[Path] | None,
        typer.Option(
            "--params",
            metavar="FILE",
            help="A best.json, the folder of its run, or a file with params alone.",
            show_default=False,
            autocompletion=complete_runs,
        ),
    ] = None,
    deployment: Annotated[
        Path | None,
        typer.Option("--deployment", metavar="FILE", help="A deployment.json in its place.", show_default=False),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", metavar="DATE", help="First day; that of the recorded window.")
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--end", metavar="DATE", help="Day after the last; with --start the newest prices end it."),
    ] = None,
    delay: Annotated[
        str, typer.Option("--delay", metavar="TIME", help="Delay of every update, e.g. 300s, 5m, 1h.")
    ] = "0s",
    miss: Annotated[float, typer.Option("--miss", metavar="SHARE", help="Share of updates that do not come.")] = 0.0,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of the missed updates.")] = 0,
    tolerance: Annotated[
        float, typer.Option("--tolerance", metavar="WEIGHT", help="Largest difference of a weight that is accepted.")
    ] = WEIGHT_TOLERANCE,
    config: Config = None,
    settings: Settings = None,
    data: Data = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write rehearsal.json, daily.parquet, rehearsal.png."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the contract's arithmetic beside the simulation; exit code 1 where a weight is off by more than accepted."""
    file = one_result(params) if params else None
    check_json(deployment, "a deployment.json")
    from momentum_opt.api import rehearsing
    from momentum_opt.onchain.keeper import Keeper

    if out is not None:
        rehearsing.check_out(out)
    notes: list[str] = []
    in_phase("the contract was rehearsed", "nothing was written; run the command again")
    result = rehearsing.rehearse(
        file,
        deployment_file=deployment,
        config=config,
        overrides=settings or (),
        data=data,
        start=day(start, "--start"),
        end=day(end, "--end"),
        keeper=Keeper(_seconds(delay), miss, seed),
        tolerance=tolerance,
        on_note=notes.append,
    )
    if out is not None:
        in_phase("the rehearsal was written", f"files in {out} are whole; remove them, and run the command again")
    written = [] if out is None else rehearsing.write_rehearsal(result, out)
    tell_notes(notes)
    _print(result, written, as_json=as_json)
    if not result.holds:
        raise typer.Exit(FAILED)


def _print(result: "RehearsalResult", written: list[Path], *, as_json: bool) -> None:
    from momentum_opt.api.rehearsing import daily_rows
    from momentum_opt.cli.render_onchain import rehearsal_lines
    from momentum_opt.results.files import to_json

    for line in result.notes:
        typer.echo(f"note: {line}", err=True)
    rows = daily_rows(result)
    if as_json:
        document = {**result.document, "daily": rows, "written": [str(path) for path in written]}
        typer.echo(to_json(document), nl=False)
        return
    for line in rehearsal_lines(result.document, rows):
        typer.echo(line)
    for path in written:
        typer.echo(f"written: {path}")


def _seconds(text: str) -> int:
    """A duration: whole seconds, or a whole number with s, m or h."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _SECONDS else (text, "s")
    if not number.isdecimal():
        raise UsageError(f"--delay: {text!r} is no duration; write for example 300s, 5m or 1h")
    return int(number) * _SECONDS[unit]
