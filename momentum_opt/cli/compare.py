"""`momentum-opt compare`: pools side by side, in one table and on one page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from momentum_opt.cli.completing import complete_runs
from momentum_opt.cli.config import AsJson, Data, tell_notes
from momentum_opt.cli.export import Config
from momentum_opt.cli.stopping import in_phase
from momentum_opt.passwords import command_line

if TYPE_CHECKING:
    from momentum_opt.results.comparison import Comparison, Row

MOST_COLUMNS = 8
"""Pools that stand side by side in a terminal; of more, only their list is printed."""


def compare(
    pools: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN", help="Run folders, best.json or params files.", show_default=False,
            autocompletion=complete_runs,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write a page with curves and tables here.", show_default=False),
    ] = None,
    with_test: Annotated[
        bool, typer.Option("--test", help="Show the test period; counted as an evaluation of it for every pool.")
    ] = False,
    config: Config = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Put pools side by side: settings, parameters, metrics, baselines, verdicts; and their curves on one page."""
    in_phase("pools were compared", "nothing was written; run the command again")
    from momentum_opt.api import comparing

    if out is not None:
        comparing.check_page(out)
    notes: list[str] = []
    comparison = comparing.compare(
        pools, config=config, data=data, with_test=with_test, command=command_line(), on_note=notes.append
    )
    tell_notes(list(dict.fromkeys(notes)))
    page = None if out is None else comparing.write_comparison(comparison, out)
    show_comparison(comparison, page, as_json=as_json)


def show_comparison(comparison: "Comparison", page: Path | None, *, as_json: bool) -> None:
    """Print a comparison, and where its page is."""
    from momentum_opt.results.files import to_json

    if as_json:
        document = {**comparison.as_document(), "page": None if page is None else str(page)}
        typer.echo(to_json(document), nl=False)
        return
    typer.echo(comparison_text(comparison))
    if page is not None:
        typer.echo(f"page: {page}")


def comparison_text(comparison: "Comparison") -> str:
    """The list of the pools, what is not compared, and where they are few all rows side by side."""
    from momentum_opt.cli.runs import runs_text
    from momentum_opt.cli.text_table import TextTable, filled
    from momentum_opt.results.report.wording import TOO_SHORT

    runs = [pool.run for pool in comparison.pools]
    parts = [runs_text(runs, [pool.name for pool in comparison.pools])]
    parts += [filled(f"note: {line}") for line in comparison.notes()]
    parts += [filled(line) for line in comparison.looks]
    if len(runs) > MOST_COLUMNS:
        return "\n".join([*parts, filled(f"{len(runs)} pools: --json and the page have all of their figures")])
    short = False
    for group in comparison.groups():
        table = TextTable((group.heading, *(pool.name for pool in comparison.pools)))
        for row in group.rows:
            cells = _cells(row)
            short = short or any(cell.endswith("*") for cell in cells)
            table.add_row(row.label, *cells)
        parts.append(f"\n{table.text()}")
    return "\n".join([*parts, *([filled(TOO_SHORT)] if short else [])])


def _cells(row: "Row") -> list[str]:
    from momentum_opt.cli.render import number
    from momentum_opt.results.report.wording import NOT_MEANINGFUL, too_short
    from momentum_opt.vocabulary.metrics import meaningless

    cells: list[str] = []
    for value, days in zip(row.values, row.days or (None,) * len(row.values), strict=True):
        if isinstance(value, str):
            cells.append(value)
        elif row.metric is None:
            cells.append("–" if value is None else f"{value:.4g}")
        elif meaningless(row.metric, value):
            cells.append(NOT_MEANINGFUL)
        else:
            cells.append(f"{number(value)}{too_short(row.metric, value, days)}")
    return cells
