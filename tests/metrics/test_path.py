"""The logarithm that metrics take of daily values, against numpy's."""

import jax.numpy as jnp
import numpy as np

from momentum_opt.metrics.path import SlicePath, log_daily

VALUES = np.exp(np.linspace(np.log(1e-15), np.log(1e15), 301)).reshape(301, 1) * np.array([1.0, 1.7, 9.99])
KNOWN = jnp.log(jnp.asarray(VALUES))


def test_it_is_that_of_the_value_and_the_floor():
    wanted = np.log(VALUES + 1e-12)
    for known in (None, KNOWN):
        np.testing.assert_allclose(log_daily(SlicePath(jnp.asarray(VALUES), known)), wanted, rtol=3e-16, atol=3e-16)


def test_values_that_feel_the_floor_leave_the_others_as_they_are():
    high = jnp.where(VALUES > 1e4, VALUES, jnp.nan)
    own = np.asarray(log_daily(SlicePath(jnp.asarray(VALUES), KNOWN)))
    alone = np.asarray(log_daily(SlicePath(high, jnp.where(VALUES > 1e4, KNOWN, jnp.nan))))
    np.testing.assert_array_equal(alone[VALUES > 1e4], own[VALUES > 1e4])
    assert np.isnan(alone[VALUES <= 1e4]).all()
