from pathlib import Path

import pytest

from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint import check_bar, choose_engine, explain
from tests.fingerprint.configs import small


@pytest.mark.parametrize(
    ("settings", "bar", "name", "reason"),
    [
        ([], 1, "closed_form", "linear interpolation"),
        ([], 5, "closed_form", "0.0015"),
        ([], 60, "in_chunk", "steps too large"),
        (["pool.maximum_change=1e-5"], 60, "closed_form", "0.0006"),
        (["pool.maximum_change=1e-5", "costs.arb_frequency=120"], 60, "closed_form", "0.0012"),
        (["pool.weight_interpolation_method=approx_optimal"], 1, "in_chunk", "approx_optimal"),
        (["costs.arb_frequency=5"], 1, "closed_form", "0.0015"),
        (["costs.arb_frequency=10"], 1, "in_chunk", "steps too large"),
        (["costs.arb_frequency=10", "pool.maximum_change=1e-5"], 1, "closed_form", "0.0001"),
        (["costs.arb_frequency=7"], 1, "in_chunk", "does not divide the block of 1440"),
        (["costs.arb_frequency=5", "pool.weight_interpolation_period=99"], 1, "in_chunk", "interpolation_period of 99"),
        (["costs.arb_frequency=5", "pool.chunk_period=2880"], 1, "closed_form", "linear"),
        (["pool.maximum_change=0.1"], 1, "in_chunk", "steps too large"),
        (["costs.fees=0.003"], 1, "with_costs", "cost"),
        (["costs.noise_trader_ratio=1"], 1, "closed_form", "linear"),
    ],
)
def test_choice(tmp_path: Path, settings: list[str], bar: int, name: str, reason: str):
    choice = choose_engine(small(tmp_path, *settings), bar)
    assert choice.name == name
    assert reason in choice.reason


def test_bar_must_divide_the_periods(tmp_path: Path):
    settings = ["pool.chunk_period=90", "pool.weight_interpolation_period=30", "costs.arb_frequency=90"]
    fingerprint = small(tmp_path, *settings)
    check_bar(fingerprint, 1)
    with pytest.raises(ConfigError) as caught:
        check_bar(fingerprint, 60)
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "pool.chunk_period",
        "pool.weight_interpolation_period",
        "costs.arb_frequency",
    ]
    assert caught.value.problems[2].endswith("bar of 60 minutes (90); give for example 60")
    check_bar(small(tmp_path, "costs.arb_frequency=120"), 60)


@pytest.mark.parametrize("metric", ["daily_var_95%", "daily_var_99%", "daily_raroc", "daily_rovar"])
def test_a_metric_of_returns_inside_a_day_needs_two_of_them(tmp_path: Path, metric: str):
    fingerprint = small(tmp_path, f"objective.metric={metric}", "window.validation_fraction=0")
    check_bar(fingerprint, 480)
    for bar in (720, 1440):
        with pytest.raises(ConfigError, match=rf"objective\.metric: {metric} reads .* of {bar} minutes leave .*; take"):
            check_bar(fingerprint, bar)


@pytest.mark.parametrize("bar", [1, 5, 60, 1440])
def test_without_an_arb_frequency_every_bar_is_arbitraged(tmp_path: Path, bar: int):
    plain, told = small(tmp_path), small(tmp_path, "costs.arb_frequency=1")
    check_bar(plain, bar)
    assert plain.costs.arb_minutes(bar) == bar
    assert plain["arb_frequency"] == 1
    assert plain.digest == told.digest
    assert small(tmp_path, "costs.arb_frequency=2").costs.arb_minutes(1) == 2


def test_explanation(tmp_path: Path):
    meaning = explain(small(tmp_path, "costs.noise_trader_ratio=1", "window.validation_fraction=0"))
    assert meaning["engine"]["name"] == "closed_form"
    assert meaning["periods"] == {
        "train": {"days": 365, "start": "2022-06-01", "end": "2023-06-01"},
        "validation": None,
        "test": {"days": 92, "start": "2023-06-01", "end": "2023-09-01"},
    }
    assert len(meaning["notes"]) == 1
    several = explain(
        small(tmp_path, "objective.multi_objective=true", "objective.windows=2", "objective.overfitting_penalty=0.5")
    )
    assert several["notes"] == ["overfitting_penalty does not act with multi_objective"]
