"""The six golden cases with costs (SPEC §18), through the replay and through the evaluator, and the study's laws."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from momentum_opt.simulation import minute_kernel, minute_walk
from momentum_opt.study import evaluation
from momentum_opt.study.candidates import stack
from momentum_opt.study.evaluation import Evaluator, score_walked
from momentum_opt.study.replay import replay
from momentum_opt.study.scoring import score_candidates
from momentum_opt.study.sharding import compiled_for
from tests.reference.golden_cases import CASES
from tests.reference.minute_loop import Pool
from tests.shared_data import needs_shared
from tests.simulation.cases import Case, random_params
from tests.simulation_case import golden_run

pytestmark = pytest.mark.golden

COSTLY = [name for name, entry in CASES.items() if {"fees", "gas_cost"} & set(entry["case"])]
QUICK = Pool(chunk_period=60, max_memory_days=2.0, maximum_change=1e-3, fees=0.003, protocol_fee_split=0.25)


@needs_shared
def test_there_are_six() -> None:
    assert len(COSTLY) == 6


@needs_shared
@pytest.mark.parametrize("name", COSTLY)
def test_golden_values_and_metrics(name: str) -> None:
    fingerprint, market, params = golden_run(name)
    found, wanted = replay(fingerprint, market, params), CASES[name]["expected"]
    for rows, quantity in ((found.value, "value"), (found.reserves, "reserves")):
        np.testing.assert_allclose(rows[::1440], wanted[f"daily_{quantity}"], rtol=1e-8)
        np.testing.assert_allclose(rows[-1], wanted[f"final_{quantity}"], rtol=1e-8)
    np.testing.assert_allclose(found.value[1440:1560], wanted["minute_value_day2"], rtol=1e-8)
    scores = Evaluator(fingerprint, market, batch_size=2).score([params, params])
    assert scores.objectives[1, 0] == pytest.approx(found.objectives[0], rel=1e-11)
    for metric, value in wanted["metrics"].items():
        if value is None:
            assert not math.isfinite(found.metrics["train"][metric])
            continue
        assert found.metrics["train"][metric] == pytest.approx(value, rel=1e-6)
        if metric in scores.train:
            assert scores.train[metric][0] == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("keys", [{"return_val": "calmar"}, {"turnover_penalty": 0.5}])
def test_minute_objectives_of_a_batch_equal_the_replay(keys: dict[str, object]) -> None:
    case = Case.random(QUICK, 3, 6)
    fingerprint, sets = case.fingerprint(**keys), [random_params(3, QUICK.floor(3), seed) for seed in range(10)]
    scores = Evaluator(fingerprint, case.market, batch_size=10).score(sets)
    for place in (0, 9):
        wanted = replay(fingerprint, case.market, sets[place]).objectives[0]
        assert scores.objectives[place, 0] == pytest.approx(wanted, rel=1e-9)


def arrays_of(jaxpr: Any) -> Iterator[tuple[int, ...]]:
    """The shapes of everything that a program computes, in the bodies of its loops too."""
    for equation in jaxpr.eqns:
        yield from (variable.aval.shape for variable in equation.outvars if hasattr(variable.aval, "shape"))
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda x: hasattr(x, "eqns")):
            inner = getattr(inner, "jaxpr", inner)
            if hasattr(inner, "eqns"):
                yield from arrays_of(inner)


@pytest.mark.parametrize("metric", ["max_drawdown", "daily_var_95%", "sharpe", "monthly_rovar"])
def test_minute_metrics_hold_no_minutes_of_all_candidates(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nowhere in XLA's program is an array of more than a day's, or a month's twentieth, numbers per candidate."""
    monkeypatch.setattr(evaluation, "kernel_serves", lambda *_: False)
    case, lanes = Case.random(QUICK, 3, 62), 1024
    scored = Evaluator(case.fingerprint(return_val=metric, turnover_penalty=1.0), case.market, batch_size=lanes)
    share = lanes // len(scored._devices)
    candidates = stack([random_params(3, QUICK.floor(3), 0)], share, jnp.float64)
    inputs = (scored._arrays, scored._settings, scored._penalties, candidates)
    program = jax.make_jaxpr(score_candidates, static_argnums=(0, 1))(scored.spec, scored.scoring, *inputs)
    per_candidate = [np.prod(shape) // share for shape in arrays_of(program.jaxpr) if shape and shape[-1] == share]
    assert max(per_candidate) >= 1440  # the day's values are there
    assert max(per_candidate) <= (1440 + 0.05 * 30 * 1440 + 2 if metric == "monthly_rovar" else 3 * 1440)


def test_a_batch_spread_over_the_cores_keeps_its_order() -> None:
    case = Case.random(QUICK, 3, 4)
    sets = [random_params(3, QUICK.floor(3), seed) for seed in range(131)]
    whole = Evaluator(case.fingerprint(), case.market, batch_size=131).score(sets)
    single = Evaluator(case.fingerprint(), case.market, batch_size=1)
    for place in (0, 65, 66, 130):
        assert whole.objectives[place, 0] == pytest.approx(single.score([sets[place]]).objectives[0, 0], rel=1e-10)


def test_fees_earned_per_period() -> None:
    case = Case.random(QUICK, 3, 10)
    fingerprint, params = case.fingerprint(val_fraction=0.3), random_params(3, QUICK.floor(3), 0)
    wanted = case.reference(params)
    found = replay(fingerprint, case.market, params).fees_earned
    for period, days in (("train", slice(0, 7 * 1440)), ("validation", slice(7 * 1440, None))):
        assert found[period]["liquidity_providers"] == pytest.approx(wanted.fees_lp[days].sum(), rel=1e-9)
        assert found[period]["protocol"] == pytest.approx(wanted.fees_protocol[days].sum(), rel=1e-9)


def test_nothing_is_earned_without_costs() -> None:
    case = Case.random(Pool(chunk_period=60, max_memory_days=2.0), 2, 2)
    found = replay(case.fingerprint(), case.market, random_params(2, 0.05, 0))
    assert found.fees_earned == {"train": {"liquidity_providers": 0.0, "protocol": 0.0}}


@pytest.mark.parametrize("pool", [QUICK, replace(QUICK, fees=0.0, gas_cost=1.0, protocol_fee_split=0.0)])
def test_the_constant_weight_baseline_pays_the_same_costs(pool: Pool) -> None:
    case, params = Case.random(pool, 3, 4), random_params(3, pool.floor(3), 0)
    still = {name: values for name, values in params.items() if name not in ("log_k", "k")}
    wanted = case.reference({**still, "absolute_k": np.zeros(3)}).value
    found = replay(case.fingerprint(), case.market, params).baselines["constant_weight"]
    np.testing.assert_allclose(found, wanted, rtol=1e-9)
    free = replay(replace(case, pool=replace(pool, fees=0.0, gas_cost=0.0)).fingerprint(), case.market, params)
    assert abs(free.baselines["constant_weight"][-1] / wanted[-1] - 1.0) > 1e-8


@pytest.mark.parametrize("metric", ["daily_log_sharpe", "max_drawdown"])
def test_a_sweep_over_fees_compiles_once(metric: str) -> None:
    """By the kernel, and by XLA's loop where minutes are asked."""
    case, params = Case.random(QUICK, 3, 4), random_params(3, QUICK.floor(3), 0)

    def value(**costs: float) -> float:
        fingerprint = case.fingerprint(return_val=metric, **costs)
        return Evaluator(fingerprint, case.market, batch_size=2).score([params]).objectives[0, 0]

    def compiled() -> tuple[int, ...]:
        return (
            compiled_for.cache_info().misses,
            minute_kernel._compiled.cache_info().misses,
            minute_walk._weights._cache_size(),
            score_walked._cache_size(),
        )

    none = compiled()
    value()
    before = compiled()
    assert before != none
    assert len({value(fees=fees, gas_cost=gas) for fees, gas in ((0.001, 0.0), (0.01, 0.0), (0.01, 50.0))}) == 3
    assert compiled() == before
