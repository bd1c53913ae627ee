"""Blocks, returns, percentiles and drawdowns against numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from momentum_opt.metrics.blocks import in_blocks, lowest, percentile, reduced, returns
from momentum_opt.metrics.drawdown import drawdowns
from tests.reference.metrics import drawdowns_of

ORDINARY = st.floats(-1e6, 1e6, allow_subnormal=False)


def test_blocks_start_at_the_first_value_and_drop_the_incomplete_one():
    np.testing.assert_array_equal(in_blocks(jnp.arange(8.0), 3), [[0, 1, 2], [3, 4, 5]])
    assert in_blocks(jnp.zeros((8, 5)), 4).shape == (2, 4, 5)


def test_no_complete_block_is_one_block_of_nan():
    blocks = in_blocks(jnp.arange(8.0).reshape(4, 2), 5)
    assert blocks.shape == (1, 5, 2)
    assert jnp.isnan(blocks).all()


@pytest.mark.parametrize("shape", [(3,), (1560,), (1560, 3), (9, 1024)])
def test_the_lowest_keeps_nan(shape):
    values = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_array_equal(lowest(jnp.asarray(values)), values.min(axis=0))
    values[-2:] = np.nan
    assert np.isnan(jax.jit(lowest)(jnp.asarray(values))).all()


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("length", [0, 1, 7, 40])
def test_several_reductions_in_one_pass(axis: int, length: int):
    shape = (length, 5, 3) if axis == 0 else (5, length, 3)
    values = np.random.default_rng(length).normal(size=shape)

    def parts(some):
        return jnp.where(some > 0.5, some, 0.0), -some, some * some

    total, highest, least = reduced(jnp.asarray(values), parts, ("sum", "max", "min"), axis)
    np.testing.assert_allclose(total, np.where(values > 0.5, values, 0.0).sum(axis=axis), rtol=1e-14)
    np.testing.assert_array_equal(highest, (-values).max(axis=axis, initial=-np.inf))
    np.testing.assert_array_equal(least, (values * values).min(axis=axis, initial=np.inf))


def test_returns_along_either_axis():
    values = jnp.array([[1.0, 2.0, 3.0], [2.0, 1.0, 6.0]])
    np.testing.assert_allclose(returns(values), [[1.0, -0.5, 1.0]])
    np.testing.assert_allclose(returns(values, axis=1), [[1.0, 0.5], [-0.5, 5.0]])


@settings(max_examples=60)
@given(
    values=hnp.arrays(np.float64, (3, 7, 2), elements=ORDINARY) | hnp.arrays(np.float64, (2, 5), elements=ORDINARY),
    percent=st.sampled_from([0.0, 1.0, 5.0, 25.0, 50.0, 99.0, 100.0]),
    axis=st.integers(0, 1),
)
def test_percentile_is_numpys(values, percent, axis):
    found = percentile(jnp.asarray(values), percent, axis)
    np.testing.assert_allclose(found, np.percentile(values, percent, axis=axis), rtol=1e-13, atol=1e-9)


@pytest.mark.parametrize("count", [1, 2, 20, 21, 101, 1439, 10079])
@pytest.mark.parametrize("percent", [1.0, 5.0])
def test_percentile_of_small_returns(count, percent):
    values = np.random.default_rng(count).standard_t(3, size=(count, 4)) * 1e-4
    found = percentile(jnp.asarray(values), percent)
    np.testing.assert_allclose(found, np.percentile(values, percent, axis=0), rtol=1e-13)


def test_percentile_of_ties_and_zeros_of_both_signs():
    values = np.repeat([-1.0, -0.0, 0.0, 2.0], 25)
    for percent in (5.0, 25.0, 30.0, 50.0, 75.0, 80.0):
        np.testing.assert_allclose(percentile(jnp.asarray(values), percent), np.percentile(values, percent), atol=1e-15)


def test_percentile_tells_neighbouring_floats_apart():
    column = np.array([1.0, np.nextafter(1.0, 2.0), np.nextafter(np.nextafter(1.0, 2.0), 2.0)])
    values = np.stack([column, -column], axis=1)
    np.testing.assert_array_equal(percentile(jnp.asarray(values), 50.0), values[1])


def test_percentile_of_nothing_or_of_nan_is_nan():
    assert jnp.isnan(percentile(jnp.zeros((0,)), 5.0))
    assert jnp.isnan(percentile(jnp.zeros((3, 0, 2)), 5.0, axis=1)).all()
    column = jnp.array([[1.0, jnp.nan, 3.0], [1.0, 2.0, -jnp.nan], [1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(jnp.isnan(percentile(column, 5.0, axis=1)), [True, True, False])


def test_percentile_in_single_precision():
    values = np.random.default_rng(0).normal(size=500).astype(np.float32)
    found = percentile(jnp.asarray(values), 5.0)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, np.percentile(values, 5), rtol=1e-6)


def test_gradient_of_a_percentile_goes_to_its_two_neighbours():
    gradient = jax.grad(lambda values: percentile(values, 30.0))(jnp.array([5.0, 1.0, 3.0]))
    np.testing.assert_allclose(gradient, [0.0, 0.4, 0.6])


@settings(max_examples=40)
@given(values=hnp.arrays(np.float64, (2, 3, 4), elements=st.floats(0.5, 2.0)))
def test_drawdowns_are_the_running_maximums(values):
    found = drawdowns(jnp.asarray(values))
    wanted = drawdowns_of(values.reshape(2, 12))
    np.testing.assert_array_equal(found.worst, wanted.min(axis=1))
    np.testing.assert_allclose(found.mean_square, (wanted**2).mean(axis=1), rtol=1e-13, atol=1e-30)
