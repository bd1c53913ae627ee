from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint import Fingerprint, load_fingerprint
from momentum_opt.fingerprint.fields import Interval, to_number
from momentum_opt.fingerprint.keys import LEAVES, Leaf
from momentum_opt.fingerprint.mistakes import RefusedError, dotted
from momentum_opt.vocabulary.names import SAMPLERS
from tests.fingerprint.configs import SMALL, small, write


def problems(path: Path, overrides: Sequence[str] = ()) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_fingerprint(path, overrides)
    return [problem.removeprefix(str(path)) for problem in caught.value.problems]


FIVE = """\
tokens: [BTC, ETH, USDC]
window:
  start: 2022-06-01
  end: 2022-05-01
pool:
  chunk_perod: 1440
  minimum_weight: 0.5
costs:
  fees: 1.5
objective:
  metric: daily_sharp
"""


def test_all_mistakes_at_once_in_file_order(tmp_path: Path):
    assert problems(write(tmp_path, FIVE)) == [
        ":4: window.end: not after window.start ('2022-05-01'); give a date after 2022-06-01",
        ":6: pool.chunk_perod: unknown key; did you mean chunk_period?",
        ":7: pool.minimum_weight: 3 tokens cannot each hold as much (0.5); give at most 1/3; 0.0333333 is the default",
        ":9: costs.fees: out of range (1.5); give a number >= 0 and < 1",
        ":11: objective.metric: unknown value ('daily_sharp'); did you mean daily_sharpe?",
    ]


def test_a_rule_is_silent_where_its_values_are_wrong_already(tmp_path: Path):
    text = SMALL.replace("start: 2022-06-01", "start: yesterday") + "pool: {chunk_period: -3}\n"
    found = problems(write(tmp_path, text))
    assert [problem.split(": ")[1] for problem in found] == ["window.start", "pool.chunk_period"]


