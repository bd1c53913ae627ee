"""The tear sheet against figures of empyrical and quantstats, the metrics of the same names, and a plain loop."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from momentum_opt.results.files import read_json
from momentum_opt.results.tear_sheet import MONTHS, TearSheet, joined_tear_sheet, tear_sheet, write_tear_sheet
from tests.results.tear_sheet_oracle import PATH, WINDOW, days
from tests.sample_runs import tuned

DAY = pd.Timedelta(days=1)


def values_of(returns: np.ndarray, first: float = 1e6) -> np.ndarray:
    return first * np.concatenate([[1.0], np.cumprod(1.0 + returns)])


@pytest.fixture(scope="module")
def oracle() -> dict:
    return json.loads(PATH.read_text())


@pytest.fixture(scope="module")
def sheet() -> TearSheet:
    """Of the oracle's days, as rows of a daily.parquet: one more row than returns."""
    index, own, other = days()
    time = index.append(index[-1:] + DAY)
    return tear_sheet(pd.DataFrame({"time": time, "value": values_of(own), "constant_weight_value": values_of(other)}))


def test_months_and_years(sheet: TearSheet, oracle: dict):
    found = [
        [year, month + 1, value]
        for year, row in sheet.monthly.iterrows()
        for month, value in enumerate(row[list(MONTHS)])
        if np.isfinite(value)
    ]
    np.testing.assert_allclose(found, oracle["monthly"], rtol=1e-9)
    np.testing.assert_allclose(sheet.monthly["total"].reset_index(), oracle["yearly"], rtol=1e-9)


def test_ratios(sheet: TearSheet, oracle: dict):
    figures = sheet.statistics["all"]
    count = len(days()[1])
    whole = np.sqrt(count / (count - 1.0))  # they divide by n − 1, the metrics of this project by n
    for name, scale in (("sharpe", whole), ("information_ratio", whole), ("volatility", 1.0 / whole)):
        assert figures[name] == pytest.approx(scale * oracle[name], rel=1e-9), name
    for name in ("alpha", "beta", "correlation", "var_95"):
        assert figures[name] == pytest.approx(oracle[name], rel=1e-9), name
    returns = days()[1]
    worst = sorted(returns)[: int((returns <= oracle["var_95"]).sum())]
    assert figures["cvar_95"] == pytest.approx(sum(worst) / len(worst), rel=1e-12)
    assert figures["positive_days"] == sum(one > 0 for one in returns) / count
    assert [figures["best_day"], figures["worst_day"]] == pytest.approx([max(returns), min(returns)], rel=1e-9)


def test_rolling_figures(sheet: TearSheet, oracle: dict):
    whole = np.sqrt(WINDOW / (WINDOW - 1.0))
    assert sheet.window == WINDOW
    assert sheet.rolling.index[0] == days()[0][0] + WINDOW * DAY  # all of its returns are over by then
    np.testing.assert_allclose(sheet.rolling["sharpe"], whole * np.array(oracle["rolling_sharpe"]), rtol=1e-7)
    np.testing.assert_allclose(sheet.rolling["volatility"], np.array(oracle["rolling_volatility"]) / whole, rtol=1e-9)


def test_drawdowns(sheet: TearSheet, oracle: dict):
    found = sheet.drawdowns.sort_values("start")
    assert len(found) == len(oracle["drawdowns"])
    last = days()[0][-1] + DAY
    for row, (start, valley, end, depth) in zip(found.itertuples(), oracle["drawdowns"], strict=True):
        # quantstats names days by their beginning, and of a fall only the days below the high
        recovered = pd.Timestamp(end, tz="UTC") + 2 * DAY
        assert row.start == pd.Timestamp(start, tz="UTC")
        assert row.trough == pd.Timestamp(valley, tz="UTC") + DAY
        assert row.depth == pytest.approx(depth / 100.0, rel=1e-9)
        if recovered <= last:
            assert (row.recovery, row.days) == (recovered, (recovered - row.start).days)
        else:
            assert pd.isna(row.recovery)
            assert row.days == (last - row.start).days
    assert sheet.drawdowns["depth"].iloc[0] == pytest.approx(oracle["max_drawdown"], rel=1e-9)
    assert sheet.drawdowns["depth"].is_monotonic_increasing


def test_the_histogram_counts_every_day_once(sheet: TearSheet):
    values = values_of(days()[1])
    returns = values[1:] / values[:-1] - 1.0
    for low, high, count in sheet.histogram.iloc[:-1].itertuples(index=False):
        assert count == sum(low <= one < high for one in returns)
    assert sheet.histogram["count"].sum() == len(returns)


