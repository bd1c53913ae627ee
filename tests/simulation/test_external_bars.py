"""What the files of a market say bar by bar: rows with a time in, arrays on the bars of a simulation out."""

from dataclasses import replace

import numpy as np

from momentum_opt.market import External
from momentum_opt.market.external import HeldSeries, Trades
from momentum_opt.simulation.external_bars import external_bars
from tests.reference.minute_loop import Pool
from tests.simulation.cases import Case

CASE = Case.random(Pool(bar_minutes=30, arb_frequency=30, chunk_period=120, max_memory_days=1.0), 2, 2, history=1)
BAR_MS = 30 * 60_000
BARS = 40
"""Fewer than the market has."""


def test_rows_lie_on_the_bars_of_their_times_and_those_outside_are_left_out():
    market = CASE.market
    start, times = market.start_ms, market.times_ms
    bar = np.array([-1, 0, 3, 3, BARS - 1, BARS])
    trades = Trades(start + bar * BAR_MS + 59_000, bar % 2, 1 - bar % 2, np.arange(6.0))
    supply = HeldSeries(start + np.array([0, 1, 5]) * BAR_MS, np.array([500.0, 1000.0, 250.0]))
    fees = HeldSeries(times, np.arange(len(times), dtype=np.float64))
    found = external_bars(replace(market, external=External({"fees": fees}, trades, supply)), BARS)
    np.testing.assert_array_equal(found.costs["fees"], market.start_row + np.arange(BARS))
    assert found.trades is not None
    np.testing.assert_array_equal(found.trades.bar, [0, 3, 3, BARS - 1])
    np.testing.assert_array_equal(found.trades.token_in, [0, 1, 1, 1])
    np.testing.assert_array_equal(found.trades.token_out, [1, 0, 0, 0])
    np.testing.assert_array_equal(found.trades.amount, [1.0, 2.0, 3.0, 4.0])
    assert found.supply is not None
    np.testing.assert_array_equal(found.supply, [1.0, *[2.0] * 4, *[0.5] * (BARS - 5)])


def test_without_files_there_is_nothing():
    found = external_bars(CASE.market, BARS)
    assert (dict(found.costs), found.trades, found.supply) == ({}, None, None)
