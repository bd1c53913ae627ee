import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from momentum_opt.cli.app import main
from momentum_opt.results.files import write_json
from tests.results.report.pages import outline
from tests.sample_runs import SAMPLE, SMOKE, TOKENS, changed_prices, copy_of, run, tuned

BARS = 56 * 1440
LIGHT = {"SYNA": 0.98, "SYNB": 0.01, "SYNUSD": 0.01}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the session's tuned run, for this module."""
    return copy_of(tuned(tmp_path_factory.getbasetemp())[1], tmp_path_factory.mktemp("run"))


@pytest.fixture
def best(folder: Path) -> Path:
    return folder / "best.json"


def strict(text: str) -> Any:
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def code(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["backtest", *map(str, arguments)])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def summary(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Any:
    capsys.readouterr()
    assert code(*arguments, "--json") == 0
    return strict(capsys.readouterr().out)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def params_file(tmp_path: Path, params: Any) -> Path:
    path = tmp_path / "params.json"
    path.write_text(json.dumps({"params": params}))
    return path


def test_in_a_process_from_best_json_alone(best: Path, tmp_path: Path):
    out = tmp_path / "out"
    looks = best.with_name("test_looks.jsonl")
    before = looks.read_text()
    process = run("backtest", "--params", best, "--out", out, "--minute", "--json", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    document, tuned_value = strict(process.stdout), strict(best.read_text())["objective"]["value"]
    assert document["objective"]["value"] == pytest.approx(tuned_value, rel=1e-9)
    written = ("summary.json", "daily.parquet", "minute.parquet", "tear_sheet", "report.html")
    assert document["written"] == [str(out / name) for name in written]
    told = {name: document[name] for name in ("written", "test_looks")}
    summary = strict((out / "summary.json").read_text())
    assert summary.pop("checksums")
    assert {**summary, **told} == document
    assert list(document["metrics"]) == list(document["baselines"]) == list(document["fees_earned"])
    assert document["fees_earned"]["train"] == {"liquidity_providers": 0.0, "protocol": 0.0}
    assert [file["rows"] for file in document["data"]["files"]] == [(56 + 30) * 1440] * 3
    added = looks.read_text().removeprefix(before).splitlines()
    assert len(added) == 1
    assert strict(added[0])["command"].startswith("momentum-opt backtest --params ")

    daily, minute = (pd.read_parquet(out / f"{name}.parquet") for name in ("daily", "minute"))
    columns = [f"{what}_{token}" for token in TOKENS for what in ("price", "weight", "reserves")]
    values = ["value", "hodl_value", "uniform_hodl_value", "constant_weight_value", "rebalanced_value"]
    flows = ["turnover", "volume", "fees_earned"]
    assert list(daily) == list(minute) == ["time", *values, *flows, *columns]
    assert len(minute) == BARS
    assert len(daily) == 57
    kept = minute.iloc[[*range(0, BARS, 1440), BARS - 1]].reset_index(drop=True)
    pd.testing.assert_frame_equal(daily.drop(columns=flows), kept.drop(columns=flows))
    for name in flows:  # since the row before
        sums = [part.sum() for part in np.split(minute[name].to_numpy(), np.arange(1, BARS, 1440))]
        np.testing.assert_allclose(daily[name], sums, rtol=1e-9, atol=1e-9, err_msg=name)
    assert daily["turnover"].sum() > 0.0
    parts = document["decomposition"]["train"]
    assert parts["hodl"] + parts["weights"] - parts["lvr"] == pytest.approx(parts["total"], abs=1e-12)
    assert daily["time"].iloc[0] == pd.Timestamp("2023-03-01", tz="UTC")
    assert daily["time"].iloc[-1] == pd.Timestamp("2023-04-25 23:59", tz="UTC")
    assert daily["value"].iloc[-1] == document["final_value"]
    np.testing.assert_allclose(daily[values].iloc[0], 1e6, rtol=1e-12)
    np.testing.assert_allclose(minute[[f"weight_{token}" for token in TOKENS]].sum(axis=1), 1, rtol=1e-12)
    worth = sum(minute[f"reserves_{token}"] * minute[f"price_{token}"] for token in TOKENS)
    np.testing.assert_allclose(worth, minute["value"], rtol=1e-12)
    for token in TOKENS:
        closes = pd.read_parquet(SAMPLE / f"{token}_USD.parquet").reset_index().set_index("unix")["close"]
        at = minute["time"].to_numpy("datetime64[ms]").astype("int64")
        np.testing.assert_array_equal(minute[f"price_{token}"], closes.loc[at])
    hodl = sum(daily[f"reserves_{token}"].iloc[0] * daily[f"price_{token}"] for token in TOKENS)
    np.testing.assert_allclose(hodl, daily["hodl_value"], rtol=1e-12)
    train = daily["value"].iloc[:34].to_numpy()
    steps = np.diff(np.log(train + 1e-12))
    expected = np.sqrt(365) * steps.mean() / (steps.std() + 1e-8)
    assert document["metrics"]["train"]["daily_log_sharpe"] == pytest.approx(expected, rel=1e-9)


def test_the_tables_on_the_terminal(best: Path, capsys: pytest.CaptureFixture[str]):
    assert code("--params", best) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert re.search(r"^objective: daily_log_sharpe \(mean\) = -0\.3420$", captured.out, re.M)
    assert re.search(r"^ +train +validation +test$", captured.out, re.M)
    assert re.search(
        r"^prices SYNA: 123,840 bars, 2023-01-30T00:00:00Z to 2023-04-25T23:59:00Z, 0 minutes", captured.out, re.M
    )
    assert "burn-in: 30 days of history before the start" in captured.out
    assert all(len(line) <= 100 for line in captured.out.splitlines())


@pytest.mark.slow
def test_params_with_a_configuration(best: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    document = strict(best.read_text())
    expected = document["objective"]["value"]
    readable = {name: document["readable"][name] for name in ("k_per_day", "memory_days")}
    for params in (document["params"], readable):
        value = summary(capsys, "--params", params_file(tmp_path, params), "--config", SMOKE)["objective"]["value"]
        assert value == pytest.approx(expected, rel=1e-9)
    scalars = params_file(tmp_path, {"k_per_day": 20, "memory_days": 10.0})
    result = summary(capsys, "--params", scalars, "--config", SMOKE)
    first = pd.read_parquet(best.with_name("trials.parquet"))["objective"][0]
    assert result["objective"]["value"] == pytest.approx(first, rel=1e-9)
    assert result["readable"]["k_per_day"] == dict.fromkeys(TOKENS, 20.0)


def test_k_of_zero_holds_the_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    zero = params_file(tmp_path, {"k_per_day": 0, "memory_days": 10})
    result = summary(capsys, "--params", zero, "--config", SMOKE)
    constant = result["baselines"]["train"]["constant_weight"]
    assert result["metrics"]["train"]["returns"] == pytest.approx(constant["returns"], rel=1e-9)


@pytest.mark.slow
def test_overrides(best: Path, capsys: pytest.CaptureFixture[str]):
    plain = summary(capsys, "--params", best)
    richer = summary(capsys, "--params", best, "--set", "pool.initial_pool_value=2000000")
    assert richer["final_value"] == pytest.approx(2 * plain["final_value"], rel=1e-12)
    shorter = summary(capsys, "--params", best, "--set", "window.test_end=2023-04-20")
    assert shorter["metrics"]["train"] == plain["metrics"]["train"]
    assert shorter["metrics"]["test"] != plain["metrics"]["test"]


def test_changed_prices(best: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    other = changed_prices(tmp_path / "prices")
    for data in (("--data", other), ("--set", f"data.root={other}")):
        assert code("--params", best, *data, "--out", tmp_path / "out") == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert re.fullmatch(r"error: \S+: prices of SYNA are not those .* --allow-changed-data\n", captured.err)
        assert not (tmp_path / "out").exists()
    accepted = summary(capsys, "--params", best, "--data", other, "--allow-changed-data")
    assert accepted["objective"]["value"] != strict(best.read_text())["objective"]["value"]
    assert accepted["data"]["root"] == str(other.resolve())


def test_the_same_prices_in_another_folder(best: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A change outside the window is none."""
    other = changed_prices(tmp_path / "prices", day="2023-06-01")
    value = summary(capsys, "--params", best, "--data", other)["objective"]["value"]
    assert value == pytest.approx(strict(best.read_text())["objective"]["value"], rel=1e-9)


def test_a_result_that_does_not_repeat(best: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    document = strict(best.read_text())
    document["objective"]["value"] *= 1 + 1e-8
    altered = tmp_path / "best.json"
    write_json(altered, document)  # with checksums of its own: no edit
    assert code("--params", altered) == 1
    assert re.fullmatch(r"error: \S+best\.json: tuned value \S+, replayed \S+; .*\n", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"k_per_day": 20, "memory": 10}, "unknown parameter memory; use k_per_day"),
        ({"k_per_day": {"BTC": 1}, "memory_days": 10}, "names the tokens BTC, but the pool holds SYNA, SYNB, SYNUSD"),
        ({"k_per_day": -1, "memory_days": 10}, "must not be negative"),
        ({"absolute_k": -1, "memory_days": 10}, "must not be negative"),
        ({"k_per_day": 20, "memory_days": 0}, "above 0"),
        ({"k_per_day": 20}, "is missing logit_lamb"),
        ({"memory_days": 10}, "is missing exactly one of log_k, k, absolute_k"),
        ({"log_k": 1, "k_per_day": 1, "memory_days": 10}, "is missing exactly one of"),
        ({"k_per_day": "many", "memory_days": 10}, "'many' is no number"),
        ({"k_per_day": float("nan"), "memory_days": 10}, "must be finite"),
        ({"k_per_day": 1, "memory_days": 10, "initial_weights": LIGHT}, "below min"),
        ({"k_per_day": 1, "memory_days": 10, "initial_weights": 0.5}, "sum to 1.5, not to 1"),
        ({}, 'has no "params"'),
        (None, 'has no "params"'),
    ],
)  # fmt: skip
def test_wrong_params(tmp_path: Path, params: Any, said: str, capsys: pytest.CaptureFixture[str]):
    file = params_file(tmp_path, params)
    assert code("--params", file, "--config", SMOKE, "--out", tmp_path / "out") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert len(captured.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [file]


def test_wrong_files(best: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    bad = tmp_path / "bad.json"
    alone = params_file(tmp_path, {"k_per_day": 20, "memory_days": 10})
    cases = [
        (["--params", tmp_path / "none.json"], "none.json: no such file; give the path of a best.json"),
        (["--params", tmp_path], "a folder, not a file; name a file: give the path of a best.json"),
        (["--params", bad], "bad.json: not valid JSON"),
        (["--params", alone], "params.json: holds params alone; give their configuration with --config"),
        (["--params", alone, "--config", tmp_path / "none.yaml"], "none.yaml: no such file"),
        (["--params", best, "--data", tmp_path / "none"], "none"),
        (["--params", best, "--minute"], "--minute: no place to write minute.parquet to; give --out DIR"),
        (["--params", best, "--set", "window.test_end=2033-01-01"], "SYNA_USD.parquet"),
        (["--params", best, "--set", "pool.chunk_perod=3"], "chunk_perod"),
        (["--params", best, "--out", bad], "bad.json: cannot be written"),
    ]
    bad.write_text("{'a'")
    for arguments, said in cases:
        assert code(*arguments) == 2, arguments
        captured = capsys.readouterr()
        assert captured.out == ""
        assert said in captured.err
        assert all(line.startswith("error: ") for line in captured.err.splitlines())
    assert {path.name for path in tmp_path.iterdir()} == {"bad.json", "params.json"}


def test_nothing_is_overwritten(best: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert code("--params", best, "--out", tmp_path) == 0
    before = contents(tmp_path)
    assert {"summary.json", "daily.parquet", "report.html", "figures/equity.png"} <= set(before)
    capsys.readouterr()
    assert code("--params", best, "--out", tmp_path, "--minute") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "summary.json" in captured.err
    assert "exists already; give another --out" in captured.err
    assert contents(tmp_path) == before


@pytest.fixture
def mine(folder: Path, tmp_path: Path) -> Path:
    """The best.json of a copy whose evaluations nobody else adds to."""
    run_folder = copy_of(folder, tmp_path)
    lines = (run_folder / "test_looks.jsonl").read_text().splitlines()
    (run_folder / "test_looks.jsonl").write_text(f"{lines[0]}\n")  # that of the tune
    return run_folder / "best.json"


WINDOWS = [
    ("2023-04-12", "2023-04-26", "out of sample", 2),  # the test period itself
    ("2023-04-30", "2023-05-20", "out of sample", 1),  # beyond everything recorded
    ("2023-03-02", "2023-04-12", "in sample", 1),
    ("2023-04-01", "2023-05-01", "mixed", 2),
    ("2023-02-20", "2023-02-28", "mixed", 1),
]
"""First day, end, what the column is called, and evaluations of the run's test period (12 to 26 April) afterwards."""


@pytest.mark.parametrize(("start", "end", "label", "looks"), WINDOWS)
def test_a_window_of_its_own(
    mine: Path, start: str, end: str, label: str, looks: int, capsys: pytest.CaptureFixture[str]
):
    """One column; against a plain backtest of the same params with that window as its configuration."""
    days = (date.fromisoformat(end) - date.fromisoformat(start)).days
    assert code("--params", mine, "--start", start, "--end", end, "--json") == 0
    found = strict(capsys.readouterr().out)
    assert list(found["metrics"]) == list(found["baselines"]) == list(found["fees_earned"]) == [label]
    assert found["days"] == {label: days}
    assert found["window"] == {"start": start, "end": end}
    assert len(mine.with_name("test_looks.jsonl").read_text().splitlines()) == looks
    assert found["holdout"] == (strict(mine.read_text())["holdout"] if looks > 1 else None)

    settings = [f"window.start={start}", f"window.end={end}", "window.test_end=null", "window.validation_fraction=0"]
    alone = [part for setting in settings for part in ("--set", setting)]
    assert code("--params", mine, *alone, "--json") == 0
    plain = strict(capsys.readouterr().out)
    assert found["metrics"][label] == plain["metrics"]["train"]
    assert found["baselines"][label] == plain["baselines"]["train"]


def test_a_window_of_its_own_on_the_terminal(mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out"
    assert code("--params", mine, "--start", "2023-04-13", "--end", "2023-04-20", "--out", out) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^ +out of sample$", shown, re.M)
    assert re.search(r"^ annualised_returns +−?\d\S* %\*$", shown, re.M)
    assert "* annualised from fewer than 90 days: not meaningful" in shown
    assert "test period evaluated 2 times" in shown
    page = outline((out / "report.html").read_text())
    assert page.wrong == []
    assert "out of sample, 7 days" in page.text
    assert "Test period evaluated 2 times" in page.text
    assert "not meaningful" in page.text
    assert code("--params", mine, "--start", "2023-05-20") == 0  # as far as the prices go
    shown = capsys.readouterr().out
    assert "test period" not in shown
    assert "*" not in shown  # 261 days, to 4 February 2024


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--start", "soon"), "--start: 'soon' is no date; write it as 2024-06-25"),
        (("--start", "2023-04-13", "--end", "2023-04-14"), "less than two days; give a longer window"),
        (("--end", "2030-01-01"), "end on 2024-02-05 or earlier"),
        (("--start", "2023-04-13", "--end", "2023-04-15"), "daily_log_sharpe"),
    ],
)
def test_a_window_that_cannot_be(mine: Path, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]):
    assert code("--params", mine, *words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert said in captured.err


def test_params_of_no_search_do_not_know_their_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    params = params_file(tmp_path, {"k_per_day": 4.0, "memory_days": 10.0})
    words = ("--params", params, "--config", SMOKE, "--start", "2023-05-01", "--end", "2023-05-11")
    assert code(*words) == 0
    captured = capsys.readouterr()
    assert re.search(r"^ +backtest$", captured.out, re.M)
    assert "it is not known whether the days are out of sample" in captured.err
