"""Strategies of the rolling study on rows made by hand, and its bootstrap against known distributions."""

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.selection import PANELS, TEST, TRAIN, lowest_of_windows
from benchmarks.selection_table import STRATEGIES, interval, stationary_draws, table
from momentum_opt.evidence.scoring import ScoredRows
from momentum_opt.study.block_sums import block_sums, with_counts


def test_blocks_have_the_mean_length_that_was_asked_for():
    drawn = stationary_draws(40, 4.0, 2000, np.random.default_rng(0))
    assert drawn.min() == 0
    assert drawn.max() == 39
    goes_on = (drawn[:, 1:] - drawn[:, :-1]) % 40 == 1
    assert goes_on.mean() == pytest.approx(3 / 4 + 1 / 4 / 40, abs=0.01)  # or begins anew just there
    assert np.bincount(drawn.ravel(), minlength=40) / drawn.size == pytest.approx(np.full(40, 1 / 40), abs=2e-3)


def test_the_interval_of_independent_quarters_is_the_normal_one():
    values = np.random.default_rng(1).standard_normal(400)
    values = (values - values.mean()) / values.std()
    low, high = interval(0.3 + values, [f"{place:03}" for place in range(400)])
    assert (low, high) == pytest.approx((0.3 - 1.96 / 20, 0.3 + 1.96 / 20), abs=0.025)


def test_windows_of_one_quarter_are_drawn_together():
    """Ten equal values in each of 20 quarters say no more than one."""
    values = np.random.default_rng(2).standard_normal(20)
    quarters = [f"{place:02}" for place in range(20)]
    assert interval(np.repeat(values, 10), np.repeat(quarters, 10).tolist()) == pytest.approx(
        interval(values, quarters), abs=1e-12
    )


def test_the_lowest_sharpe_ratio_of_four_windows():
    """Against a loop over the days: 16 blocks of 6 days, the oldest 3 days left out."""
    rng = np.random.default_rng(3)
    returns = 0.01 * rng.standard_normal((99, 5)) + 0.002
    log_value = np.concatenate([np.zeros((1, 5)), np.cumsum(returns, axis=0)])
    sums = with_counts(np.asarray(block_sums(jnp.asarray(log_value), jnp.zeros(100), 16)), 99)
    found = lowest_of_windows(ScoredRows(np.zeros((5, 1)), np.zeros(5), None, sums))
    windows = [returns[3 + 24 * number : 27 + 24 * number] for number in range(4)]
    assert found == pytest.approx(np.min([one.mean(axis=0) / one.std(axis=0) for one in windows], axis=0), rel=1e-6)


def test_windows_lie_a_quarter_apart_and_inside_the_prices():
    for panel in PANELS.values():
        days = np.array(panel.windows, "datetime64[D]")
        assert len(days) >= 4
        assert (np.diff(days).astype(int) == TEST).all()
        assert days[-1] + TRAIN + TEST <= np.datetime64(panel.end)
        assert panel.tokens == tuple(sorted(panel.tokens))


def test_the_table_has_means_and_paired_differences():
    def window(start: str, memetic: float, screening: float, *, found: bool) -> dict:
        free = dict.fromkeys(STRATEGIES, 0.0) | {"memetic": memetic, "screening": screening}
        free["gated"] = memetic if found else 0.0
        charged = {name: value - 0.01 for name, value in free.items()}
        return {"set": "A/B/C", "start": start, "test_start": start, "found": found, "free": free, "charged": charged}

    rows = [window("2022-01-01", 0.04, 0.05, found=True), window("2022-04-02", 0.02, 0.03, found=False)]
    text = table(rows)
    assert "tests in 2 calendar quarters from 2022Q1 to 2022Q2; the first rule was met in 1." in text
    lines = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:]] for line in text.splitlines()[2:]
    }
    assert lines["memetic"][0] == "+3.00 % (+2.00 to +4.00)"
    assert lines["memetic"][2] == "–"
    assert lines["screening"][:3] == ["+4.00 % (+3.00 to +5.00)", "2 of 2", "+1.00 % (+1.00 to +1.00)"]
    assert lines["gated"][:2] == ["+2.00 % (+0.00 to +4.00)", "1 of 2"]
    assert lines["worst of windows"][3] == "−1.00 % (−1.00 to −1.00)"
