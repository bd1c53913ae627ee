"""What a notebook is given: DataFrames that are the files, figures that draw themselves, a backtest without files."""

import inspect
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import momentum_opt
from momentum_opt import Market, backtest, market_of, simulate, tune
from momentum_opt.api.backtesting import BacktestResult, write_backtest
from momentum_opt.api.tuning import TuneResult
from momentum_opt.errors import DataError, ParamsError, UsageError
from tests.sample_runs import SMOKE, TOKENS, copy_of, smoke, tuned

PARAMS = {"k_per_day": 20.0, "memory_days": 10.0}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> TuneResult:
    _, folder = tuned(tmp_path_factory.getbasetemp())
    return tune(smoke(), copy_of(folder, tmp_path_factory.mktemp("notebook")))  # finished: nothing is searched


@pytest.fixture(scope="module")
def market() -> Market:
    return market_of(smoke())


@pytest.fixture(scope="module")
def replayed(market: Market) -> BacktestResult:
    return backtest(PARAMS, smoke(), market)


def test_the_tables_are_the_files(result: TuneResult):
    folder = result.folder
    assert_frame_equal(result.trials.reset_index(), pd.read_parquet(folder.trials), check_exact=True)
    assert_frame_equal(result.daily.reset_index(), pd.read_parquet(folder.daily), check_exact=True)
    assert str(result.daily.index.tz) == "UTC"
    best = json.loads(folder.best.read_text())
    for period, metrics in best["metrics"].items():
        for name, value in metrics.items():
            found = result.metrics.loc[name, period]
            assert found == value or (np.isnan(found) and value is None)
    for period, table in best["baselines"].items():
        assert result.baselines[period, "hodl"]["returns"] == table["hodl"]["returns"]
    assert list(result.parameters.index) == list(TOKENS)
    for name, values in {**best["params"], **best["readable"]}.items():
        assert result.parameters[name].to_dict() == values


def test_what_a_notebook_shows(result: TuneResult):
    html = result._repr_html_()
    assert ElementTree.fromstring(html).tag == "div"  # well-formed
    headline, words = result.best["verdict"]["words"].split("; ")
    assert f"<b>{headline.capitalize()}.</b> {words[0].upper()}{words[1:]}" in html
    assert "SYNA" in html
    assert "daily_log_sharpe" in html
    assert repr(result).startswith(f"<tune in {result.folder.path}: best of ")


def test_figures_draw_themselves(result: TuneResult, tmp_path: Path):
    assert {"equity", "drawdown", "weights", "history"} <= set(result.figures)
    bundle = result.plot("weights")._repr_mimebundle_(include=None, exclude=None)
    drawn = ElementTree.fromstring(bundle["image/svg+xml"])
    assert drawn.tag.endswith("svg")
    assert all(token in bundle["image/svg+xml"] for token in TOKENS)
    assert bundle["application/vnd.vegalite.v6+json"]["$schema"].endswith("v6.json")
    assert "var(--" not in json.dumps(bundle["application/vnd.vegalite.v6+json"])  # colours of the page alone
    figure = result.plot()
    assert figure.save(tmp_path / "a.svg").read_text() == figure.svg()
    assert figure.save(tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads(figure.save(str(tmp_path / "a.json")).read_text()) == figure.spec
    with pytest.raises(UsageError, match=r"a.pdf: a figure is written as .svg, .png, .json"):
        figure.save(tmp_path / "a.pdf")
    with pytest.raises(UsageError, match=r"plot: unknown figure \(equty\); did you mean equity"):
        result.plot("equty")


def test_a_backtest_without_files(replayed: BacktestResult, market: Market, tmp_path: Path):
    params = tmp_path / "params.json"
    params.write_text(json.dumps({"params": PARAMS}))
    wanted = backtest(params, config=SMOKE)
    np.testing.assert_array_equal(replayed.replay.value, wanted.replay.value)
    assert_frame_equal(replayed.metrics, wanted.metrics, check_exact=True)
    assert replayed.summary["params"] == wanted.summary["params"]
    index = pd.to_datetime(market.times_ms, unit="ms", utc=True)
    prices = pd.DataFrame(market.prices, index=index, columns=list(market.tokens))
    own = backtest(PARAMS, smoke(), Market.from_frame(prices))
    np.testing.assert_array_equal(own.replay.value, wanted.replay.value)
    assert own.market.start_ms == market.start_ms
    assert own.summary["data"]["root"] is None
    assert own.holdouts == ()  # of prices in memory nothing is counted
    write_backtest(own, tmp_path / "out", minute=False)
    assert_frame_equal(own.daily.reset_index(), pd.read_parquet(tmp_path / "out" / "daily.parquet"), check_exact=True)
    assert "a table in memory" not in own._repr_html_()


def test_its_figures_and_its_text(replayed: BacktestResult):
    assert replayed.plot("drawdown").svg().startswith("<svg")
    assert "history" not in replayed.figures
    assert ElementTree.fromstring(replayed._repr_html_()).tag == "div"
    assert repr(replayed).startswith("<backtest of SYNA/SYNB/SYNUSD from 2023-03-01 to ")


def test_arguments_that_contradict_each_other(market: Market, tmp_path: Path):
    with pytest.raises(ParamsError, match="nothing says what to simulate; give a fingerprint"):
        backtest(PARAMS)
    with pytest.raises(UsageError, match="give a fingerprint, or `config` and `overrides`, not both"):
        backtest(PARAMS, smoke(), config=SMOKE)
    with pytest.raises(UsageError, match="either a market or `data`"):
        backtest(PARAMS, smoke(), market, data=tmp_path)
    with pytest.raises(UsageError, match="`start` and `end` go with a params file"):
        backtest(PARAMS, smoke(), start=smoke().window.start)
    with pytest.raises(DataError, match="holds SYNA, SYNB, SYNUSD, but the configuration's tokens are SYNA, SYNB"):
        backtest(PARAMS, smoke("tokens=[SYNA, SYNB]"), market)
    longer = smoke("window.test_end=2023-12-30")
    with pytest.raises(DataError, match=r"market: has prices from .* but the configuration asks for"):
        simulate(longer, market, [PARAMS])


def test_a_simulation_as_a_frame(market: Market):
    (found,) = simulate(smoke(), market, [PARAMS])
    frame = found.frame
    np.testing.assert_array_equal(frame["value"], found.value)
    np.testing.assert_array_equal(frame["weight_SYNB"], found.weights[:, 1])
    np.testing.assert_array_equal(frame["reserves_SYNA"], found.reserves[:, 0])
    np.testing.assert_array_equal(frame["price_SYNUSD"], found.prices[:, 2])
    assert str(frame.index[0]) == "2023-03-01 00:00:00+00:00"
    assert found.plot().svg().startswith("<svg")
    assert "SYNA" in found.plot("weights").svg()
    with pytest.raises(UsageError, match=r"unknown figure \(weight\); did you mean weights"):
        found.plot("weight")
    assert repr(found).startswith("<simulation of SYNA/SYNB/SYNUSD, ")


@pytest.mark.parametrize("name", momentum_opt.__all__)
def test_help_stands_alone(name: str):
    public = getattr(momentum_opt, name)
    members = [getattr(public, one) for one in dir(public) if inspect.isclass(public) and not one.startswith("_")]
    for one in (public, *members):
        text = inspect.getdoc(one) or ""
        assert "SPEC" not in text
        assert "docs/" not in text
    if inspect.isfunction(public):
        assert public.__doc__
        assert "lambda" not in str(inspect.signature(public))