def test_the_last_bar_is_no_day_but_counts_in_its_month():
    time = pd.DatetimeIndex([*pd.date_range("2024-01-30", periods=3, tz="UTC"), "2024-02-01T23:59Z"])
    frame = pd.DataFrame({"time": time, "value": [1.0, 1.1, 1.21, 0.605], "constant_weight_value": [1.0] * 4})
    found = tear_sheet(frame)
    assert found.monthly.loc[2024, "Jan"] == pytest.approx(0.21)
    assert found.monthly.loc[2024, "Feb"] == pytest.approx(-0.5)
    assert found.monthly.loc[2024, "total"] == pytest.approx(-0.395)
    assert found.statistics.at["worst_day", "all"] == pytest.approx(0.1)
    (fall,) = found.drawdowns.itertuples()
    assert (fall.start, fall.trough, fall.depth) == (time[2], time[3], pytest.approx(-0.5))
    assert np.isnan(found.statistics.at["beta", "all"])  # what never moves explains nothing
    assert found.rolling.empty
    assert found.decomposition.empty


def test_it_is_about_the_pool_tokens_of_the_start():
    time = pd.date_range("2024-01-01", periods=4, tz="UTC")
    frame = pd.DataFrame({"time": time, "value": [1.0, 4.0, 4.0, 8.0], "constant_weight_value": [1.0, 1.1, 1.0, 1.2]})
    frame["first_lp_value"] = [1.0, 1.0, 2.0, 2.0]
    assert tear_sheet(frame).monthly.loc[2024, "Jan"] == pytest.approx(1.0)


def test_one_row_has_no_tear_sheet():
    with pytest.raises(ValueError, match="needs two days or more, but got 1"):
        tear_sheet(pd.DataFrame({"time": pd.date_range("2024-01-01", periods=1, tz="UTC"), "value": [1.0]}))
    with pytest.raises(ValueError, match="needs a day or more, but got 0"):
        joined_tear_sheet(pd.DataFrame({"time": pd.DatetimeIndex([], tz="UTC")}))


def test_joined_days_are_those_of_their_returns(sheet: TearSheet):
    index, own, other = days()
    frame = pd.DataFrame({"time": index, "log_return": np.log1p(own), "constant_weight_log_return": np.log1p(other)})
    found = joined_tear_sheet(frame)
    for name in ("monthly", "statistics", "rolling", "drawdowns"):
        pd.testing.assert_frame_equal(found.tables[name], sheet.tables[name], rtol=1e-6, check_freq=False, obj=name)
    apart = frame.drop(index=range(100, 120))  # folds that leave days out
    own_months = joined_tear_sheet(apart).monthly
    kept = pd.Series(np.delete(own, range(100, 120)), np.delete(index, range(100, 120)))
    assert own_months.loc[2023, "Mar"] == pytest.approx(
        float((1 + kept[kept.index.strftime("%Y-%m") == "2023-03"]).prod() - 1)
    )


def test_on_a_tuned_run_it_agrees_with_its_metrics(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path):
    folder = tuned(tmp_path_factory.getbasetemp())[1]
    best, daily = read_json(folder / "best.json", "best.json", ""), pd.read_parquet(folder / "daily.parquet")
    start, spans = daily["time"].iloc[0], {}
    passed = 0
    for name, count in best["days"].items():
        spans[name] = (start + passed * DAY, start + (passed + count) * DAY)
        passed += count
    found = tear_sheet(daily, spans)
    for name in best["days"]:
        metrics, figures = best["metrics"][name], found.statistics[name]
        assert figures["sharpe"] == pytest.approx(metrics["daily_log_sharpe"], rel=1e-5)
        assert figures["information_ratio"] == pytest.approx(metrics["information_ratio"], rel=1e-5)
        assert figures["cvar_95"] == pytest.approx(metrics["cvar_95"], rel=1e-9)
    whole = daily["value"].iloc[-1] / daily["value"].iloc[0] - 1.0
    assert found.monthly.loc[2023, "total"] == pytest.approx(whole, rel=1e-9)
    for name in ("turnover", "volume", "fees_earned"):
        assert found.flows[name].iloc[-1] == pytest.approx(daily[name].sum(), rel=1e-12)
    parts = found.decomposition
    np.testing.assert_allclose(parts["hodl"] + parts["weights"] - parts["lvr"], parts["total"], atol=1e-12)

    write_tear_sheet(found, tmp_path / "tables")
    assert found.rolling.empty  # the days are too few
    assert {path.stem for path in (tmp_path / "tables").iterdir()} == set(found.tables) - {"rolling"}
    for name in set(found.tables) - {"rolling"}:
        table = found.tables[name]
        read = pd.read_csv(io.StringIO((tmp_path / "tables" / f"{name}.csv").read_text()))
        written = table.reset_index() if table.index.name else table
        assert list(read) == list(written), name
        for column in written.select_dtypes("number"):
            np.testing.assert_array_equal(read[column], written[column], err_msg=f"{name} {column}")
