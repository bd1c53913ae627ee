"""`momentum-opt trials RUN`: list the trials of a run, show one, or export it as a best.json."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from momentum_opt.cli.completing import complete_runs
from momentum_opt.cli.config import AsJson, Data
from momentum_opt.cli.examples import examples
from momentum_opt.errors import UsageError
from momentum_opt.passwords import command_line
from momentum_opt.units import counted

if TYPE_CHECKING:
    from momentum_opt.results.trial_list import TrialList

SHOWN_ROWS = 20
"""Rows of a table on a terminal, unless a limit is named."""


class _RunFirst(TyperGroup):
    """Takes `RUN`, `RUN show N` and `RUN export N` for `list RUN`, `show RUN N` and `export RUN N`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            action = args[1] if len(args) > 1 and args[1] in self.commands else None
            args = ["list", *args] if action is None else [action, args[0], *args[2:]]
        return super().parse_args(ctx, args)


trials_app = typer.Typer(
    cls=_RunFirst,
    help="List the trials of a run, show one, or export it: trials RUN · trials RUN show N · "
    "trials RUN export N --out FILE.",
    epilog=examples(
        "trials", "RUN is a run folder. Columns are those of its trials.parquet; trials RUN --columns all shows them."
    ),
    subcommand_metavar="RUN [show N | export N | OPTIONS]",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

Run = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="Run folder of a tune.", show_default=False, autocompletion=complete_runs),
]
Number = Annotated[int, typer.Argument(metavar="N", help="Number of the trial.", show_default=False)]


@trials_app.command("list", epilog=examples("trials list"))
def list_trials(
    run: Run,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="CONDITION",
            help='Only trials that meet it, such as "objective > 0.5"; may be repeated, all must hold.',
            show_default=False,
        ),
    ] = None,
    state: Annotated[
        str | None, typer.Option("--state", metavar="STATE", help="COMPLETE or FAIL.", show_default=False)
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort",
            metavar="COLUMN",
            help="Largest first, words and numbers of trials smallest first; the objective unless named.",
            show_default=False,
        ),
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Reverse the sort order.")] = False,
    columns: Annotated[
        str | None,
        typer.Option("--columns", metavar="A,B,…", help="Columns to show, or all.", show_default=False),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", metavar="N", min=0, help="Rows at most; 20 in a table, all in JSON and CSV.", show_default=False
        ),
    ] = None,
    pareto: Annotated[
        bool, typer.Option("--pareto", help="Only the Pareto front of several objectives, with its picks.")
    ] = False,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """List the trials, the best first."""
    from momentum_opt.results import trial_list as lists
    from momentum_opt.results.files import to_json

    if as_json and as_csv:
        raise UsageError("--json and --csv: one output only; leave one of them out")
    every = lists.read_trials(run)
    chosen = lists.pareto_list(every) if pareto else every
    if not pareto or where or state or sort:
        chosen = lists.choose_rows(chosen, where=where or (), state=state, sort=sort, reverse=reverse)
    for line in lists.partly_known(every, [*lists.condition_columns(where or ()), *([sort] if sort else [])]):
        typer.echo(f"note: {line}", err=True)
    total = len(chosen.rows)
    as_table = not (as_json or as_csv)
    shown = lists.first_rows(chosen, SHOWN_ROWS if limit is None and as_table else limit)
    shown = lists.choose_columns(shown, columns)
    if as_json:
        rows = lists.as_rows(shown.rows)
        typer.echo(to_json({"run_dir": str(run), "n_trials": total, "trials": rows}), nl=False)
    elif as_csv:
        typer.echo(lists.as_csv(shown.rows), nl=False)
    else:
        _print_table(shown, total)


@trials_app.command(epilog=examples("trials show"))
def show(run: Run, number: Number, as_json: AsJson = False) -> None:
    """Show everything that is recorded of one trial."""
    from momentum_opt.cli.render import row_table
    from momentum_opt.results.files import to_json
    from momentum_opt.results.trial_list import find_trial, read_trials

    trials = read_trials(run)
    row = find_trial(trials, number)
    typer.echo(to_json(row) if as_json else row_table(row, trials.fingerprint), nl=not as_json)


@trials_app.command(epilog=examples("trials export"))
def export(
    run: Run,
    number: Number,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File to write; must not be there.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Write one trial as a best.json: replayed, checked against its tuned value, its look at the test noted."""
    from momentum_opt.results.trial_list import find_trial, read_trials

    trials = read_trials(run)
    find_trial(trials, number)  # before JAX is imported
    from momentum_opt.api.trial_exporting import export_trial
    from momentum_opt.cli.render import (
        REPLAYED,
        limit_lines,
        metric_table,
        objective_line,
        parameter_table,
        said_of_prices,
        test_lines,
    )
    from momentum_opt.results.files import to_json
    from momentum_opt.results.holdout import count_looks
    from momentum_opt.results.look_lines import holdout_in

    document = export_trial(trials, number, out, command=command_line(), data=data)
    for line in said_of_prices(document["data"]):
        typer.echo(line, err=True)
    if as_json:
        typer.echo(to_json(document), nl=False)
        return
    typer.echo(f"trial {number} of {run}")
    for line in [objective_line(document), *limit_lines(document)]:
        typer.echo(line)
    typer.echo(f"\n{parameter_table(document)}\n\n{metric_table(document)}\n")
    for line in test_lines(document, count_looks(trials.folder.path, holdout_in(document))):
        typer.echo(line)
    typer.echo(f"{REPLAYED}\nwritten: {out}")


def pareto_text(front: "TrialList", run: Path) -> str:
    """The picks of a front as a table, and where the rest of it is to be seen."""
    from momentum_opt.cli.render import rows_table
    from momentum_opt.results.trial_list import as_rows

    rows = as_rows(front.rows)
    picked = [row for row in rows if row["pick"]]
    table = rows_table(picked, [str(name) for name in front.rows.columns], front.fingerprint)
    size = f"Pareto front of {counted(len(rows), 'trial')}; best.json holds the balanced one"
    return f"{size}\n\n{table}\n\nall of it: momentum-opt trials {run} --pareto"


def _print_table(shown: "TrialList", total: int) -> None:
    from momentum_opt.cli.render import rows_table
    from momentum_opt.results.trial_list import as_rows

    typer.echo(rows_table(as_rows(shown.rows), [str(name) for name in shown.rows.columns], shown.fingerprint))
    count = len(shown.rows)
    rest = "" if count == total else f", the first {count} are shown; --limit N shows more"
    typer.echo(f"{counted(total, 'trial')}{rest}", err=True)
