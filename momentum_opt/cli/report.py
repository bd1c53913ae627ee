"""`momentum-opt report`: make a run's page and figures anew."""

from pathlib import Path
from typing import Annotated

import typer

from momentum_opt.cli.completing import complete_runs
from momentum_opt.cli.config import Data
from momentum_opt.cli.stopping import in_phase
from momentum_opt.errors import MomentumOptError, UsageError

WithReport = Annotated[bool, typer.Option("--report/--no-report", help="Write report.html into the run folder.")]


def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run folder, as tune wrote it.", autocompletion=complete_runs)
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Write the page here instead of RUN/report.html.", show_default=False
        ),
    ] = None,
    pair: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--pair",
            metavar="A B",
            help="Also simulate and draw the objective over two parameters, such as k_BTC memory_ETH.",
            show_default=False,
        ),
    ] = None,
    data: Data = None,
) -> None:
    """Write one self-contained HTML page about a run, and its figures as SVG and PNG."""
    if data is not None and pair is None:
        raise UsageError("--data: prices are read for --pair alone; leave it out, or name a pair")
    in_phase("the page was drawn", "the run's results are as they were; run the command again")
    from momentum_opt.api import reporting

    typer.echo(reporting.report(run, out, pair=pair, data=data))


def current_or_warning(run: Path) -> Path | None:
    """The page of a run or walk-forward as it is now; None and a warning where it cannot be made, as results stand."""
    in_phase("the report was drawn", f"all results are kept in {run}; momentum-opt report {run} draws it")
    try:
        from momentum_opt.api.reporting import current_report
        from momentum_opt.cli.progress import Reporter

        with Reporter() as show:
            show.enter("report")
            return current_report(run)
    except (MomentumOptError, OSError) as error:
        typer.echo(f"warning: no report: {error}", err=True)
        return None