def test_a_mistake_in_one_parameter_hides_none_in_another(tmp_path: Path):
    text = SMALL + "search: {parameters: {log_k: {low: x}, logit_lamb: {low: 9}, log_kk: {}, logit_delta_lamb: }}\n"
    found = " ".join(problems(write(tmp_path, text)))
    for name in (
        "log_k.low: not a number",
        "logit_lamb: not a range",
        "log_kk: unknown",
        "logit_delta_lamb: acts only",
    ):
        assert f"search.parameters.{name}" in found


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("tokens=[BTC]", "1 token given; list 2 to 8"),
        ("tokens=[A, B, C, D, E, F, G, H, I]", "9 tokens given"),
        ("tokens=BTC", "not a list of tokens ('BTC')"),
        ("tokens=[BTC, BTC]", "tokens[1]: the same token twice ('BTC')"),
        ("tokens=[BTC, ../x]", "tokens[1]: not a token name ('../x')"),
        ("tokens=[BTC, 1]", "tokens[1]: not a token name (1)"),
        ("window.start=2022-06-31", "not a date ('2022-06-31'); write it as 2022-06-01"),
        ("window.start=2022-06-01 12:00:00", "not a date"),
        ("window.start=2022", "not a date (2022)"),
        ("window.start=2023-06-01", "window.end: not after window.start ('2023-06-01')"),
        ("window.end=2022-06-03", "window.validation_fraction: leaves 0 of 2 days to validation"),
        (
            "window.test_end=2023-06-01",
            "leaves 0 days to the test, and daily_log_sharpe needs 3 ('2023-06-01'); give a date 3 days after",
        ),
        ("window.test_end=2023-06-03", "leaves 2 days to the test, and daily_log_sharpe needs 3 ('2023-06-03')"),
        ("window.validation_fraction=1", "out of range (1); give a number >= 0 and < 1"),
        ("window.validation_fraction=0.001", "leaves 0 of 365 days to validation, and daily_log_sharpe needs 3"),
        ("window.validation_fraction=0.999", "window.end: 0 train days"),
        ("objective.windows=98", "292 train days in 98 windows leave 2 to the shortest, and daily_log_sharpe needs 3"),
        ("pool.rule=mean_reversion", "unknown value ('mean_reversion'); choose one of momentum"),
        ("pool.chunk_period=0", "out of range (0); give a whole number >= 1"),
        ("pool.chunk_period=1.5", "not a whole number (1.5)"),
        (
            "pool.chunk_period=1000",
            "neither divides a day of 1440 minutes nor is whole days (1000); give for example 720",
        ),
        ("pool.chunk_period=2000", "nor is whole days (2000); give for example 1440"),
        ("pool.weight_interpolation_period=1441", "longer than pool.chunk_period (1441); give at most 1440"),
        ("pool.weight_interpolation_method=linar", "did you mean linear?"),
        ("pool.maximum_change=0", "out of range"),
        ("pool.minimum_weight=0", "out of range"),
        ("pool.minimum_weight=0.34", "3 tokens cannot each hold as much"),
        ("pool.max_memory_days=0", "out of range (0); give a number >= 0.001 and <= 36500"),
        ("pool.max_memory_days=.inf", "not a finite number (inf)"),
        ("pool.max_memory_days=.nan", "not a finite number (nan)"),
        ("pool.max_memory_days=inf", "not a number ('inf')"),
        ("pool.max_memory_days=1e999", "not a finite number (inf)"),
        ("pool.max_memory_days='3'", "not a number ('3'); write it without quotes"),
        ("pool.max_memory_days=true", "not a number (True)"),
        ("pool.max_memory_days=1e300", "out of range (1e+300); give a number >= 0.001 and <= 36500"),
        ("pool.max_memory_days=1e-300", "out of range (1e-300)"),
        ("pool.initial_pool_value=1e-300", "out of range (1e-300); give a number >= 0.001 and <= 1e+18"),
        ("pool.initial_pool_value=1e300", "out of range"),
        ("pool.maximum_change=1e-300", "out of range (1e-300); give a number >= 1e-12 and <= 1"),
        ("pool.minimum_weight=1e-300", "out of range"),
        ("costs.gas_cost=1e300", "out of range (1e+300); give a number >= 0 and <= 1e+12"),
        ("costs.noise_trader_ratio=1e300", "out of range"),
        ("objective.overfitting_penalty=1e300", "out of range"),
        ("objective.turnover_penalty=1e300", "out of range"),
        ("search.timeout=1e300", "out of range"),
        ("search.early_stopping={patience: 3, min_improvement: 1e300}", "out of range"),
        (
            "search.parameters.log_k.high=1e300",
            "log_k.high=1e300: out of range (1e+300); give a number from -100 to 30",
        ),
        (
            "search.parameters.logit_lamb.low=-1e300",
            "logit_lamb.low=-1e300: out of range (-1e+300); give a number from",
        ),
        ("search.parameters.log_k.around.half_width=1e300", "out of range"),
        ("search.initial.initial_k_per_day=1e300", "out of range"),
        ("search.initial.initial_k_per_day={BTC: 1, ETH: 1e300, USDC: 1}", "initial_k_per_day.ETH: out of range"),
        ("search.initial.initial_memory_length=1e-300", "out of range"),
        ("search.initial.initial_memory_length_delta=1e300", "out of range"),
        ("search.initial.initial_weights_logits=1e300", "out of range"),
        ("pool.use_alt_lamb=yes", "not a switch ('yes'); write true or false"),
        ("pool.use_alt_lamb=1", "not a switch (1)"),
        ("costs.fees=-0.1", "out of range"),
        ("costs.fees=1", "out of range (1)"),
        ("costs.fees='0.003'", "not a number ('0.003'); write it without quotes"),
        ("costs.fees=fees.txt", "needs a number or a .parquet or .csv file ('fees.txt')"),
        ("costs.fees=fees.csv", "no such file"),
        ("costs.trades=5", "needs a .parquet or .csv file"),
        ("costs.protocol_fee_split=1.1", "out of range"),
        ("costs.arb_frequency=0", "out of range"),
        ("objective.metric=sharp", "did you mean sharpe?"),
        ("objective.aggregate=wors", "did you mean worst?"),
        ("objective.multi_objective=true", "set objective.windows to 2 or more"),
        ("search.sampler=tpee", "did you mean tpe?"),
        ("search.n_trials=0", "out of range"),
        (
            "search={sampler: nsga2, batch_size: 1}",
            "nsga2 breeds from two trials of a batch (1); give 2 or more, or another",
        ),
        ("search.seed=-1", "out of range"),
        ("search.timeout=0", "out of range"),
        (
            "search.storage=sqlite",
            "unknown storage ('sqlite'); write journal, journal:///path, or postgresql://host/name",
        ),
        ("search.study_name=''", "not text"),
        ("search.early_stopping=3", "not a section (3)"),
        ("search.early_stopping={min_improvement: 0}", "early_stopping.patience: missing; give a value, such as 200"),
        ("search.parameters.memory={}", "unknown parameter"),
        ("search.parameters=3", "not a section (3)"),
        ("search.parameters.log_k.low=12", "`low < high` must hold, but got low=12.0, high=12.0"),
        ("search.parameters.log_k.log_scale=true", "`low > 0` must hold with `log_scale`, but got low=-6.6"),
        ("search.parameters.log_k.hihg=3", "unknown key; did you mean high?"),
        ("search.parameters.log_k={around: {half_width: 1}, low: 2}", "log_k.low: stands beside around"),
        ("search.parameters.log_k.around.half_width=0", "out of range"),
        ("search.parameters.logit_delta_lamb={}", "acts only with use_alt_lamb"),
        ("search.initial.initial_k_per_day={BTC: 1, SOL: 2}", "lacks ETH, USDC and names SOL"),
        ("search.initial.initial_k_per_day=0", "out of range"),
        ("search.initial.initial_k_per_day={BTC: 1, ETH: -1, USDC: x}", "initial_k_per_day.USDC: not a number ('x')"),
        ("search.initial.initial_memory_length_delta=-10", "initial_memory_length plus this is not above 0 for BTC"),
        ("search.initial.initial_weights_logits={BTC: 9, ETH: 0, USDC: 0}", "softmax gives ETH a weight of 0.000123"),
        ("device.precision=float16", "did you mean float64?"),
        ("device.batch_limit=0", "out of range"),
        ("walk_forward={train_days: 400, test_days: 60}", "a fold of 400 + 60 days does not fit in the window's 457"),
        ("walk_forward={test_days: 60}", "walk_forward.train_days: missing"),
        ("evidence.blocks=15", "not even"),
        ("data.root=", "not a folder ('')"),
        ("data={root: 3}", "not a folder (3)"),
        ("data.max_gap_minutes=-1", "out of range"),
        ("pool.fees=0.1", "did you mean costs.fees?"),
        ("val_fraction=0.1", "did you mean window.validation_fraction?"),
        ("zzz=1", "unknown key; known here: baselines, costs, data, device,"),
    ],
)
def test_every_rule(tmp_path: Path, setting: str, said: str):
    found = problems(write(tmp_path), [setting])
    assert said in "\n".join(found)
    assert all("; " in problem for problem in found), "every message says what to do"


