"""Walk-forward on the sample: blind folds, killed and taken up again; on the real prices in time."""

import json
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from momentum_opt.api import walk_forward
from momentum_opt.study.ledger import Outcome
from momentum_opt.study.loop import Study
from tests.cli.test_report import code as with_page
from tests.cli.test_tune import code
from tests.results.report.pages import outline
from tests.sample_runs import SMOKE, changed_prices, command, ended_before, environment, run
from tests.shared_data import minute_prices, needs_shared
from tests.test_survival import kept

FOLDS = [
    "--set", "window.test_end=null", "--set", "window.end=2023-05-20", "--set", "walk_forward.train_days=30",
    "--set", "walk_forward.test_days=20", "--set", "window.validation_fraction=0", "--trials", "8",
]  # fmt: skip
"""Two folds of 30 + 20 days in the 80 days from 2023-03-01."""

LONGER = 120
"""Trials of a fold that take long enough to be killed in the middle."""


@pytest.mark.slow
def test_folds_are_blind_joined_and_taken_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "walk"
    assert with_page("walk-forward", SMOKE, *FOLDS, "--run-dir", folder) == 0
    shown = capsys.readouterr().out
    assert shown.endswith(f"\nreport: {folder / 'report.html'}\n")
    page = outline((folder / "report.html").read_text())
    assert "2 of 2 folds" in page.text
    assert {"figure-joined", "figure-folds"} <= set(page.ids)
    assert "efficiency" in shown
    assert "joined out of sample" in shown
    summary = json.loads((folder / "walk_forward.json").read_text())
    assert summary["stopped"] == "finished"
    assert [fold["fold"] for fold in summary["folds"]] == [1, 2]
    for fold in summary["folds"]:
        assert fold["last_price_of_tuning"] < f"{fold['test_start']}T00:00:00Z"
        best = json.loads((folder / f"fold-0{fold['fold']}" / "best.json").read_text())
        assert "test" not in best["metrics"]
        assert not (folder / f"fold-0{fold['fold']}" / "test_looks.jsonl").exists()
        assert fold["in_sample"]["daily_log_sharpe"] == pytest.approx(best["objective"]["value"], rel=1e-9)
    days = pd.read_parquet(folder / "walk_forward.parquet")
    assert len(days) == 40
    assert (days["time"].diff().dropna() == pd.Timedelta(days=1)).all()
    assert days["value"].iloc[-1] == pytest.approx(1e6 * np.exp(days["log_return"].sum()), rel=1e-12)
    assert summary["out_of_sample"]["pool"]["total_return"] == pytest.approx(days["value"].iloc[-1] / 1e6 - 1, rel=1e-9)
    returns = days[days["fold"] == 1]["log_return"].sum()
    assert np.exp(returns) - 1 == pytest.approx(summary["folds"][0]["out_of_sample"]["returns"], rel=1e-9)

    # The same command goes on; what is finished stays as it is, and no test is looked at again.
    before = {path: path.read_bytes() for path in folder.rglob("best.json")}
    looks = (folder / "test_looks.jsonl").read_bytes()
    (folder / "walk_forward.json").unlink()
    assert code("walk-forward", SMOKE, *FOLDS, "--run-dir", folder, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["report"] is None  # it was not asked for
    assert document["test_looks"]["count"] == 2
    assert {path: path.read_bytes() for path in folder.rglob("best.json")} == before
    assert (folder / "test_looks.jsonl").read_bytes() == looks
    again = json.loads((folder / "walk_forward.json").read_text())
    assert again["out_of_sample"] == summary["out_of_sample"]

    # Another price in the second fold's test changes no trial of either fold.
    other = tmp_path / "other"
    changed = changed_prices(tmp_path / "prices", day="2023-05-05")
    assert code("walk-forward", SMOKE, *FOLDS, "--run-dir", other, "--set", f"data.root={changed}") == 0
    for fold in ("fold-01", "fold-02"):
        one, two = (pd.read_parquet(base / fold / "trials.parquet") for base in (folder, other))
        pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert json.loads((other / "walk_forward.json").read_text())["out_of_sample"] != summary["out_of_sample"]

    assert code("walk-forward", SMOKE, *FOLDS, "--run-dir", folder, "--set", "walk_forward.step_days=10") == 2
    assert "holds a run of another configuration or other folds" in capsys.readouterr().err

    # Stopped in its second fold: what is done is shown and written, and has no page.
    shutil.rmtree(folder / "fold-02")
    (folder / "report.html").unlink()
    search = Study.run

    def stopped(study: Study, *arguments: Any, **options: Any) -> Outcome:
        signal.raise_signal(signal.SIGINT)
        return search(study, *arguments, **options)

    monkeypatch.setattr(Study, "run", stopped)
    assert with_page("walk-forward", SMOKE, *FOLDS, "--run-dir", folder) == 130
    shown = capsys.readouterr().out
    assert "1 of 2 folds are done; the same command goes on" in shown
    assert "report: " not in shown
    assert not (folder / "report.html").exists()

    # Stopped before its search: at once, and what is done is kept.
    written = {path: path.read_bytes() for path in (folder / "fold-01").iterdir() if path.suffix == ".json"}
    shutil.rmtree(folder / "fold-02")
    monkeypatch.setattr(walk_forward, "check_blind", lambda *_: signal.raise_signal(signal.SIGINT))
    assert code("walk-forward", SMOKE, *FOLDS, "--run-dir", folder) == 130
    assert f"what is finished is kept in {folder}; go on with: momentum-opt" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in written} == written


