"""`momentum-opt runs`: the runs of a folder with their results, one line each."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from momentum_opt.cli.completing import complete_runs
from momentum_opt.cli.config import AsJson

if TYPE_CHECKING:
    from momentum_opt.results.run_list import ListedRun


def runs(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Folder that holds run folders.", autocompletion=complete_runs),
    ] = Path("runs"),
    sort: Annotated[
        str,
        typer.Option(
            "--sort",
            metavar="COLUMN",
            help="created, objective, validation or trials, the newest or largest first; or name.",
        ),
    ] = "created",
    as_json: AsJson = False,
) -> None:
    """List the runs of a folder: objective, validation, verdict, trials; damaged and unfinished ones as such."""
    from momentum_opt.results.files import to_json
    from momentum_opt.results.run_list import list_runs, sorted_runs

    found = sorted_runs(list_runs(folder), sort)
    if as_json:
        typer.echo(to_json({"folder": str(folder), "runs": [run.as_document() for run in found]}), nl=False)
    elif not found:
        typer.echo(f"{folder}: no run in it; momentum-opt tune CONFIG begins one")
    else:
        typer.echo(runs_text(found))
    for run in found:
        if run.fault is not None:
            typer.echo(f"note: {run.name} is damaged: {run.fault}", err=True)


def runs_text(found: "Sequence[ListedRun]", names: Sequence[str] | None = None) -> str:
    """One line per run below a caption that says what the numbers are; with several objectives, a column does.

    Args:
        found: the runs.
        names: what they are called; None: as their folders are.
    """
    from momentum_opt.cli.render import number
    from momentum_opt.cli.text_table import TextTable, filled

    aims = list(dict.fromkeys(_aim(run) for run in found if run.objective))
    one = len(aims) == 1
    titles = ["run", "verdict", "objective", "validation", "trials", "created", *([] if one else ["objective is"])]
    table = TextTable(titles, frozenset({0, 1, 6}))
    for run, name in zip(found, names or [run.name for run in found], strict=True):
        table.add_row(
            name,
            verdict_words(run),
            " / ".join(map(number, run.objective)) or "–",
            number(run.validation),
            "–" if run.trials is None else f"{run.trials:,}",
            "–" if run.created is None else run.created[:10],
            *([] if one else [_aim(run) if run.objective else "–"]),
        )
    caption = f"objective: {aims[0]}\n" if one else ""
    walks = any(run.kind == "walk-forward" for run in found)
    note = "of a walk-forward: objective in sample, validation out of sample, means over its folds"
    return f"{filled(caption.rstrip())}\n{table.text()}".lstrip("\n") + (f"\n{filled(note)}" if walks else "")


def verdict_words(run: "ListedRun") -> str:
    """The outcome and how many rules are met; of a run without a verdict, its state."""
    if run.outcome is not None and run.state == "finished":
        return f"{run.outcome}, {run.rules_met} of {run.n_rules}"
    return "not asked for" if run.state == "finished" else run.state


def _aim(run: "ListedRun") -> str:
    """`daily_log_sharpe (mean)`."""
    return f"{' / '.join(run.metrics)} ({run.aggregate})"
