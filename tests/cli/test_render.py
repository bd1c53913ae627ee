import io
import math
import re
import sys
from dataclasses import replace
from typing import Any

import pytest

from momentum_opt.cli.data.progress import FileProgress
from momentum_opt.cli.progress import Reporter, describe
from momentum_opt.cli.render import data_lines, metric_table, objective_line, parameter_table
from momentum_opt.study.loop import Progress
from momentum_opt.study.trials import TrialRecord
from tests.sample_runs import smoke

NAMES = ("daily_log_sharpe", "returns", "returns_over_hodl", "annualised_returns", "max_drawdown", "calmar")
BASELINES = ("hodl", "uniform_hodl", "constant_weight")
BEST = TrialRecord(7, {}, (1.23456789,), {}, {}, None)


def document(**objective: Any) -> dict[str, Any]:
    periods = ("train", "test")
    return {
        "objective": {"metric": "calmar", "aggregate": "mean", "value": 1.25, **objective},
        "readable": {
            "k_per_day": {"AAA": 20.0, "BBB": 0.000123456},
            "memory_days": {"AAA": 10.0, "BBB": 365.0},
            "lamb": {"AAA": 0.68, "BBB": 0.99},
            "initial_weights": {"AAA": 0.5, "BBB": 0.5},
        },
        "metrics": {period: dict.fromkeys(NAMES, 0.5) for period in periods},
        "baselines": {
            period: {
                name: {"returns": 0.1 * (place + 1), "daily_log_sharpe": None} for place, name in enumerate(BASELINES)
            }
            for period in periods
        },
        "data": {
            "burn_in_days": 30,
            "files": [{"token": "AAA", "rows": 12345, "first": "a", "last": "b", "filled_minutes": 1234}],
        },
    }


def rows(text: str) -> list[list[str]]:
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]


def test_annualised_figures_of_short_periods_are_marked():
    content = {**document(), "days": {"train": 90, "test": 89}}
    content["baselines"]["test"]["hodl"]["daily_log_sharpe"] = -4.0
    text = metric_table(content)
    table = rows(text)
    for name in ("calmar", "daily_log_sharpe", "annualised_returns"):
        shown = "50.00 %" if name == "annualised_returns" else "0.500"
        assert [name, shown, f"{shown}*"] in table
    for name in ("returns", "max_drawdown", "returns_over_hodl"):
        assert [name, "50.00 %", "50.00 %"] in table
    assert ["HODL from the period's start: daily_log_sharpe", "–", "−4.000*"] in table
    assert ["constant-weight pool: daily_log_sharpe", "–", "–"] in table
    assert text.endswith("\n* annualised from fewer than 90 days: not meaningful")
    assert "*" not in metric_table({**content, "days": {"train": 90, "test": 90}})
    assert "*" not in metric_table(document())  # of an older version


def test_parameters():
    assert ["AAA", "20", "10", "0.680000", "50.00 %"] in rows(parameter_table(document()))
    assert ["BBB", "0.0001235", "365", "0.990000", "50.00 %"] in rows(parameter_table(document()))


def test_metrics_lead_with_the_objective():
    content = document()
    content["metrics"]["test"]["calmar"] = None
    content["metrics"]["test"]["returns"] = 1234567.0
    table = rows(metric_table(content))
    assert table[0] == ["train", "test"]
    assert table[2] == ["calmar", "0.500", "–"]
    assert ["returns", "50.00 %", "123,456,700.00 %"] in table
    assert ["HODL from the period's start: returns", "10.00 %", "10.00 %"] in table
    assert ["constant-weight pool: daily_log_sharpe", "–", "–"] in table


def test_baselines_that_coincide_share_a_row():
    """With equal initial weights both HODLs hold the same tokens, until the next period begins."""
    content = document()
    for period in content["baselines"].values():
        period["uniform_hodl"] = {**period["hodl"]}
    both = "HODL from the period's start = uniform HODL from the period's start: returns"
    assert [both, "10.00 %", "10.00 %"] in rows(metric_table(content))
    content["baselines"]["test"]["uniform_hodl"]["returns"] = 0.1 + 1e-6
    table = rows(metric_table(content))
    assert both not in {row[0] for row in table}
    assert ["uniform HODL from the period's start: returns", "10.00 %", "10.00 %"] in table


