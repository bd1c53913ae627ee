"""`simulate` of a notebook: the numbers of a replay and of a best.json, and of a set however it is written."""

import json

import numpy as np
import pytest

from momentum_opt import market_of, simulate
from momentum_opt.errors import ParamsError
from momentum_opt.study.replay import replay
from momentum_opt.study.space import start_params
from tests.sample_runs import TOKENS, smoke, tuned

WITH_COSTS = ("costs.fees=0.003", "costs.gas_cost=1")


@pytest.mark.parametrize("overrides", [(), pytest.param(WITH_COSTS, marks=pytest.mark.slow)])
def test_a_simulation_is_the_replay(overrides: tuple[str, ...]):
    fingerprint = smoke("window.end=2023-03-11", "window.test_end=2023-03-13", "objective.metric=returns", *overrides)
    market = market_of(fingerprint)
    params = start_params(fingerprint)
    (found,) = simulate(fingerprint, market, [params])
    wanted = replay(fingerprint, market, params)
    for name in ("value", "weights", "reserves"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=1e-13)
    assert found.tokens == TOKENS
    assert str(found.times[0]) == "2023-03-01T00:00:00.000"
    assert len(found.times) == len(found.value) == 12 * 1440
    np.testing.assert_allclose((found.reserves * found.prices).sum(axis=1), found.value, rtol=1e-12)


@pytest.mark.slow
def test_the_params_of_a_best_json(tmp_path_factory: pytest.TempPathFactory):
    _, folder = tuned(tmp_path_factory.getbasetemp())
    best = json.loads((folder / "best.json").read_text())
    fingerprint = smoke()
    (found,) = simulate(fingerprint, market_of(fingerprint), [best["params"]])
    first, end = (day * 1440 for day in fingerprint.periods.train)
    train = found.value[first:end]
    assert train[-1] / train[0] - 1 == pytest.approx(best["metrics"]["train"]["returns"], rel=1e-9)


def test_sets_are_written_as_is_handy():
    fingerprint = smoke("window.end=2023-03-11", "window.test_end=2023-03-13", "objective.metric=returns")
    sets = [
        {"k_per_day": 20.0, "memory_days": 10.0},
        {"k_per_day": dict.fromkeys(TOKENS, 20.0), "memory_days": np.full(3, 10.0)},
        {"k_per_day": 0.0, "memory_days": 10.0},
    ]
    one, same, still = simulate(fingerprint, market_of(fingerprint), sets)
    np.testing.assert_array_equal(one.weights, same.weights)
    assert np.ptp(one.weights[:, 0]) > 0
    np.testing.assert_allclose(still.weights, 1 / 3, rtol=1e-12)


def test_a_bad_set_is_named():
    fingerprint = smoke("window.end=2023-03-11", "window.test_end=2023-03-13", "objective.metric=returns")
    sets = [{"k_per_day": 20.0, "memory_days": 10.0}, {"k_per_day": 20.0}]
    with pytest.raises(ParamsError, match=r"sets\[1\]: .*is missing logit_lamb"):
        simulate(fingerprint, market_of(fingerprint), sets)
