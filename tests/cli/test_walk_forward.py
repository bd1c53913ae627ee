"""Walk-forward on the sample: blind folds, killed and taken up again; on the real prices in time."""

import json
import resource
import subprocess
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.test_tune import code
from tests.sample_runs import SMOKE, changed_prices, command, environment
from tests.shared_data import minute_prices, needs_shared

FOLDS = [
    "--set", "window.test_end=null", "--set", "window.end=2023-05-20", "--set", "walk_forward.train_days=30",
    "--set", "walk_forward.test_days=20", "--set", "window.validation_fraction=0", "--trials", "8",
]  # fmt: skip
"""Two folds of 30 + 20 days in the 80 days from 2023-03-01."""


@pytest.mark.slow
def test_folds_are_blind_joined_and_taken_up_again(tmp_path: Path, capsys):
    folder = tmp_path / "walk"
    assert code("walk-forward", SMOKE, *FOLDS, "--run-dir", folder) == 0
    shown = capsys.readouterr().out
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


def test_no_folds_and_folds_that_do_not_fit_are_one_line(capsys):
    assert code("walk-forward", SMOKE) == 2
    assert capsys.readouterr().err.startswith("error: walk_forward: missing; give walk_forward.train_days")
    asked = ["--set", "walk_forward.train_days=300", "--set", "walk_forward.test_days=30"]
    assert code("walk-forward", SMOKE, *asked) == 2
    assert "does not fit in the window" in capsys.readouterr().err


@needs_shared
@pytest.mark.slow
def test_six_folds_of_real_prices_in_three_minutes(tmp_path: Path):
    """Processor time of both cores, so that other work on the machine does not count."""
    config = Path(__file__).resolve().parents[2] / "configs" / "btc_eth_usdc.yaml"
    settings = [
        f"data.root={minute_prices()}", "window.start=2022-01-01", "window.end=2024-06-01", "window.test_end=null",
        "walk_forward.train_days=360", "walk_forward.test_days=86",
    ]  # fmt: skip
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    arguments = [part for setting in settings for part in ("--set", setting)]
    done = subprocess.run(
        command("walk-forward", config, *arguments, "--trials", "500", "--json"),
        capture_output=True, text=True, env=environment(as_users_compile=True), cwd=tmp_path, check=False, timeout=1200,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["summary"]["folds"]) == 6
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert min(time.monotonic() - began, spent) < 180