def test_figures_that_could_mean_nothing_are_not_shown():
    content = {**document(), "days": {"train": 300, "test": 30}}
    content["metrics"]["train"] |= {"calmar": 3e25, "daily_log_sharpe": -2e6, "annualised_returns": 999_999.0}
    content["metrics"]["test"] |= {"annualised_returns": 1e6, "returns": 2e9}
    text = metric_table(content)
    table = rows(text)
    assert ["calmar", "not meaningful", "0.500*"] in table
    assert ["daily_log_sharpe", "not meaningful", "0.500*"] in table
    assert ["annualised_returns", "99,999,900.00 %", "not meaningful"] in table
    assert ["returns", "50.00 %", "200,000,000,000.00 %"] in table  # that of a token which rose as much
    assert " ".join(text.splitlines()[-1:]) == (
        "not meaningful: of calmar, annualised_returns returns of a short time are compounded to a year; of "
        "daily_log_sharpe what it is divided by is almost zero"
    )
    assert objective_line(document(value=1.2e25)) == (
        "objective: calmar (mean) = 1.2e+25, not meaningful: of calmar returns of a short time are compounded to a year"
    )


def test_the_objective_in_words():
    assert objective_line(document()) == "objective: calmar (mean) = 1.2500"
    beyond = document(metric="daily_log_sharpe", value=[2.0, -3e7], aggregate="mean", metrics=["lvr", "calmar"])
    assert objective_line(beyond) == (
        "objectives (mean): lvr 2.0000, calmar not meaningful; not meaningful: of calmar returns of a short time are "
        "compounded to a year"
    )
    several = document(value=[1.0, 0.5, -0.25], aggregate=["mean", "worst", "steadiness"])
    assert objective_line(several) == "objective: calmar: mean 1.0000, worst 0.5000, steadiness -0.2500"
    assert objective_line(document(value=math.nan)).endswith("= –")


def test_what_was_read():
    assert data_lines(document()) == [
        "prices AAA: 12,345 bars, a to b, 1,234 minutes filled",
        "burn-in: 30 days of history before the start",
    ]


def test_progress_in_words():
    line = "50/100 trials, best 1.23457, 10 trials/s, 2 failed, 4 s elapsed, 5 s left"
    assert describe(Progress(50, 100, 2, BEST, 40, 4.0)) == line
    assert describe(Progress(50, 100, 2, BEST, 40, 4.0), smoke().objective) == line
    turned = smoke("objective.metric=weight_turnover").objective
    assert ", best -1.23457, " in describe(Progress(50, 100, 2, BEST, 40, 4.0), turned)
    huge = replace(BEST, objectives=(1.2e25,))
    assert ", best not meaningful, " in describe(Progress(50, 100, 2, huge, 40, 4.0), smoke().objective)
    assert describe(Progress(8, 100, 8, None, 0, 0.0)).startswith("8/100 trials, best none, 0 trials/s, 8 failed")
    assert describe(Progress(8, 100, 8, None, 0, 0.0)).endswith("unknown left")


def test_plain_lines_are_thinned_out(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    now = 100.0
    monkeypatch.setattr("momentum_opt.cli.progress.time.monotonic", lambda: now)
    with Reporter() as report:
        for done, now in ((8, 100.0), (16, 101.0), (24, 104.9), (32, 105.0), (40, 105.1)):
            report(Progress(done, 40, 0, BEST, done, now - 99))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [line.split("/")[0] for line in captured.err.splitlines()] == ["8", "32", "40"]


class Terminal(io.StringIO):
    """Standard error where a user sits."""

    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """One in place of standard error; in the test itself, as pytest puts its own there before each phase."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    for name, value in {"TERM": "xterm", "COLUMNS": "200"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    return shown


def test_a_bar_for_each_stage_on_a_terminal(monkeypatch: pytest.MonkeyPatch):
    shown = terminal(monkeypatch)
    with Reporter() as report:
        for done in (8, 40):
            report(Progress(done, 40, 0, BEST, done, 4.0))
        report(Progress(3, 5, 0, None, 3, 1.0, what="screened"))
    trials, screened = shown.getvalue().split("\x1b[2K")[-1].splitlines()[:2]
    assert "40/40 trials, best 1.23457, 10 trials/s" in trials
    assert "3/5 screened, best none, 3 screened/s" in screened


def test_a_bar_of_files_goes_with_the_work(monkeypatch: pytest.MonkeyPatch):
    shown = terminal(monkeypatch)
    with FileProgress() as report:
        report(1, 7, "BTC")
        report(7, 7, "ETH")
    assert "7/7" in shown.getvalue()
    assert "ETH" in shown.getvalue()
    assert shown.getvalue().endswith("\x1b[1A\x1b[2K"), "what is done needs no bar"


def test_files_are_told_of_where_they_take_long(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    # At the start, and then at each call and at each line.
    clock = iter((100.0, 101.0, 105.0, 105.0, 106.0, 111.0, 111.0))
    monkeypatch.setattr("momentum_opt.cli.data.progress.time.monotonic", lambda: next(clock))
    with FileProgress() as report:
        for done in (1, 2, 3, 4):
            report(done, 9, "BTC")
    assert capsys.readouterr().err.splitlines() == ["2/9 files, BTC", "4/9 files, BTC"]
