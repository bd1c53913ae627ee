import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from momentum_opt import logarithm

ULP = np.finfo(np.float64).eps


def exact(x):
    with mpmath.workdps(40):
        return np.array([float(mpmath.log(mpmath.mpf(float(value)))) for value in x])


def test_it_is_the_logarithm_to_one_unit_in_the_last_place():
    random = np.random.default_rng(0)
    near_one = 1.0 + random.uniform(-1e-3, 1e-3, 2000)
    powers = 2.0 ** np.arange(-1022, 1024, 7)
    x = np.concatenate([np.exp(random.uniform(-700.0, 700.0, 2000)), near_one, powers, np.nextafter(powers, 0.0)[1:]])
    np.testing.assert_allclose(logarithm.log(jnp.asarray(x)), exact(x), rtol=ULP)


@given(st.floats(2.3e-308, 1e308))
def test_it_never_falls(x):
    pair = logarithm.log(jnp.array([x, np.nextafter(x, np.inf)]))
    assert pair[1] >= pair[0] - ULP * abs(pair[0])


def test_one_is_zero_to_the_last_bit():
    assert logarithm.log(jnp.ones(())) == 0.0


@pytest.mark.parametrize("x", [0.0, -0.0, -1.0, -np.inf, np.inf, np.nan])
def test_what_has_no_finite_logarithm_is_nan(x):
    assert np.isnan(logarithm.log(jnp.asarray(x)))


def test_its_derivative_is_one_over_x():
    x = jnp.array([1e-3, 0.7, 1.0, 5.0])
    np.testing.assert_allclose(jax.vmap(jax.grad(logarithm.log))(x), 1.0 / x, rtol=1e-15)


def test_float32_is_the_one_of_xla():
    x = jnp.asarray([0.1, 2.0, 3e5], jnp.float32)
    assert logarithm.log(x).dtype == jnp.float32
    np.testing.assert_array_equal(logarithm.log(x), jnp.log(x))
