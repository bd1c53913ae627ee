"""Importances of parameters: objectives whose parameters' weight is known."""

import numpy as np
import pytest

from momentum_opt.study.importance import FEWEST_TRIALS, parameter_importances

RNG = np.random.default_rng(0)
ONE, OTHER, UNUSED = (RNG.uniform(-1, 1, 400) for _ in range(3))


def test_what_decides_comes_first_and_the_shares_sum_to_one():
    params = {"log_k": {"BTC": ONE, "ETH": OTHER}, "logit_lamb": {"BTC": UNUSED, "ETH": np.zeros(400)}}
    found = parameter_importances(params, -(ONE**2) - 0.1 * OTHER**2)
    assert set(found) == {"log_k_BTC", "log_k_ETH", "logit_lamb_BTC"}  # what does not vary has none
    assert sum(found.values()) == pytest.approx(1.0)
    assert found["log_k_BTC"] > 0.7
    assert found["logit_lamb_BTC"] < 0.05
    assert next(iter(found)) == "log_k_BTC"


def test_a_number_that_all_tokens_share_is_one_parameter():
    found = parameter_importances({"log_k": {"BTC": ONE, "ETH": ONE}, "k": {"BTC": OTHER, "ETH": UNUSED}}, ONE)
    assert set(found) == {"log_k", "k_BTC", "k_ETH"}


def test_failed_trials_do_not_count():
    failed = np.where(np.arange(400) % 3 == 0, np.nan, ONE)
    complete = np.isfinite(failed)
    params = {"log_k": {"BTC": ONE}, "logit_lamb": {"BTC": OTHER}}
    kept = {name: {token: values[complete] for token, values in table.items()} for name, table in params.items()}
    assert parameter_importances(params, failed) == parameter_importances(kept, failed[complete])


@pytest.mark.parametrize(
    "objective", [np.full(400, np.nan), np.ones(400), np.where(np.arange(400) < FEWEST_TRIALS - 1, ONE, np.nan)]
)
def test_too_little_to_tell(objective: np.ndarray):
    assert parameter_importances({"log_k": {"BTC": ONE}}, objective) == {}
