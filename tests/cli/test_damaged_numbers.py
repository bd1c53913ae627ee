"""Numbers that leave something undefined or overflow: each is exit code 2 and one line, before anything is written."""

import json
import re
from typing import Any

import pytest

from momentum_opt.cli.app import main
from tests.cli.damage import FIRST_MS, HOUR_MS, PARAMS, TOKENS, Site
from tests.cli.test_damaged_inputs import SOUND_COSTS, SOUND_TRADES, assert_refused, site, sound

__all__ = ["site", "sound"]  # fixtures

FOLDS = ("walk_forward.train_days=8", "walk_forward.test_days=4")

DAYS = [
    (("objective.windows=4",), r"9 train days in 4 windows leave 2 to the shortest, and daily_log_sharpe needs 3 .*; "),
    (("window.validation_fraction=0.15",), r"leaves 2 of 13 days to validation, and daily_log_sharpe needs 3 \("),
    (("window.end=2023-01-14", "window.test_end=2023-01-16"), r"leaves 2 days to the test, and daily_log_sharpe needs"),
    (("window.validation_fraction=0.1", "objective.metric=cvar_95"), r"leaves 1 of 13 days .* cvar_95 needs 3"),
    (("objective.metric=weekly_max_drawdown",), r"leaves 4 of 13 days to validation, and weekly_max_drawdown needs 7"),
    (("objective.metric=weekly_var_95%_trad", "window.validation_fraction=0"), r"13 train days, and .* needs 21"),
    (("objective.metric=ulcer", "window.validation_fraction=0"), r"window\.end: 13 train days, and ulcer needs 30"),
    (("walk_forward.train_days=8", "walk_forward.test_days=2", "window.validation_fraction=0"),
     r"walk_forward\.test_days=2: daily_log_sharpe needs 3 days \(2\); give 3 or more"),
    (FOLDS, r"window\.validation_fraction leaves 2 days of a fold to validation, and daily_log_sharpe needs 3"),
    ((*FOLDS, "window.validation_fraction=0", "objective.windows=3"), r"a fold's 8 train days in 3 windows leave 2"),
]  # fmt: skip
SIZES = [
    (
        ("search.sampler=nsga2", "search.batch_size=1"),
        r"search\.batch_size=1: nsga2 breeds from two trials of a batch \(1\); give 2 or more",
    ),
    (("search.batch_size=1", "objective.multi_objective=true", "objective.windows=2"), r"nsga2 breeds from two trials"),
    (("pool.initial_pool_value=1e-300",), r"out of range \(1e-300\); give a number >= 0\.001 and <= 1e\+18"),
    (("pool.max_memory_days=1e300",), r"out of range \(1e\+300\); give"),
    (("costs.gas_cost=1e300",), r"out of range \(1e\+300\); give"),
    (("search.parameters.log_k.high=1e300",), r"out of range \(1e\+300\); give a number from -100 to 30"),
]
VALUES = [
    ("k_per_day", 1e300, r"params\.k_per_day must be from 0 to 1e\+09, but holds .*; give"),
    ("k", 1e300, r"params\.k` must be from 0 to 1e\+09"),
    ("log_k", 1e300, r"params\.log_k` must be from -100 to 30"),
    ("log_k", -1e300, r"params\.log_k` must be from -100 to 30"),
    ("absolute_k", 1e300, r"params\.absolute_k` must be from 0 to 1e\+12"),
    ("memory_days", 1e300, r"params\.memory_days must be from 1e-06 to 36500"),
    ("memory_days", 1e-300, r"params\.memory_days must be from 1e-06 to 36500"),
    ("logit_lamb", -1e300, r"params\.logit_lamb` must be from -100 to 100"),
    ("initial_weights_logits", 1e300, r"params\.initial_weights_logits` must be from -100 to 100"),
]
ALTERNATIVES = {"k_per_day": "log_k", "k": "log_k", "absolute_k": "log_k", "memory_days": "logit_lamb"}


def given(settings: tuple[str, ...]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


@pytest.mark.parametrize(("settings", "said"), [*DAYS, *SIZES], ids=[" ".join(one) for one, _ in (*DAYS, *SIZES)])
def test_configurations(site: Site, settings: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]):
    assert_refused(site, "", said, capsys, "config", "check", site.config, *given(settings))


@pytest.mark.parametrize("command", ["tune", "walk-forward"])
def test_other_commands_check_the_same(site: Site, command: str, capsys: pytest.CaptureFixture[str]):
    words = given(("walk_forward.train_days=11", "walk_forward.test_days=2"))
    assert_refused(site, "", "needs 3 days", capsys, command, site.config, *words, "--run-dir", site.folder / "new")


def params_file(site: Site, name: str, value: Any) -> None:
    params: dict[str, Any] = {**PARAMS, name: dict.fromkeys(TOKENS, value)}
    params.pop(ALTERNATIVES.get(name, ""), None)
    site.best.write_text(json.dumps({"params": params}))


@pytest.mark.parametrize(("name", "value", "said"), VALUES, ids=[f"{name} {value:g}" for name, value, _ in VALUES])
def test_params_files(site: Site, name: str, value: float, said: str, capsys: pytest.CaptureFixture[str]):
    params_file(site, name, value)
    assert_refused(site, "best.json", said, capsys, "backtest", "--params", site.best, "--config", site.config)


@pytest.mark.parametrize(
    ("key", "content", "said"),
    [
        (
            "gas_cost",
            SOUND_COSTS.replace("0.001", "1e300"),
            r"is 1e\+300 .*it must be 0 or from 1e-30 to 1e30: mend",
        ),
        ("lp_supply", SOUND_COSTS.replace("0.001", "1e-300"), r"is 1e-300 .*from 1e-30 to 1e30"),
        ("trades", SOUND_TRADES.replace("1.5", "1e300"), r"is 1e\+300 .*from 1e-30 to 1e30"),
    ],
)
def test_files_of_costs(site: Site, key: str, content: str, said: str, capsys: pytest.CaptureFixture[str]):
    path = site.folder / "costs.csv"
    path.write_text(content)
    words = ("--set", f"costs.{key}={path}", "--run-dir", site.folder / "new")
    assert_refused(site, "costs.csv", said, capsys, "tune", site.config, *words)


def test_what_a_backtest_does_not_do_is_told_in_a_line(site: Site, capsys: pytest.CaptureFixture[str]):
    params_file(site, "memory_days", 999)
    with pytest.raises(SystemExit) as caught:
        main(["backtest", "--params", str(site.best), "--config", str(site.config)])
    assert caught.value.code == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: memory of AAA (999 days)")]
    assert len(notes) == 1
    assert notes[0].endswith("is above pool.max_memory_days, so 2 days are simulated")


@pytest.mark.parametrize("days", [-2, 40])
def test_trades_of_which_none_lies_inside_the_window(site: Site, days: int, capsys: pytest.CaptureFixture[str]):
    """Before the window, or after it: the run does without, and says so."""
    path = site.folder / "trades.csv"
    path.write_text(f"unix,token_in,token_out,amount_in\n{FIRST_MS + days * 24 * HOUR_MS},AAA,BBB,1.5\n")
    params_file(site, "log_k", 4.0)
    with pytest.raises(SystemExit) as caught:
        main(["backtest", "--params", str(site.best), "--config", str(site.config), "--set", f"costs.trades={path}"])
    captured = capsys.readouterr()
    assert caught.value.code == 0, captured.err
    assert re.search(r"note: costs\.trades: the only trade in \S+ lies outside the window", captured.out)
    assert "outside trades in train: 0 done, 0 larger than the pool takes" in captured.out