@pytest.mark.parametrize(
    ("setting", "wanted"),
    [
        ("max_drawdwn.min=-0.2", "objective.limits.max_drawdwn: unknown metric; did you mean max_drawdown?"),
        ("returns=", "no limit; give min, max or both"),
        ("returns={}", "no limit; give min, max or both"),
        ("returns=0.2", "not a limit (0.2); write {min: NUMBER}, {max: NUMBER} or both"),
        ("returns.minimum=1", "unknown key; did you mean min?"),
        ("returns.min=x", "not a number ('x'); give a number >= -1e+30 and <= 1e+30"),
        ("returns.min=.nan", "not a finite number (nan); give a number >= -1e+30 and <= 1e+30"),
        ("returns={min: 2, max: 1}", "min above max ('{min: 2, max: 1}'); swap them, or leave one out"),
        ("max_drawdown.min=0.25", "max_drawdown is never above 0 (0.25); losses are negative here: give -0.25"),
        ("volume.max=-1", "volume is never below 0 (-1.0); give a number above 0"),
        (
            "fee_yield.min=0.1",
            "objective.limits.fee_yield: is 0 for every pool where nothing is paid for a swap; "
            "give costs.fees above 0, or leave the limit out",
        ),
        (
            "monthly_rovar_trad.min=0",
            "objective.limits.monthly_rovar_trad: monthly_rovar_trad needs 90 days, and train has 24; "
            "take a longer train period, or leave the limit out",
        ),
    ],
)
def test_a_limit_names_a_metric_and_what_it_may_be(setting: str, wanted: str, tmp_path: Path):
    settings = [f"objective.limits.{setting}", "window.end=2022-07-01"]
    assert problems(write(tmp_path), settings) == [f"--set {settings[0]}: {wanted}"]


def test_a_metric_is_limited_once(tmp_path: Path):
    text = f"{SMALL}objective:\n  limits:\n    returns: {{min: 0}}\n    returns: {{min: 1}}\n"
    (found,) = problems(write(tmp_path, text))
    assert "objective.limits.returns: given twice" in found


