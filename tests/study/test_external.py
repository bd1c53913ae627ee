"""Varying costs, outside trades and LP supply through replay and evaluator, against the oracle's minute loop."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from momentum_opt.errors import UsageError
from momentum_opt.study.candidates import ParamSet
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.replay import Replay, replay
from momentum_opt.vocabulary.metrics import METRICS
from tests.reference.minute_loop import Path, Pool
from tests.simulation.cases import Case, random_params
from tests.simulation.external_case import ExternalCase, held, random_supply, random_trades
from tests.study.slices_oracle import plain_objective, slice_metrics

pytestmark = pytest.mark.slow

DAYS, TRAIN = 18, 12
POOL = Pool(
    bar_minutes=30, chunk_period=120, arb_frequency=60, max_memory_days=2.0, maximum_change=1e-3,
    noise_trader_ratio=0.5, protocol_fee_split=0.25,
)  # fmt: skip
CASE = Case.random(POOL, 3, DAYS)
BARS = DAYS * 48
SETS = [random_params(3, POOL.floor(3), seed) for seed in range(2)]
ALL = ExternalCase(
    CASE,
    {
        "fees": held(np.array([0.0, 0.003, 0.01, 0.0005]), BARS, 37),
        "gas_cost": held(np.array([0.0, 2.0, 5.0]), BARS, 11),
        "arb_fees": held(np.array([0.0, 3e-4]), BARS, 100),
    },
    random_trades(CASE, 60),
    random_supply(BARS),
)
PLAIN = replace(CASE, pool=replace(POOL, fees=0.002, arb_frequency=30))
MIXED = {
    "all of it, fees sometimes zero": ALL,
    "a file of fees beside numbers": ExternalCase(
        replace(CASE, pool=replace(POOL, gas_cost=1.0)), {"fees": ALL.costs["fees"] + 1e-4}
    ),
    "no fees, a file of gas": ExternalCase(CASE, {"fees": np.zeros(BARS), "gas_cost": ALL.costs["gas_cost"]}),
    "supply alone": ExternalCase(replace(CASE, pool=replace(POOL, arb_frequency=30)), {}, (), random_supply(BARS)),
}


def still(given: ExternalCase, params: ParamSet) -> Path:
    """The pool that keeps these initial weights, among the same traders; per first pool token."""
    kept = {name: values for name, values in params.items() if name != "log_k"} | {"absolute_k": np.zeros(3)}
    return given.of_first_tokens(given.reference(kept))


@cache
def replayed() -> Replay:
    return replay(ALL.fingerprint(DAYS, 1 - TRAIN / DAYS), ALL.market, SETS[0])


@pytest.mark.parametrize("name", list(MIXED))
def test_values_and_reserves_are_the_oracles(name: str) -> None:
    given = MIXED[name]
    found = replayed() if given is ALL else replay(given.fingerprint(), given.market, SETS[0])
    wanted = given.reference(SETS[0])
    np.testing.assert_allclose(found.value, wanted.value, rtol=1e-9)
    np.testing.assert_allclose(found.reserves, wanted.reserves, rtol=1e-9)
    scores = Evaluator(given.fingerprint(), given.market, batch_size=2, own_weights=True).score(SETS)
    for place, params in enumerate(SETS):
        path = given.of_first_tokens(given.reference(params))
        metrics = slice_metrics(given.case, path, (0, DAYS), constant_weight=still(given, params))
        for metric, values in scores.train.items():
            assert values[place] == pytest.approx(metrics[metric], rel=1e-8, abs=1e-11), metric


def test_all_metrics_are_those_of_the_first_pool_tokens() -> None:
    path, kept = ALL.of_first_tokens(ALL.reference(SETS[0])), still(ALL, SETS[0])
    for period, days in (("train", (0, TRAIN)), ("validation", (TRAIN, DAYS))):
        wanted = slice_metrics(CASE, path, days, constant_weight=kept)
        for name in METRICS:
            if np.isfinite(wanted[name]):
                assert replayed().metrics[period][name] == pytest.approx(wanted[name], rel=1e-7, abs=1e-11), name
    assert ALL.supply is not None
    np.testing.assert_allclose(replayed().lp_supply, ALL.supply / ALL.supply[0])
    np.testing.assert_allclose(replayed().value_of_first_tokens, path.value, rtol=1e-9)


def test_fees_of_traders_are_earned_and_refused_trades_counted() -> None:
    wanted = ALL.reference(SETS[0])
    for period, (first, end) in (("train", (0, TRAIN * 48)), ("validation", (TRAIN * 48, BARS))):
        earned = replayed().fees_earned[period]
        assert earned["liquidity_providers"] == pytest.approx(wanted.fees_lp[first:end].sum(), rel=1e-9)
        assert earned["protocol"] == pytest.approx(wanted.fees_protocol[first:end].sum(), rel=1e-9)
    counts = replayed().trades
    assert counts is not None
    assert sum(count["done"] + count["refused"] for count in counts.values()) == 60
    assert sum(count["refused"] for count in counts.values()) == 6


def test_the_constant_weight_pool_meets_the_same_traders() -> None:
    np.testing.assert_allclose(replayed().baselines["constant_weight"], still(ALL, SETS[0]).value, rtol=1e-9)
    prices = CASE.prices[CASE.start_row :]
    hodl = prices @ ALL.reference(SETS[0]).reserves[0]
    np.testing.assert_allclose(replayed().baselines["hodl"], hodl, rtol=1e-12)


def test_minute_metrics_and_turnover_of_a_batch() -> None:
    """Reduced in the loop, at every bar although the pool is arbitraged at every other; two windows, a validation."""
    keys = {"objective": {"windows": 2, "aggregate": "worst"}, "return_val": "max_drawdown", "turnover_penalty": 3.0}
    keys["optimisation_settings"] = {"optuna_settings": {"overfitting_penalty": 0.5}}
    given = ALL.fingerprint(DAYS, 1 - TRAIN / DAYS, **keys)
    scores = Evaluator(given, ALL.market, batch_size=2).score(SETS)
    for place, params in enumerate(SETS):
        path = ALL.of_first_tokens(ALL.reference(params))
        wanted = plain_objective(
            CASE, path, "max_drawdown", TRAIN, DAYS, how="worst", windows=2, overfitting=0.5, turnover=3.0
        )
        assert scores.objectives[place, 0] == pytest.approx(wanted, rel=1e-9)


def test_deposits_change_no_return() -> None:
    """They scale the pool, and fees are shares of it."""
    quiet = ExternalCase(PLAIN, {}, (), random_supply(BARS))
    found = replay(quiet.fingerprint(), quiet.market, SETS[0])
    plain = replay(PLAIN.fingerprint(), PLAIN.market, SETS[0])
    np.testing.assert_allclose(found.value_of_first_tokens, plain.value, rtol=1e-12)
    assert abs(found.value[-1] / plain.value[-1] - 1.0) > 0.01


def test_files_that_were_not_read_are_refused() -> None:
    with pytest.raises(UsageError, match=r"costs\.arb_fees: its file and what was read do not belong together"):
        replay(ALL.fingerprint(), CASE.market, SETS[0])
