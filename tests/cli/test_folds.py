"""The tables of a walk-forward, from a summary as walk_forward.json holds it."""

import re
from typing import Any

from momentum_opt.cli.folds import curve_table, fold_table, stability_table, summary_lines


def rows(text: str) -> list[list[str]]:
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]


def fold(number: int, inside: float, outside: float, efficiency: float | None) -> dict[str, Any]:
    return {
        "fold": number,
        "train_start": f"2023-03-0{number}",
        "test_start": f"2023-03-2{number}",
        "test_end": f"2023-04-0{number}",
        "in_sample": {"calmar": inside, "returns": 0.5},
        "out_of_sample": {"calmar": outside, "returns": -0.0778},
        "efficiency": efficiency,
        "baselines": {"constant_weight": {"returns": 0.01}},
        "data": {"costs": []},
        "readable": {
            "k_per_day": {"AAA": 1.5 * number, "BBB": 0.000123456},
            "memory_days": {"AAA": 10.0, "BBB": 365.0},
            "lamb": {"AAA": 0.68, "BBB": 0.99},
            "initial_weights": {"AAA": 0.5, "BBB": 0.5},
        },
    }


def summary(**changed: Any) -> dict[str, Any]:
    curve = {
        "total_return": -0.0475,
        "annual_sharpe": -4.3,
        "interval": {"low": -0.5, "high": 0.1},
        "max_drawdown": -0.0869,
        "probabilistic_sharpe": 0.18,
        "excess_probabilistic_sharpe": 0.0276,
    }
    still = {**curve, "annual_sharpe": None, "interval": None, "probabilistic_sharpe": None}
    return {
        "metric": "calmar",
        "n_folds": 3,
        "folds": [fold(1, 2.0, 1.0, 0.5), fold(2, -1.5, 6.0, None)],
        "mean_in_sample": 0.25,
        "mean_out_of_sample": 3.5,
        "efficiency": 14.0,
        "efficiency_error": 2.34,
        "efficiency_reason": None,
        "random_spread": 0.2041,
        "verdict": {
            "outcome": "not significant",
            "words": "not significant; it can be chance",
            "rules": [{"name": "excess", "met": False, "value": 0.5, "threshold": 0.95, "words": "probability 0.5"}],
        },
        "out_of_sample_days": 16,
        "out_of_sample": {"pool": curve, "constant_weight": still},
        "stability": {"log_k_AAA": {"spread": 0.2345}, "log_k_BBB": {"spread": 0.0}},
        **changed,
    }


def test_a_row_per_fold():
    text = fold_table(summary())
    assert text.startswith(
        "calmar in and out of sample; return and that of the constant-weight pool (const.) are out of"
    )
    table = rows(text)
    assert ["1", "2023-03-01", "2023-03-21", "2023-04-01", "2.0000", "1.0000", "0.5000", "-0.0778", "0.0100"] in table
    assert ["2", "2023-03-02", "2023-03-22", "2023-04-02", "-1.5000", "6.0000", "–", "-0.0778", "0.0100"] in table


def test_the_joined_days():
    table = rows(curve_table(summary()))
    # A year has 365 days, so a daily Sharpe ratio of -0.5 is one of -0.5·√365 = -9.55 a year.
    assert ["tuned pool", "-0.0475", "-4.3000", "-9.55 to 1.91", "-0.0869", "0.1800"] in table
    assert ["constant-weight pool", "-0.0475", "–", "–", "-0.0869", "–"] in table


def test_parameters_fold_by_fold():
    text = stability_table(summary())
    table = rows(text)
    assert table[0] == ["parameter", "fold 1", "fold 2"]
    assert ["k per day AAA", "1.5", "3"] in table
    assert ["k per day BBB", "0.0001235", "0.0001235"] in table
    assert ["memory (days) BBB", "365", "365"] in table
    assert not any("decay" in line[0] or "initial" in line[0] for line in table)
    assert text.endswith("as a share of the search range (uniform random: 0.20): log_k_AAA 0.23, log_k_BBB 0.00")


def test_what_it_comes_to():
    assert summary_lines(summary()) == [
        "verdict: not significant; it can be chance",
        "  not met  probability 0.5",
        "efficiency 14, standard error 2.3 (Σ out of sample / Σ in sample; mean calmar 0.25 in sample, "
        "3.5 out of sample)",
        "2 of 3 folds are done; the same command goes on",
    ]
    reason = "the in-sample sum is not above zero"
    none = summary(n_folds=2, efficiency=None, efficiency_reason=reason, mean_in_sample=None)
    assert summary_lines(none)[2:] == [
        "efficiency undefined: the in-sample sum is not above zero; mean calmar – in sample, 3.5 out of sample"
    ]
    del none["verdict"]
    assert summary_lines(none)[0].startswith("verdict: not assessed; an older version made this walk-forward")


def test_a_fold_without_a_trade_is_named():
    trades = {"name": "trades", "file": "trades.csv", "left_out": 7}
    some, none = fold(1, 2.0, 1.0, 0.5), fold(2, 2.0, 1.0, 0.5)
    some["data"], none["data"] = {"costs": [{**trades, "rows": 3}]}, {"costs": [{**trades, "rows": 0}]}
    notes = [line for line in summary_lines(summary(folds=[some, none])) if line.startswith("note:")]
    assert notes == [
        "note: costs.trades: none of the 7 trades in trades.csv lies inside the window, so there are none (fold 2)"
    ]