def found(folder: Path) -> dict[str, Any]:
    """What the walk-forward came to, apart from the time."""
    return {**json.loads((folder / "walk_forward.json").read_text()), "created": None}


@pytest.mark.slow
def test_killed_in_its_second_fold_it_ends_as_if_it_had_not_been(tmp_path: Path):
    """Three real processes; a relative run folder, so that all of them print the same."""
    asked = ("walk-forward", SMOKE, *FOLDS[:-2], "--trials", str(LONGER), "--run-dir", "walk")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    undisturbed = run(*asked, cwd=whole)
    assert undisturbed.returncode == 0, undisturbed.stderr

    first, second = (cut / "walk" / f"fold-0{number}" for number in (1, 2))
    with subprocess.Popen(command(*asked), cwd=cut, env=environment(), stderr=subprocess.DEVNULL) as process:
        while kept(second / "study.journal") < 8:
            assert process.poll() is None
            time.sleep(0.005)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert 8 <= kept(second / "study.journal") < LONGER
    assert not (second / "best.json").exists()
    assert not (cut / "walk" / "walk_forward.json").exists()
    journal = (first / "study.journal").read_bytes()
    written = {path: path.stat() for path in first.iterdir() if path.name != "study.journal"}  # opened to be read
    assert {"best.json", "trials.parquet", "out_of_sample.json"} <= {path.name for path in written}

    resumed = run(*asked, cwd=cut)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout == undisturbed.stdout
    assert found(cut / "walk") == found(whole / "walk")
    assert {fold["n_trials"] for fold in found(cut / "walk")["folds"]} == {LONGER}
    one, other = (pd.read_parquet(base / "walk" / "walk_forward.parquet") for base in (cut, whole))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    looks = (cut / "walk" / "test_looks.jsonl").read_text().splitlines()
    assert len(looks) == 2  # one per fold: the finished one was not looked at again
    assert (first / "study.journal").read_bytes() == journal
    for path, before in written.items():
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns), path


def test_stopped_before_the_first_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    ended_before(monkeypatch, walk_forward, "open_walk_forward")
    assert with_page("walk-forward", SMOKE, *FOLDS, "--run-dir", tmp_path / "walk") == 130
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "error: interrupted while the folds were laid out; no fold was tuned; run the command again\n"
    )


def test_no_folds_and_folds_that_do_not_fit_are_one_line(capsys):
    assert code("walk-forward", SMOKE) == 2
    assert capsys.readouterr().err.startswith("error: walk_forward: missing; give walk_forward.train_days")
    asked = ["--set", "walk_forward.train_days=300", "--set", "walk_forward.test_days=30"]
    assert code("walk-forward", SMOKE, *asked) == 2
    assert "does not fit in the window" in capsys.readouterr().err


@needs_shared
@pytest.mark.slow
def test_six_folds_of_real_prices_in_minutes(tmp_path: Path):
    """76 s on an idle machine; here other tests take turns on the same cores, which costs processor time too."""
    config = Path(__file__).resolve().parents[2] / "configs" / "btc_eth_usdc.yaml"
    settings = [
        f"data.root={minute_prices()}", "window.start=2022-01-01", "window.end=2024-06-01", "window.test_end=null",
        "walk_forward.train_days=360", "walk_forward.test_days=86",
    ]  # fmt: skip
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    arguments = [part for setting in settings for part in ("--set", setting)]
    done = subprocess.run(
        command("walk-forward", config, *arguments, "--trials", "500", "--json", "--report"),
        capture_output=True, text=True, env=environment(as_users_compile=True), cwd=tmp_path, check=False, timeout=1200,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["summary"]["folds"]) == 6
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert min(time.monotonic() - began, spent) < 400
