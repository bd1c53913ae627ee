"""Decay, memory and k (SPEC §5) against 60-digit arithmetic, and what the closed form promises."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from momentum_opt.errors import ParamsError
from momentum_opt.pool.memory import (
    calc_k,
    calc_lamb,
    capped_lamb,
    effective_logit_limit,
    lamb_to_memory_days,
    lamb_to_memory_days_clipped,
    memory_days_to_lamb,
)
from tests.reference import estimator

PERIODS = st.sampled_from([1, 5, 60, 240, 1440, 2880, 10080])
DAYS = st.floats(math.log(0.01), math.log(3650.0)).map(math.exp)


@settings(max_examples=150)
@given(memory=DAYS, P=PERIODS)
def test_decay_is_the_root_of_the_cubic_to_twelve_digits(memory, P):
    np.testing.assert_allclose(memory_days_to_lamb(memory, P), estimator.decay(memory, P), rtol=1e-12)


@pytest.mark.parametrize("P", [1, 60, 1440, 10080])
@pytest.mark.parametrize("memory", [0.01, 0.5, 30.0, 365.0, 3650.0])
def test_decay_at_the_corners(memory, P):
    found = float(memory_days_to_lamb(memory, P))
    assert found == pytest.approx(estimator.decay(memory, P), rel=1e-12)
    assert 0.0 < found < 1.0


def test_no_memory_is_no_decay():
    assert memory_days_to_lamb(0.0, 1440) == 0.0
    np.testing.assert_array_equal(memory_days_to_lamb(jnp.zeros(3), 60), 0.0)


@settings(max_examples=80)
@given(memory=DAYS, P=PERIODS)
def test_round_trip(memory, P):
    """Only what rounding λ itself to float64 takes from 1 − λ is lost."""
    lamb = memory_days_to_lamb(memory, P)
    tolerance = 5e-15 + 0.6 * np.finfo(float).eps / (1.0 - float(lamb))
    np.testing.assert_allclose(lamb_to_memory_days(lamb, P), memory, rtol=tolerance)


def test_round_trip_at_the_worst_corner():
    np.testing.assert_allclose(lamb_to_memory_days(memory_days_to_lamb(3650.0, 1), 1), 3650.0, rtol=5e-11)


def test_memory_is_the_formula_of_the_spec():
    lamb = np.linspace(0.001, 0.999, 50)
    wanted = 2.0 * (240 / 1440) * np.cbrt(6.0 * lamb / (1.0 - lamb) ** 3)
    np.testing.assert_allclose(lamb_to_memory_days(jnp.asarray(lamb), 240), wanted, rtol=1e-13)


@settings(max_examples=40)
@given(memory=DAYS, P=PERIODS)
def test_the_slope_is_finite_and_that_of_the_inverse(memory, P):
    slope = jax.grad(memory_days_to_lamb)(memory, P)
    lamb = estimator.decay(memory, P)
    # d log memory / d log λ = 1/3 + λ/(1−λ)
    np.testing.assert_allclose(slope * memory / lamb, 1.0 / (1.0 / 3.0 + lamb / (1.0 - lamb)), rtol=1e-7)


def test_slopes_at_the_ends_are_finite():
    assert np.isfinite(jax.grad(memory_days_to_lamb)(0.0, 1440))
    for logit in (-30.0, -4.0, 0.0, 4.6, 8.0, 30.0):
        slope = jax.grad(lambda x: lamb_to_memory_days_clipped(capped_lamb(x, 365.0, 1440), 1440, 365.0))(logit)
        assert np.isfinite(slope), logit


def test_the_cap_holds_decay_and_memory():
    limit = effective_logit_limit(365.0, 1440)
    assert limit == pytest.approx(4.60, abs=0.005)  # the figure of SPEC §5
    logits = jnp.array([-4.0, limit - 0.1, limit + 0.1, 8.0])
    found = capped_lamb(logits, 365.0, 1440)
    cap = estimator.decay(365.0, 1440)
    np.testing.assert_allclose(found, np.minimum(estimator.logistic(np.asarray(logits)), cap), rtol=1e-12)
    np.testing.assert_allclose(lamb_to_memory_days_clipped(found, 1440, 365.0)[2:], 365.0, rtol=1e-11)
    np.testing.assert_allclose(lamb_to_memory_days_clipped(jnp.array([0.5, 0.9999]), 1440, 3.0)[1], 3.0)


def test_lamb_is_the_logistic():
    np.testing.assert_allclose(calc_lamb({"logit_lamb": [0.0, 4.0, -800.0]}), [0.5, 1 / (1 + math.exp(-4)), 0.0])
    np.testing.assert_allclose(calc_lamb({"logit_delta_lamb": 1.0}, "logit_delta_lamb"), 1 / (1 + math.exp(-1)))


def test_three_forms_of_k_and_their_order():
    memory = jnp.array([2.0, 5.0])
    np.testing.assert_allclose(calc_k({"log_k": [1.0, 3.0]}, memory), [4.0, 40.0])
    np.testing.assert_allclose(calc_k({"k": 3.0}, memory), [6.0, 15.0])
    np.testing.assert_allclose(calc_k({"absolute_k": 7.0}, memory), 7.0)
    everything = {"k": 3.0, "absolute_k": 7.0, "log_k": [1.0, 3.0]}
    np.testing.assert_allclose(calc_k(everything, memory), [4.0, 40.0])
    del everything["log_k"]
    np.testing.assert_allclose(calc_k(everything, memory), 7.0)


@pytest.mark.parametrize("name", ["k", "absolute_k"])
def test_a_negative_k_is_refused(name):
    with pytest.raises(ParamsError, match=rf"`{name}` must not be negative, but got \[1.0, -0.5\]"):
        calc_k({name: [1.0, -0.5]}, jnp.ones(2))
    np.testing.assert_array_equal(calc_k({name: [1.0, 0.0]}, jnp.ones(2)), [1.0, 0.0])
    traced = jax.jit(lambda k: calc_k({name: k}, jnp.ones(2)))(jnp.array([1.0, -0.5]))
    np.testing.assert_array_equal(traced, [1.0, -0.5])  # a traced k cannot be looked at; the host checks it before


def test_no_k_is_refused():
    with pytest.raises(ParamsError, match="`params` must hold one of `log_k`, `absolute_k` and `k`"):
        calc_k({"logit_lamb": 1.0}, jnp.ones(2))
