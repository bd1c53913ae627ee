"""Verdict and evidence at the end of a real tune, on the sample and on prices that are noise."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from momentum_opt.evidence.moments import block_moments, combined, moments_of
from momentum_opt.results.evidence import read_evidence
from momentum_opt.study.block_sums import ROWS, column_names
from tests.cli.test_tune import Done, code
from tests.sample_runs import SMOKE, copy_of, tuned


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """The tuned run of this session. Not to be changed."""
    return tuned(tmp_path_factory.getbasetemp())


def test_the_evidence_is_of_the_winner(done: Done):
    process, folder = done
    found = read_evidence(folder / "evidence.json")
    best = json.loads((folder / "best.json").read_text())
    assert found.trial == best["trial"]
    assert found.candidates.trials == 16
    assert found.candidates.distinct == best["study"]["n_points"] > 16
    assert found.non_adaptive.source == "random"
    assert found.non_adaptive.drawn == 100
    assert [one.name for one in found.non_adaptive.distributions] == ["objective", "validation daily_log_sharpe"]
    assert json.loads(process.stdout)["evidence"]["verdict"]["words"] == found.verdict.words
    assert json.loads(process.stdout)["test_looks"] == {"count": 1, "parameter_sets": 1, "damaged": 0}
    overfitting = next(rule for rule in found.verdict.rules if rule.name == "overfitting")
    assert overfitting.met is None  # 33 daily returns of train
    assert "fewer than the 64" in overfitting.words
    assert [one.token for one in found.plateau.heat_maps] == ["SYNA", "SYNB", "SYNUSD"]


def test_the_sums_of_a_trial_are_its_daily_returns(done: Done):
    """The winner's row of blocks.parquet against its replay, day by day."""
    folder = done[1]
    rows, trials = (pd.read_parquet(folder / name) for name in ("blocks.parquet", "trials.parquet"))
    assert rows["number"].tolist() == trials["number"].tolist()
    assert not [name for name in trials if name.startswith("block_")]
    best = json.loads((folder / "best.json").read_text())
    row = rows[rows["number"] == best["trial"]]
    sums = row[column_names(16)].to_numpy().reshape(1, len(ROWS), 17)
    daily = pd.read_parquet(folder / "daily.parquet")[:34]  # train
    returns = np.diff(np.log(daily["value"]))
    excess = returns - np.diff(np.log(daily["constant_weight_value"]))
    for kind, series in ((False, returns), (True, excess)):
        found, wanted = combined(block_moments(sums, excess=kind)), moments_of(series)
        assert found.n[0] == len(series)
        np.testing.assert_allclose(found.sharpe, wanted.sharpe, rtol=1e-9)
        np.testing.assert_allclose(found.kurtosis, wanted.kurtosis, rtol=1e-9)
    findings = read_evidence(folder / "evidence.json")
    assert findings.absolute.sharpe == pytest.approx(moments_of(returns).sharpe, rel=1e-9)
    assert findings.excess.sharpe == pytest.approx(moments_of(excess).sharpe, rel=1e-9)


def test_it_is_kept_by_the_same_command_and_left_out_on_request(done: Done, tmp_path: Path, capsys):
    folder = copy_of(done[1], tmp_path)
    path = folder / "evidence.json"
    before = path.read_bytes()
    assert code("tune", SMOKE, "--run-dir", folder) == 0
    assert path.read_bytes() == before
    shown = capsys.readouterr().out
    assert "verdict: " in shown
    assert "test period evaluated once" in shown
    assert code("tune", SMOKE, "--run-dir", folder, "--set", "evidence.enabled=false") == 0
    assert "verdict: not judged; --evidence full judges it\n" in capsys.readouterr().out
    assert not path.exists()


@pytest.mark.slow
def test_on_noise_nothing_is_found(tmp_path: Path, capsys):
    """Prices that are independent random walks without a drift: there is no trend to follow."""
    rng = np.random.default_rng(3)
    minutes = 220 * 1440
    unix = (pd.Timestamp("2023-01-01", tz="UTC").value // 10**6) + 60_000 * np.arange(minutes)
    for token in ("AAA", "BBB"):
        close = 100.0 * np.exp(np.cumsum(6e-4 * rng.standard_normal(minutes)))
        pd.DataFrame({"unix": unix, "close": close}).to_parquet(tmp_path / f"{token}_USD.parquet", index=False)
    config = tmp_path / "noise.yaml"
    config.write_text(
        f"data: {{root: {tmp_path}}}\ntokens: [AAA, BBB]\nwindow: {{start: 2023-02-01, end: 2023-08-01}}\n"
        "pool: {max_memory_days: 31}\nsearch: {n_trials: 200}\n"
    )
    assert code("tune", config, "--run-dir", tmp_path / "run") == 0
    assert "verdict: no evidence of skill; selection among " in capsys.readouterr().out
    found = read_evidence(tmp_path / "run" / "evidence.json")
    assert found.verdict.outcome == "nothing found"
    assert found.excess.overfitting is not None


def test_quick_evidence_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / "run"
    told = ("tune", SMOKE, "--run-dir", folder, "--no-report", "--set", "search.n_trials=8")
    assert code(*told, "--evidence", "some") == 2
    assert "--evidence: unknown value (some); choose one of full, quick, none" in capsys.readouterr().err
    assert not folder.exists()
    assert code(*told, "--evidence", "quick") == 0
    assert "quick evidence: 100 random candidates, no heat maps; " in capsys.readouterr().out.replace("\n    ", " ")
    found = read_evidence(folder / "evidence.json")
    assert found.settings["quick"] is True
    assert found.plateau is not None
    assert found.plateau.heat_maps == ()
    full = code(*told, "--evidence", "full")
    assert full == 0
    again = read_evidence(folder / "evidence.json")
    assert again.settings["quick"] is False
    if again.trial == found.trial and found.excess.variance and again.excess.variance:
        assert found.excess.variance > again.excess.variance
    capsys.readouterr()
