"""Files of costs, outside trades and LP supply from the command line: tune, resume, backtest, and what is refused."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from momentum_opt.cli.app import main
from tests.sample_runs import LITTLE_EVIDENCE, SMOKE

START, END = (pd.Timestamp(day, tz="UTC").value // 10**6 for day in ("2023-03-01", "2023-04-26"))
HOUR, DAY = 3_600_000, 86_400_000
FEW_MINUTES = [
    "--set", "window.end=2023-03-13", "--set", "window.test_end=2023-03-17", "--set", "window.validation_fraction=0.25",
    "--set", "tokens=[SYNA, SYNUSD]",
    "--trials", "8", *LITTLE_EVIDENCE,
]  # fmt: skip
"""Every candidate goes through every minute here: sixteen days of two tokens, and few candidates beside the trials."""


def code(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def fee_file(path: Path, later: float = 0.001) -> Path:
    path.write_text(f"unix,fee\n{START - DAY},0.003\n{START + HOUR},{later}\n{END},0.5\n")
    return path


def trades_file(path: Path) -> Path:
    generator = np.random.default_rng(0)
    unix = np.sort(generator.integers(START - DAY, END, 400))
    pair = generator.permuted(np.tile(["SYNA", "SYNB", "SYNUSD"], (400, 1)), axis=1)
    amount = np.where(pair[:, 0] == "SYNUSD", 900.0, 0.05)
    amount[-1] = 1e9
    columns = {"unix": unix, "token_in": pair[:, 0], "token_out": pair[:, 1], "amount_in": amount}
    pd.DataFrame(columns).to_parquet(path)
    return path


def test_a_file_that_cannot_be_used_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = tmp_path / "short.csv"
    short.write_text(f"unix,fee\n{START},0.003\n")
    run = tmp_path / "run"
    assert code("tune", SMOKE, "--set", f"costs.fees={short}", "--run-dir", run) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"error: costs\.fees: \S+short\.csv: the window runs from .*\n", captured.err)
    assert code("tune", SMOKE, "--set", f"costs.trades={tmp_path / 'gone.csv'}", "--run-dir", run) == 2
    assert "no such file" in capsys.readouterr().err
    assert not run.exists()


@pytest.mark.slow
def test_tune_resume_and_backtest_with_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fees, run = fee_file(tmp_path / "fees.csv"), tmp_path / "run"
    settings = [*FEW_MINUTES, "--set", f"costs.fees={fees}", "--set", "objective.metric=max_drawdown"]
    settings += ["--run-dir", str(run)]
    assert code("tune", SMOKE, *settings, "--json") == 0
    best = json.loads(capsys.readouterr().out)["best"]
    (record,) = best["data"]["costs"]
    assert (record["name"], record["file"], record["rows"]) == ("fees", str(fees), 2)
    assert best["fingerprint"]["fees"] == str(fees)
    file = run / "best.json"

    assert code("backtest", "--params", file, "--json") == 0
    replayed = json.loads(capsys.readouterr().out)
    assert replayed["objective"]["value"] == pytest.approx(best["objective"]["value"], rel=1e-9)
    assert replayed["fees_earned"]["train"]["liquidity_providers"] > 0

    fee_file(fees, 0.002)
    assert code("tune", SMOKE, *settings, "--trials", "24") == 2
    assert re.search(r"other prices: costs\.fees [0-9a-f]{12} → [0-9a-f]{12}; undo the change", capsys.readouterr().err)
    assert code("backtest", "--params", file) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(
        r"error: \S+fees\.csv: costs\.fees is not what \S+ was made with; .*--allow-changed-data\n", said
    )
    assert code("backtest", "--params", file, "--allow-changed-data", "--json") == 0
    assert json.loads(capsys.readouterr().out)["objective"] != best["objective"]

    moved = fee_file(tmp_path / "moved.csv")
    fees.unlink()
    assert code("backtest", "--params", file) == 2
    assert re.fullmatch(r"error: costs\.fees: \S+fees\.csv: no such file; give .*\n", capsys.readouterr().err)
    assert code("backtest", "--params", file, "--set", f"costs.fees={moved}", "--json") == 0
    assert json.loads(capsys.readouterr().out)["objective"]["value"] == replayed["objective"]["value"]


@pytest.mark.slow
def test_backtest_with_trades_and_supply(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = tmp_path / "params.json"
    params.write_text(json.dumps({"params": {"k_per_day": 20, "memory_days": 10}}))
    supply = tmp_path / "supply.csv"
    supply.write_text(f"unix,supply\n{START - DAY},500\n{START + 10 * DAY + 90_000},1000\n{END},1\n")
    given: list[Any] = ["--params", params, "--config", SMOKE, "--set", f"costs.lp_supply={supply}"]
    given += ["--set", f"costs.trades={trades_file(tmp_path / 'trades.parquet')}", "--set", "costs.fees=0.002"]
    assert code("backtest", *given, "--out", tmp_path / "out", "--minute") == 0
    said = capsys.readouterr().out
    assert re.search(r"^outside trades in test: \d+ done, 1 larger than the pool takes$", said, re.M)
    assert re.search(r"^note: costs\.trades: \d+ of 400 trades lie outside the window and are left out$", said, re.M)
    minute = pd.read_parquet(tmp_path / "out" / "minute.parquet")
    bar = 10 * 1440 + 1
    assert minute["lp_supply"].to_numpy()[[0, bar - 1, bar, -1]].tolist() == [1.0, 1.0, 2.0, 2.0]
    np.testing.assert_allclose(minute["first_lp_value"] * minute["lp_supply"], minute["value"], rtol=1e-12)
    assert minute["value"][bar] / minute["value"][bar - 1] == pytest.approx(2.0, rel=0.01)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    days = 34  # of train
    ratio = minute["first_lp_value"][days * 1440 - 1] / minute["first_lp_value"][0]
    assert summary["metrics"]["train"]["returns"] == pytest.approx(ratio - 1.0, rel=1e-9)
