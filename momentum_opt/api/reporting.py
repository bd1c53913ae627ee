"""Write the HTML page of a run folder or of a backtest, and its figures (SPEC §11, §13, §16)."""

from pathlib import Path
from typing import TYPE_CHECKING

from momentum_opt.errors import DataError, MomentumOptError
from momentum_opt.paths import AnyPath, path_or_none
from momentum_opt.results.files import read_record
from momentum_opt.results.records import read_best
from momentum_opt.results.report.content import digest_of, run_content, run_inputs
from momentum_opt.results.report.page import Page
from momentum_opt.results.report.run_page import run_page
from momentum_opt.results.report.walk_page import REMADE, WalkFiles, walk_page
from momentum_opt.results.report.write import is_current, write_page
from momentum_opt.results.run_folder import RunFolder

if TYPE_CHECKING:  # it imports JAX, which a report does without
    from momentum_opt.api.backtesting import BacktestResult

PAGE = "report.html"
FIGURES = "figures"


def report(run: AnyPath, out: AnyPath | None = None) -> Path:
    """Make a page anew: `report.html`, and `figures` as SVG and PNG, in the folder of a run or of a walk-forward.

    Args:
        run: its folder.
        out: write the page to this file, and nothing into the folder.

    Returns:
        The page.

    Raises:
        RunFolderError: `run` is no such folder or has no result yet.
        DataError: `out` exists already, or cannot be written.
    """
    run, out = Path(run), path_or_none(out)
    if out is not None and out.exists():
        raise DataError(f"{out}: exists already; give another --out")
    page = out or run / PAGE
    write_page(_page(run), page, None if out else run / FIGURES)
    return page


def _page(run: Path) -> Page:
    walk = WalkFiles(run)
    return walk_page(walk) if walk.summary.is_file() else run_page(run_content(RunFolder(run)))


def current_report(run: Path) -> Path:
    """The page of a run or walk-forward, made anew only where it tells of other files than those in the folder now.

    Figures are files only where `report` has drawn some, which then are drawn anew with the page.
    """
    walk, page = WalkFiles(run), run / PAGE
    folder = RunFolder(run)
    try:
        if walk.summary.is_file():
            inputs = walk.inputs(read_record(walk.summary, "walk_forward.json", REMADE))
        else:
            inputs = run_inputs(folder, read_best(folder.best))
    except (MomentumOptError, KeyError):  # told of where the page is made
        inputs = ""
    if not is_current(page, inputs):
        figures = run / FIGURES
        write_page(_page(run), page, figures if figures.is_dir() else None)
    return page


def report_of_backtest(result: "BacktestResult", out: Path, params_file: Path) -> Path:
    """The page of a backtest, beside its summary.

    Args:
        result: the backtest.
        out: its folder.
        params_file: what was replayed; evaluations of the test period are counted where it lies in a run folder.
    """
    from momentum_opt.results.holdout import looks_beside

    inputs = digest_of([out / "summary.json", out / "daily.parquet"])
    content = result.content(str(params_file), looks_beside(params_file, result.holdout), inputs)
    write_page(run_page(content), out / PAGE, out / FIGURES)
    return out / PAGE