def test_limits_of_minutes_are_kept_by_another_sampler_than_memetic(tmp_path: Path):
    path, limit = write(tmp_path), "objective.limits.max_drawdown.min=-0.2"
    assert load_fingerprint(path, [limit]).search.sampler == "nsga2"
    assert load_fingerprint(path, ["objective.limits.weight_turnover.max=20"]).search.sampler == "memetic"
    assert problems(path, [limit, "search.sampler=memetic"]) == [
        "--set search.sampler=memetic: cannot keep a limit of max_drawdown, which needs every minute's value "
        "('memetic'); take nsga2, or leave search.sampler out"
    ]


def test_limits_are_of_the_digest_and_a_run_without_any_is_as_before(tmp_path: Path):
    path = write(tmp_path)
    plain, limited = load_fingerprint(path), load_fingerprint(path, ["objective.limits.weight_turnover.max=20"])
    assert "limits" not in plain.canonical_json()
    assert '"limits":{"weight_turnover":{"max":20.0}}' in limited.canonical_json()
    assert limited.digest != plain.digest
    again = Fingerprint.from_dict(limited.to_dict())
    assert (again.digest, again.objective.limits) == (limited.digest, limited.objective.limits)


def test_penalty_needs_validation(tmp_path: Path):
    settings = ["objective.overfitting_penalty=0.5", "window.validation_fraction=0"]
    assert "--set objective.overfitting_penalty=0.5: compares with validation" in problems(write(tmp_path), settings)[0]
    assert small(tmp_path, settings[1]).periods.validation == (365, 365)


def test_cmaes_has_one_objective(tmp_path: Path):
    settings = ["search.sampler=cmaes", "objective.multi_objective=true", "objective.windows=2"]
    found = problems(write(tmp_path), settings)
    assert len(found) == 1
    assert found[0].startswith("--set search.sampler=cmaes: cannot search for several objectives ('cmaes'); take nsga2")


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "nsga2"])
def test_other_samplers_take_batches_of_one(tmp_path: Path, sampler: str):
    assert small(tmp_path, f"search.sampler={sampler}", "search.batch_size=1").search.batch_size == 1


def test_equal_weights_may_all_be_the_floor(tmp_path: Path):
    for n in range(2, 9):
        tokens = ", ".join(f"T{place}" for place in range(n))
        fingerprint = small(tmp_path, f"tokens=[{tokens}]", f"pool.minimum_weight={1 / n!r}")
        assert fingerprint.pool.minimum_weight == 1 / n


def test_missing_sections(tmp_path: Path):
    assert [problem.split(";")[0] for problem in problems(write(tmp_path, ""))] == [
        ":1: tokens: missing",
        ":1: window.start: missing",
        ":1: window.end: missing",
    ]
    assert problems(write(tmp_path, "tokens: [A, B]\n\nwindow:\n  end: 2022-01-01\n"))[0].startswith(":3: window.start")


def test_a_misspelt_required_key_is_one_mistake(tmp_path: Path):
    assert problems(write(tmp_path, SMALL.replace("start:", "strat:"))) == [
        ":3: window.strat: unknown key; did you mean start?"
    ]


def test_null_means_the_default(tmp_path: Path):
    fingerprint = load_fingerprint(write(tmp_path, SMALL + "pool:\ncosts: {fees: }\nsearch: {timeout: ~}\n"))
    assert fingerprint == small(tmp_path)


def test_a_parameter_named_without_a_range_is_asked_for(tmp_path: Path):
    path = write(tmp_path, SMALL + "search:\n  parameters:\n    initial_weights_logits:\n")
    assert list(load_fingerprint(path).search.parameters) == ["initial_weights_logits"]


MAY_BE_NEGATIVE = {"initial_weights_logits", "initial_memory_length_delta"}


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: dotted(leaf.path))
def test_no_wrong_value_gets_past(leaf: Leaf):
    for value in (float("nan"), float("inf"), -float("inf"), [], {"x": 1}, -1, 10**400):
        if value == -1 and leaf.path[-1] in MAY_BE_NEGATIVE:
            continue
        mapping: dict[str, Any] = {"tokens": ["A", "B"], "startDateString": "2022-01-01", "endDateString": "2022-06-01"}
        branch = mapping
        for part in leaf.key[:-1]:
            branch = branch.setdefault(part, {})
        branch[leaf.key[-1]] = value
        with pytest.raises(ConfigError) as caught:
            Fingerprint.from_dict(mapping)
        assert any(problem.startswith(f"fingerprint: {dotted(leaf.key)}") for problem in caught.value.problems)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_intervals(value: float):
    interval = Interval(above=0, at_most=1)
    if 0 < value <= 1:
        assert to_number(value, interval) == value
    else:
        with pytest.raises(RefusedError, match="give a number > 0 and <= 1"):
            to_number(value, interval)
