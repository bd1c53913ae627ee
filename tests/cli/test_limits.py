"""What a tune and `trials` say where no trial keeps the limits."""

import json
from pathlib import Path

import pandas as pd
import pytest

from momentum_opt.cli.app import main
from tests.sample_runs import SMOKE

QUICK = ("--trials", "16", "--set", "evidence.enabled=false", "--no-report")


def said(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments)])
    captured = capsys.readouterr()
    assert ended.value.code == 0, captured.err
    return captured.out


def test_the_nearest_trial_is_named_where_none_keeps_the_limits(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A return of 900 % in a few weeks of the sample: the best return comes nearest."""
    run = tmp_path / "run"
    limit = ("--set", "objective.limits.returns.min=9")
    lines = said(capsys, "tune", SMOKE, "--run-dir", run, *limit, *QUICK).splitlines()
    rows = pd.read_parquet(run / "trials.parquet").set_index("number")
    assert not rows["feasible"].any()
    nearest = rows["train_returns"].idxmax()
    assert rows["violation"].idxmin() == nearest
    best = json.loads((run / "best.json").read_text())
    assert best["trial"] == nearest
    value = best["limits"]["returns"]["value"]
    at = lines.index(f"limits on train: not kept; returns {value:.4g} (at least 9: broken)")
    assert lines[at + 1] == f"no trial keeps all limits: trial {nearest} comes nearest to it; loosen objective.limits"
    shown = said(capsys, "trials", run, "--limit", "3").splitlines()
    assert shown[0].split()[:6] == ["number", "state", "source", "points", "objective", "feasible"]
    assert shown[2].split()[0] == str(nearest)
    assert all("False" in line for line in shown[2:])
    kept = json.loads(said(capsys, "trials", run, "--where", "feasible = true", "--json"))
    assert kept["trials"] == []
