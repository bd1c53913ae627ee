import json
import math
import re
from pathlib import Path

import pandas as pd
import pytest

from momentum_opt.cli.app import main
from momentum_opt.results.run_folder import RunFolder
from tests.sample_runs import SMOKE, TOKENS, smoke, tuned

AROUND = ("--set", "search.parameters={log_k: {around: {half_width: 0.5}}}")


@pytest.fixture(scope="module")
def best(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tuned(tmp_path_factory.getbasetemp())[1] / "best.json"


def code(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["tune", str(SMOKE), "--no-report", *map(str, arguments)])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def trials(run: Path) -> pd.DataFrame:
    return pd.read_parquet(run / "trials.parquet")


def test_known_parameters_come_first(best: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    readable = tmp_path / "readable.json"
    readable.write_text(
        json.dumps({"params": {"k_per_day": 8, "memory_days": dict(zip(TOKENS, (1, 5, 300), strict=True))}})
    )
    run, plain = tmp_path / "run", best.parent
    assert code("--run-dir", run, "--trials", "8", "--from", best, "--from", readable) == 0
    rows, document = trials(run), json.loads(best.read_text())
    assert rows["source"].tolist() == ["warm_start"] * 2 + ["sampler"] * 6
    for token in TOKENS:
        assert rows[f"log_k_{token}"][0] == document["params"]["log_k"][token]
        assert rows[f"k_per_day_{token}"][1] == pytest.approx(8, rel=1e-12)
    assert rows["objective"][0] == pytest.approx(document["objective"]["value"], rel=1e-9)
    assert rows["memory_days_SYNB"][1] == pytest.approx(5, rel=1e-9)
    assert rows["memory_days_SYNUSD"][1] == pytest.approx(30, rel=1e-9)  # the cap
    assert "note: known parameters 2: logit_lamb_SYNUSD moved from" in capsys.readouterr().err
    initial = [f"{name}_{token}" for name in ("log_k", "logit_lamb") for token in TOKENS]
    assert rows[initial].iloc[2].tolist() == trials(plain)[initial].iloc[0].tolist()


def test_ranges_around_known_parameters(best: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run = tmp_path / "run"
    assert code("--run-dir", run, *AROUND) == 2
    error = capsys.readouterr().err
    assert error == (
        "error: search.parameters.log_k.around: no known parameters to search around; give some with --from, or low "
        "and high\n"
    )
    assert not run.exists()
    assert code("--run-dir", run, *AROUND, "--from", best) == 0
    centre = json.loads(best.read_text())["params"]["log_k"]
    rows = trials(run)
    for token in TOKENS:
        column = rows[f"log_k_{token}"]
        assert column.between(max(centre[token] - 0.5, -6.6), min(centre[token] + 0.5, 12)).all()
        assert column.max() - column.min() > 0.3
    with pytest.raises(SystemExit) as ended:  # what was found can be replayed like any other
        main(["backtest", "--params", str(run / "best.json")])
    assert ended.value.code == 0


@pytest.mark.slow
def test_a_resume_goes_on_with_the_recorded_start(best: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run, whole = tmp_path / "run", tmp_path / "whole"
    assert code("--run-dir", whole, "--trials", "24", *AROUND, "--from", best) == 0
    assert code("--run-dir", run, "--trials", "8", *AROUND, "--from", best) == 0
    assert code("--run-dir", run, "--trials", "24", *AROUND) == 0
    pd.testing.assert_frame_equal(trials(run), trials(whole), check_exact=True)
    other = tmp_path / "other.json"
    document = json.loads(best.read_text())
    document["params"]["log_k"]["SYNB"] += 1
    other.write_text(json.dumps({"params": document["params"]}))
    capsys.readouterr()
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert code("--run-dir", run, "--trials", "32", *AROUND, "--from", other) == 2
    error = capsys.readouterr().err
    assert re.search(
        r"holds a run of another configuration or other prices: --from 1\.log_k\.SYNB \S+ → \S+; undo", error
    )
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert code("--run-dir", run, "--trials", "32", *AROUND, "--from", best, "--from", other) == 2
    assert "--from 1 known parameter sets → 2" in capsys.readouterr().err


@pytest.mark.slow
def test_the_default_folder_tells_starts_apart(
    best: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    assert code("--trials", "8", "--from", best) == 0
    (run,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    assert re.fullmatch(rf"smoke-{smoke().digest[:8]}-from-[0-9a-f]{{8}}", run.name)
    assert RunFolder(run).best.exists()
    del capsys


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"log_k": {"BTC": 1, "ETH": 2}, "logit_lamb": 1}, "names the tokens BTC, ETH, but the pool holds SYNA, SYNB"),
        ({"log_kk": 1, "logit_lamb": 1}, "unknown parameter log_kk"),
        ({"log_k": 1}, "`params` is missing logit_lamb"),
        ({"k_per_day": -1, "memory_days": 3}, "must not be negative"),
    ],
)
def test_files_that_do_not_fit(
    params: dict[str, object], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "known.json"
    file.write_text(json.dumps({"params": params}))
    assert code("--run-dir", tmp_path / "run", "--from", file) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {file}: ")
    assert said in error
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_no_reaction_and_another_chunk_period(best: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    still = tmp_path / "still.json"
    still.write_text(json.dumps({"params": {"k_per_day": 0, "memory_days": 3}}))
    hourly = ("--set", "pool.chunk_period=720", "--trials", "8")
    assert code("--run-dir", tmp_path / "run", "--from", still, "--from", best, *hourly) == 0
    rows, document = trials(tmp_path / "run"), json.loads(best.read_text())
    assert rows["log_k_SYNA"][0] == -6.6
    assert "moved from -1022 to -6.6" in capsys.readouterr().err
    for token in TOKENS:  # λ is per chunk, so it is the memory that is kept
        memory = document["readable"]["memory_days"][token]
        assert rows[f"memory_days_{token}"][1] == pytest.approx(memory, rel=1e-6) or math.isclose(memory, 30)
