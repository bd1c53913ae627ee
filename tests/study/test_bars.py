"""Bars longer than a minute: against the plain loop stepped in hours, and against the minutes that they are made of."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from momentum_opt.market import Recipe, load_market
from momentum_opt.market.synthetic import synthetic_closes
from momentum_opt.study.replay import replay
from tests.reference.minute_loop import Pool
from tests.sample_runs import LITTLE_EVIDENCE, run
from tests.shared_data import SHARED, needs_shared
from tests.simulation.cases import Case, assert_matches_reference, random_params, run_engine

PARAMS = random_params(3, 0.1 / 3, 5)
THREE_YEARS = (date(2021, 3, 1), date(2024, 3, 1))


def hourly_prices() -> Path:
    assert SHARED is not None
    return SHARED / "data" / "hourly"


@needs_shared
def test_three_years_of_real_hours_are_the_loop_stepped_in_hours():
    """No setting mentions the bar; the oracle steps, arbitrages and moves once an hour."""
    market = load_market(
        hourly_prices(), ("BTC", "ETH", "SOL"), start=THREE_YEARS[0], end=THREE_YEARS[1], burn_in_days=365
    )
    assert (market.bar_minutes, market.prices.shape[0] - market.start_row) == (60, 1096 * 24)
    case = Case(market.prices, market.start_row, Pool(bar_minutes=60))
    assert case.fingerprint()["arb_frequency"] == 1
    wanted = case.reference(PARAMS)
    assert np.abs(np.diff(wanted.weights, axis=0)).max() > 1e-3  # the weights do move
    assert_matches_reference(run_engine(case, [PARAMS]), 0, wanted, 24, 1e-10)


@needs_shared
@pytest.mark.slow
def test_tune_on_hourly_prices_needs_no_extra_flag(tmp_path: Path):
    config = tmp_path / "hourly.yaml"
    config.write_text(
        f"data: {{root: {hourly_prices()}}}\ntokens: [BTC, ETH, SOL]\n"
        f"window: {{start: {THREE_YEARS[0]}, end: {THREE_YEARS[1]}}}\nsearch: {{n_trials: 32, batch_size: 32}}\n"
    )
    done = run("tune", config, "--run-dir", tmp_path / "run", *LITTLE_EVIDENCE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "replay check passed: minute-by-minute replay reproduces the tuned objective" in done.stdout
    again = run("backtest", "--params", tmp_path / "run" / "best.json", "--out", tmp_path / "out", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    refused = run("tune", config, "--set", "costs.arb_frequency=90", "--run-dir", tmp_path / "other", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "error: costs.arb_frequency: not a multiple of the prices' bar of 60 minutes (90); give for example 60\n"
    )
    assert not (tmp_path / "other").exists()


B, DAYS, HISTORY = 60, 6, 4


def late_and_longer(**settings: Any) -> tuple[Case, Case]:
    """Minutes on a clock that is B − 1 minutes late with an arbitrage every B of them, and bars of B minutes."""
    closes = synthetic_closes(Recipe(seed=5, days=HISTORY + DAYS + 1, volatility=3.0))
    minutes = np.stack(list(closes.values()), axis=1)
    whole = (HISTORY + DAYS) * 1440
    pool = Pool(chunk_period=240, max_memory_days=3.0, **settings)
    late = Case(minutes[B - 1 :][:whole], HISTORY * 1440, replace(pool, arb_frequency=B))
    return late, Case(minutes[B - 1 : whole : B], HISTORY * 1440 // B, replace(pool, bar_minutes=B))


@pytest.mark.parametrize(("maximum_change", "engine"), [(3e-4, "in_chunk"), (2e-5, "closed_form")])
def test_bars_are_their_minutes_on_a_late_clock_with_fewer_arbitrages(maximum_change: float, engine: str):
    """A bar of b minutes labelled t has the price of minute t + b − 1; apart from that it is arb_frequency b."""
    late, longer = late_and_longer(maximum_change=maximum_change)
    assert late.spec.engine == longer.spec.engine == engine
    by_minute, by_bar = run_engine(late, [PARAMS]), run_engine(longer, [PARAMS])
    np.testing.assert_allclose(by_bar.minutes.weights, by_minute.minutes.weights[::B], rtol=0, atol=1e-10)
    np.testing.assert_allclose(by_bar.minutes.reserves, by_minute.minutes.reserves[::B], rtol=1e-10)
    np.testing.assert_allclose(by_bar.minutes.value, by_minute.minutes.value[::B], rtol=1e-10)
    np.testing.assert_allclose(by_bar.daily[:-1], by_minute.daily[:-1], rtol=1e-10)


@pytest.mark.slow
def test_the_same_holds_with_costs():
    late, longer = late_and_longer(fees=0.003, gas_cost=2.0)
    by_minute, by_bar = (replay(case.fingerprint(), case.market, PARAMS) for case in (late, longer))
    np.testing.assert_allclose(by_bar.weights, by_minute.weights[::B], rtol=0, atol=1e-10)
    np.testing.assert_allclose(by_bar.reserves, by_minute.reserves[::B], rtol=1e-8)
    np.testing.assert_allclose(by_bar.value, by_minute.value[::B], rtol=1e-8)
