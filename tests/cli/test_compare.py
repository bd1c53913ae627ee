"""`compare`: what runs and params files have side by side, only where it compares; no test unless it is asked for."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from selenium.webdriver.support.ui import WebDriverWait

from momentum_opt.api.comparing import compare
from momentum_opt.cli.app import main
from momentum_opt.cli.compare import comparison_text
from momentum_opt.results.comparison import unique_names
from tests.browser import chromium, needs_browser, show
from tests.sample_runs import ROOT, SMOKE, copy_of, environment, tuned


def run(*arguments: str | Path) -> int | str | None:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return caught.value.code


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tuned(tmp_path_factory.getbasetemp())[1]


@pytest.fixture
def one(source: Path, tmp_path: Path) -> Path:
    return copy_of(source, tmp_path / "runs")


@pytest.fixture
def other(one: Path, tmp_path: Path) -> Path:
    """Another run, of the same pool without its verdict and with other numbers on train and test."""
    folder = copy_of(one, tmp_path / "more").rename(one.parent / "other")
    best = read(folder / "best.json")
    del best["checksums"]
    best["metrics"]["train"]["returns"] = 0.12345
    best["metrics"]["test"]["returns"] = 0.54321
    (folder / "best.json").write_text(json.dumps({**best, "verdict": None}))
    daily = pd.read_parquet(folder / "daily.parquet")
    daily["value"] *= np.linspace(1.0, 2.0, len(daily))
    daily.to_parquet(folder / "daily.parquet", index=False)
    return folder


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def rows(document: dict[str, Any]) -> dict[tuple[str, str], list[Any]]:
    return {(group["heading"], row["label"]): row["values"] for group in document["groups"] for row in group["rows"]}


def looks(folder: Path) -> list[str]:
    return [
        path.read_text() for path in (folder / "test_looks.jsonl", folder.parent / "test_looks.jsonl") if path.exists()
    ]


def test_runs_stand_side_by_side_as_they_were_written(one: Path, other: Path, capsys: pytest.CaptureFixture[str]):
    before = looks(one)
    assert run("compare", one, other, "--json") == 0
    text = capsys.readouterr().out
    found = json.loads(text)
    bests = [read(folder / "best.json") for folder in (one, other)]
    table = rows(found)
    for name in ("daily_log_sharpe", "returns", "max_drawdown"):
        for period in ("train", "validation"):
            assert table[period, name] == [best["metrics"][period][name] for best in bests]
            label = f"constant-weight pool: {name}"
            assert table[f"baselines from the start of {period}", label] == [
                best["baselines"][period]["constant_weight"][name] for best in bests
            ]
    assert table["parameters", "k per day, SYNA"] == [best["readable"]["k_per_day"]["SYNA"] for best in bests]
    assert [pool["name"] for pool in found["pools"]] == [one.name, "other"]
    assert [pool["outcome"] for pool in found["pools"]] == [bests[0]["verdict"]["outcome"], None]
    # No figure of the test, and no look at one.
    assert "0.54321" not in text
    assert all("test" not in pool["metrics"] and "test" not in pool["baselines"] for pool in found["pools"])
    assert looks(one) == before
    assert found["notes"] == []


def test_a_test_that_is_shown_is_counted(one: Path, other: Path, capsys: pytest.CaptureFixture[str]):
    before = [len(text.splitlines()) for text in looks(one)]
    assert run("compare", one, other, "--test", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    bests = [read(folder / "best.json") for folder in (one, other)]
    assert rows(found)["test", "returns"] == [best["metrics"]["test"]["returns"] for best in bests]
    assert len((one / "test_looks.jsonl").read_text().splitlines()) == before[0] + 1
    # The other run is a copy, and so is its line of the tune.
    assert len((one.parent / "test_looks.jsonl").read_text().splitlines()) == before[0] + 2
    assert found["test_looks"] == [f"test period evaluated {before[0] + 2} times"]


def test_curves_are_the_daily_values_up_to_the_test(one: Path, other: Path):
    comparison = compare([one, other])
    daily = [pd.read_parquet(folder / "daily.parquet") for folder in (one, other)]
    end = pd.Timestamp(read(one / "best.json")["fingerprint"]["endDateString"], tz="UTC")
    assert comparison.curves is not None
    assert comparison.curves.index[-1] == end - pd.Timedelta(days=1)
    for place, table in enumerate(daily):
        expected = table["value"][table["time"] < end].to_numpy()
        np.testing.assert_allclose(comparison.curves[place], expected / expected[0], rtol=1e-15)
    assert comparison.constant is not None
    tested = compare([one, other], with_test=True).curves
    assert tested is not None
    assert len(tested) == len(daily[0]) - 1  # the last row is not a day's start


def test_parameters_without_days_are_simulated_up_to_the_test(
    one: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    alone = tmp_path / "alone.json"
    alone.write_bytes((one / "best.json").read_bytes())
    before = looks(one)
    assert run("compare", one, alone, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    for (heading, label), values in rows(found).items():
        if all(isinstance(value, float) for value in values):
            assert values[0] == pytest.approx(values[1], rel=1e-9, abs=1e-12), (heading, label)
    assert ("train", "returns") in rows(found)
    assert [pool["name"] for pool in found["pools"]] == [one.name, "alone"]
    assert found["notes"] == []
    assert looks(one) == before
    curves = compare([one, alone]).curves
    assert curves is not None
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-9)


def config_of(tmp_path: Path, **changed: str) -> Path:
    """The smoke configuration with some lines replaced, and absolute paths."""
    lines = SMOKE.read_text().replace("../data/sample", str(ROOT / "data" / "sample")).splitlines()
    path = tmp_path / "other.yaml"
    path.write_text(
        "\n".join(
            next(
                (
                    f"{line.split(key)[0]}{key}: {value}"
                    for key, value in changed.items()
                    if line.strip().startswith(f"{key}:")
                ),
                line,
            )
            for line in lines
        )
    )
    return path


def test_other_windows_and_tokens_compare_the_days_that_all_have(
    one: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    params = tmp_path / "mine.json"
    params.write_text(json.dumps({"params": {"k_per_day": 20, "memory_days": 10}}))
    config = config_of(tmp_path, tokens="[SYNA, SYNUSD]", start="2023-03-15", end="2023-05-01", test_end="2023-05-20")
    assert run("compare", one, params, "--config", config, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    table = rows(found)
    window = read(one / "best.json")["fingerprint"]
    first, last = pd.Timestamp("2023-03-15", tz="UTC"), pd.Timestamp(window["endDateString"], tz="UTC")
    daily = pd.read_parquet(one / "daily.parquet")
    value = daily["value"][(daily["time"] >= first) & (daily["time"] < last)].to_numpy()
    steps = np.diff(np.log(value))
    common = {label: values for (heading, label), values in table.items() if heading == "days that all have"}
    assert common["returns"][0] == pytest.approx(value[-1] / value[0] - 1)
    assert common["daily_log_sharpe"][0] == pytest.approx(steps.mean() / steps.std() * 365**0.5)
    deepest = min(value[place] / max(value[: place + 1]) - 1 for place in range(len(value)))
    assert common["drawdown of daily values"][0] == pytest.approx(deepest)
    assert not {"train", "validation"} & {heading for heading, _ in table}
    assert table["parameters", "k per day, SYNB"][1] is None
    windows, tokens = found["notes"]
    assert windows.startswith("windows differ (")
    assert windows.endswith(
        f"; the days that all have, 2023-03-15 to {last - pd.Timedelta(days=1):%Y-%m-%d}, stand apart"
    )
    assert tokens.startswith("tokens differ (SYNA/SYNB/SYNUSD in ")
    settings = {label: values for (heading, label), values in table.items() if heading == "settings that differ"}
    assert settings["window.start"] == ["2023-03-01", "2023-03-15"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("{one}",), "alone: nothing to compare it with; give two or more runs, best.json or params files"),
        (("{one}", "{one}/best.json"), "best.json: is given twice; leave one of them out"),
        (("{one}", "{none}"), "none: no such file; give the path of a best.json or a params file"),
        (("{one}", "{params}"), "params.json: holds params alone; give their configuration with --config"),
        (("{one}", "{other}", "--out", "{params}"), "params.json: exists already; give another --out"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    one: Path, other: Path, tmp_path: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
):
    params = tmp_path / "params.json"
    params.write_text('{"params": {"k_per_day": 20, "memory_days": 10}}')
    names = {"one": one, "other": other, "none": tmp_path / "none", "params": params}
    assert run("compare", *(argument.format(**names) for argument in arguments)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


@pytest.mark.parametrize("width", [60, 100])
def test_no_word_is_broken(one: Path, other: Path, width: int, monkeypatch: pytest.MonkeyPatch):
    comparison = compare([one, other])

    def words(columns: int) -> set[str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        return {word for word in comparison_text(comparison).split() if set(word) != {"─"}}

    everything = words(1000)
    assert words(width) == everything
    assert max(map(len, comparison_text(comparison).splitlines())) <= width


def test_names_are_as_short_as_they_differ():
    assert unique_names(["/a/runs/one", "/a/runs/two"]) == ["one", "two"]
    assert unique_names(["/a/runs/one", "/b/runs/one"]) == ["a/runs/one", "b/runs/one"]


def test_runs_with_results_need_no_jax(one: Path, other: Path, tmp_path: Path):
    script = f"""
import sys
from momentum_opt.cli.app import main
try: main(["compare", {str(one)!r}, {str(other)!r}, "--out", {str(tmp_path / "page.html")!r}])
except SystemExit as done: assert not done.code
assert "jax" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"page: {tmp_path / 'page.html'}"


@needs_browser
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_in_a_browser(one: Path, other: Path, tmp_path: Path, width: int):
    page = tmp_path / "page.html"
    assert run("compare", one, other, "--out", page) == 0
    assert page.stat().st_size < 6_000_000
    with chromium(tmp_path / "profile") as driver:
        show(driver, page, width)
        WebDriverWait(driver, 30).until(
            lambda one: one.execute_script("return document.documentElement.dataset.figures === 'drawn'")
        )
        lines = driver.execute_script(
            "return [...document.querySelectorAll('figure')].map(one => one.querySelectorAll('.mark-line path').length)"
        )
        assert lines == [3, 2]  # both pools, and above the constant-weight pool that they share
        assert not [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        text = driver.find_element("tag name", "main").text
        assert all(words in text for words in ("other", one.name, "No test period is shown."))
