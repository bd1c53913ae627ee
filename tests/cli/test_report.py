import json
import subprocess
import sys
from pathlib import Path

import pytest

from momentum_opt.api import reporting
from momentum_opt.api.reporting import current_report
from momentum_opt.cli.app import main
from momentum_opt.results.report.page import Page
from tests.results.report.pages import outline
from tests.sample_runs import ROOT, copy_of, environment, tuned


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session's run. Not to be changed."""
    return tuned(tmp_path_factory.getbasetemp())[1]


def code(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_a_page_and_its_figures(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run = copy_of(folder, tmp_path)
    before = {path.name for path in run.iterdir()}
    assert code("report", run) == 0
    assert capsys.readouterr().out == f"{run / 'report.html'}\n"
    assert {path.name for path in run.iterdir()} - before == {"report.html", "figures"}
    drawn = {path.name for path in (run / "figures").iterdir()}
    assert {"equity.svg", "equity.png", "maps.svg", "maps.png"} <= drawn
    made = (run / "report.html").stat()
    assert current_report(run) == run / "report.html"
    assert (run / "report.html").stat().st_mtime_ns == made.st_mtime_ns  # nothing has changed: it is not made anew
    assert code("report", folder, "--out", run / "report.html") == 2
    assert "exists already; give another --out" in capsys.readouterr().err
    assert (run / "report.html").stat().st_mtime_ns == made.st_mtime_ns


def test_a_tune_writes_the_page_alone_but_leaves_no_figure_of_an_older_result(folder: Path, tmp_path: Path):
    run = copy_of(folder, tmp_path)
    current_report(run)
    assert (run / "report.html").exists()
    assert not (run / "figures").exists()
    (run / "figures").mkdir()
    (run / "figures" / "folds.svg").write_text("drawn by report")
    (run / "daily.parquet").unlink()
    (run / "trials.parquet").unlink()
    current_report(run)
    assert {path.stem for path in (run / "figures").iterdir()} >= {"plateau", "maps"}


def test_what_is_no_run_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert code("report", tmp_path / "nowhere") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "not a run folder" in error
    assert not (tmp_path / "nowhere").exists()


def test_a_place_that_cannot_be_written_is_one_clear_error(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reporting, "run_page", lambda *_: Page("", ()))
    assert code("report", folder, "--out", tmp_path / "no" / "page.html") == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_report_needs_no_jax():
    script = "import sys, momentum_opt.api.reporting; sys.exit(str({'jax', 'typer'} & set(sys.modules) or ''))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, env=environment(), check=False
    )
    assert done.stderr.strip() == ""


@pytest.mark.slow
def test_a_backtest_writes_its_own_page(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run = copy_of(folder, tmp_path)
    out = tmp_path / "out"
    assert code("backtest", "--params", run / "best.json", "--out", out) == 0
    assert f"written: {out / 'report.html'}" in capsys.readouterr().out
    page = outline((out / "report.html").read_text())
    over_time, tear = {"equity", "ratio", "drawdown", "parts", "weights"}, {"days", "flows"}
    assert {path.stem for path in (out / "figures").iterdir()} == over_time | tear
    assert {"results", "path", "parameters", "data", "record"} <= set(page.ids)
    assert not {"verdict", "search", "luck", "plateau"} & set(page.ids)
    summary = json.loads((out / "summary.json").read_text())
    assert f"{summary['metrics']['test']['daily_log_sharpe']:,.3f}" in page.text.replace("−", "-")
    assert "Test period evaluated 2 times." in page.text  # this one counts
    (out / "summary.json").unlink()
    (out / "daily.parquet").unlink()
    assert code("backtest", "--params", run / "best.json", "--out", out) == 2
    assert "report.html: exists already" in capsys.readouterr().err
