"""`momentum-opt report`: make a run's page and figures anew."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, as tune wrote it.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Write the page here instead of RUN/report.html.", show_default=False
        ),
    ] = None,
) -> None:
    """Write one self-contained HTML page about a run, and its figures as PNG."""
    from momentum_opt.api import reporting

    typer.echo(reporting.report(run, out))
