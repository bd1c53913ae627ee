"""Write the HTML page of a run folder or of a backtest, and its figures (SPEC §11, §13, §16)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from momentum_opt.errors import DataError, MomentumOptError, UsageError
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


def report(
    run: AnyPath,
    out: AnyPath | None = None,
    *,
    pair: Sequence[str] | None = None,
    data: AnyPath | None = None,
) -> Path:
    """Make a page anew: `report.html`, and `figures` as SVG and PNG, in the folder of a run or of a walk-forward.

    Args:
        run: its folder.
        out: write the page to this file, and nothing into the folder.
        pair: two numbers of the search, such as `k_BTC` and `memory_ETH`: the page also shows the objective over them,
            and along each number, which are simulated for that.
        data: folder of the prices that `pair` is simulated on; None looks where the run found them.

    Returns:
        The page.

    Raises:
        RunFolderError: `run` is no such folder or has no result yet.
        DataError: `out` exists already, or cannot be written; prices are not there, or not those of the run.
        UsageError: `pair` names what was not searched, or is asked of a walk-forward.
    """
    run, out = Path(run), path_or_none(out)
    if out is not None and out.exists():
        raise DataError(f"{out}: exists already; give another --out")
    page = out or run / PAGE
    write_page(_page(run, pair, data), page, None if out else run / FIGURES)
    return page


def _page(run: Path, pair: Sequence[str] | None = None, data: AnyPath | None = None) -> Page:
    walk, folder = WalkFiles(run), RunFolder(run)
    if walk.summary.is_file():
        if pair is not None:
            raise UsageError(
                f"--pair: {run} is a walk-forward; give the run folder of a fold, such as {run / 'fold-01'}"
            )
        return walk_page(walk)
    content = run_content(folder)
    if pair is None:
        return run_page(content)
    from momentum_opt.api.pairing import pair_of  # imports JAX, which a report does without

    return run_page(content, pair_of(content, folder.best, pair, data))


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
