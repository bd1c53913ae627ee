"""Parameter sets for the engine: what is refused, and how sets become columns."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from momentum_opt.errors import ParamsError
from momentum_opt.study.candidates import (
    check_params,
    floor_problem,
    initial_weights,
    lifted_logits,
    settings_of,
    stack,
)
from tests.reference.minute_loop import Pool
from tests.simulation.cases import Case, random_params

FLOOR = 0.03
CASE = Case.random(Pool(chunk_period=60, minimum_weight=FLOOR, maximum_change=2e-4), 3, 2)
FINGERPRINT = CASE.fingerprint()
ALT = CASE.fingerprint(use_alt_lamb=True)
GOOD = random_params(3, FLOOR, 0)


def test_settings_are_the_pools():
    found = settings_of(CASE.fingerprint(initial_pool_value=5e3), jnp.float64)
    assert [float(value) for value in found[:4]] == [2e-4, FLOOR, 365.0, 5e3]
    assert settings_of(FINGERPRINT, jnp.float32).minimum_weight.dtype == jnp.float32


def test_initial_weights_are_given_or_the_softmax():
    np.testing.assert_array_equal(initial_weights(GOOD), GOOD["initial_weights"])
    np.testing.assert_allclose(
        initial_weights({"initial_weights_logits": np.array([700.0, 700.0 + np.log(3.0)])}), [0.25, 0.75]
    )


def test_weights_under_the_floor_or_off_the_simplex_are_named():
    assert floor_problem(np.array([FLOOR, 0.47, 0.5]), FINGERPRINT) is None
    low = floor_problem(np.array([0.5, 0.48, 0.02]), FINGERPRINT)
    assert low == "initial weight of C is 0.02, below minimum_weight 0.03"
    assert floor_problem(np.array([0.5, 0.4, 0.2]), FINGERPRINT) == "initial weights sum to 1.1, not to 1"


@settings(max_examples=100)
@given(st.lists(st.lists(st.floats(-10, 10), min_size=3, max_size=3), min_size=1, max_size=4), st.floats(1e-6, 1 / 3))
def test_lifted_logits_are_the_nearest_weights_that_keep_the_floor(rows: list[list[float]], floor: float):
    """The oracle moves the same distance down from all, floor after floor, until the sum fits."""
    drawn = np.array(rows).T
    lifted = lifted_logits(drawn, floor)
    assert drawn.min() <= lifted.min()
    assert lifted.max() <= drawn.max()
    for before, after in zip(drawn.T, lifted.T, strict=True):
        weights, found = (initial_weights({"initial_weights_logits": one}) for one in (before, after))
        assert found.min() >= floor * (1 - 1e-12)
        if weights.min() >= floor:
            np.testing.assert_array_equal(after, before)
        np.testing.assert_allclose(found, nearest(weights, floor), atol=1e-9)
        np.testing.assert_array_equal(lifted_logits(after[:, None], floor)[:, 0], after)  # moved once and for all


def nearest(weights: np.ndarray, floor: float) -> np.ndarray:
    free = np.ones(len(weights), bool)
    while True:
        room = 1.0 - floor * (~free).sum()
        found = np.where(free, weights - (weights[free].sum() - room) / free.sum(), floor)
        if (found >= floor - 1e-15).all():
            return found
        free &= found >= floor


def without(*names: str) -> dict[str, np.ndarray]:
    return {name: values for name, values in GOOD.items() if name not in names}


@pytest.mark.parametrize("form", ["log_k", "k", "absolute_k"])
def test_complete_sets_pass(form):
    check_params(without("log_k") | {form: np.zeros(3)}, FINGERPRINT)
    check_params(without("initial_weights") | {"initial_weights_logits": np.zeros(3)}, FINGERPRINT)
    check_params(GOOD | {"logit_delta_lamb": np.zeros(3)}, ALT)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (without("log_k"), r"`params` is missing exactly one of log_k, k, absolute_k .got logit_lamb"),
        (GOOD | {"k": np.ones(3)}, "is missing exactly one of log_k"),
        (without("logit_lamb"), "`params` is missing logit_lamb"),
        (GOOD | {"log_k": np.array([1.0, np.nan, 2.0])}, r"`params\.log_k` must be finite, but holds \[1\.0, nan"),
        (GOOD | {"logit_lamb": np.array([1.0, np.inf, 2.0])}, r"`params\.logit_lamb` must be finite"),
        (without("log_k") | {"k": np.array([1.0, -2.0, 1.0])}, r"`params\.k` must not be negative, but holds -2\.0"),
        (GOOD | {"initial_weights": np.array([0.99, 0.005, 0.005])}, "`params`: initial weight of B is 0.005, below"),
        (GOOD | {"initial_weights": np.full(3, 0.3)}, "`params`: initial weights sum to 0.9, not to 1"),
    ],
)
def test_sets_that_cannot_run_are_refused(params, message):
    with pytest.raises(ParamsError, match=message):
        check_params(params, FINGERPRINT)


def test_a_second_memory_needs_its_parameter():
    with pytest.raises(ParamsError, match="`params` is missing logit_delta_lamb"):
        check_params(GOOD, ALT)


def test_sets_become_columns_padded_by_the_last():
    sets = [random_params(3, FLOOR, seed, alt=True) for seed in range(3)]
    found = stack(sets, 5, jnp.float64)
    assert set(found.params) == {"logit_lamb", "log_k", "logit_delta_lamb"}
    for name, columns in {"initial_weights": found.initial_weights, **found.params}.items():
        assert columns.shape == (3, 5)
        for place, params in enumerate([*sets, sets[-1], sets[-1]]):
            np.testing.assert_array_equal(columns[:, place], params[name])
    assert stack(sets, 3, jnp.float32).params["log_k"].dtype == jnp.float32
