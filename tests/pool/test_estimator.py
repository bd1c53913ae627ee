"""The gradient estimator (SPEC §6) against the oracle's, step by step."""

import jax.numpy as jnp
import numpy as np
import pytest

from momentum_opt.pool.estimator import estimator_constants, estimator_step, gradient, initial_state, readout
from tests.reference import estimator

LAMB = np.array([0.2, 0.9, 0.999])
LAMB_ALT = np.array([0.5, 0.3, 0.99])


def walk(prices, alt):
    constants = estimator_constants(jnp.asarray(LAMB), jnp.asarray(LAMB_ALT) if alt else None)
    state = initial_state(jnp.asarray(prices[0]), use_alt_lamb=alt)
    states = [state]
    for price in prices[1:]:
        state = estimator_step(state, jnp.asarray(price), constants)
        states.append(state)
    return states, constants


@pytest.mark.parametrize("alt", [False, True])
def test_states_and_readouts_are_the_oracles(alt):
    prices = 100.0 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.02, (40, 3)), axis=0))
    wanted = estimator.estimate(prices, LAMB, LAMB_ALT if alt else None)
    states, constants = walk(prices, alt)
    for row, state in enumerate(states):
        shown = readout(state, constants)
        np.testing.assert_allclose(shown.ewma, wanted.ewma[row], rtol=1e-12)
        np.testing.assert_allclose(shown.running_a, wanted.running_a[row], rtol=1e-10, atol=1e-9)
        np.testing.assert_allclose(shown.gradients, wanted.gradients[row], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(gradient(state, constants), wanted.rule_gradients[row], rtol=1e-9, atol=1e-12)


def test_constants_by_hand():
    constants = estimator_constants(jnp.array([0.5]), jnp.array([0.75]))
    assert [float(constants.G[0]), float(constants.b[0]), float(constants.alpha_alt[0])] == [2.0, 4.0, 0.25]
    assert estimator_constants(jnp.array([0.5])).alpha_alt is None


def test_a_small_deviation_is_set_to_zero():
    constants = estimator_constants(jnp.array([0.5]))
    state = estimator_step(initial_state(jnp.array([1.0])), jnp.array([1.0 + 0.9e-10]), constants)
    assert float(state.running_a[0]) == 0.0
    state = estimator_step(initial_state(jnp.array([1.0])), jnp.array([1.0 + 1.1e-10]), constants)
    assert float(state.running_a[0]) > 1e-10


def test_a_steady_exponential_trend_is_read_as_its_slope():
    """The gradient is a relative slope per chunk: on e^{rt} it tends to a number near r, whatever the decay."""
    rate = 1e-4
    states, constants = walk(np.exp(rate * np.arange(20000.0))[::1, None][:4000] * np.ones(3), alt=False)
    np.testing.assert_allclose(gradient(states[-1], constants)[:2], rate, rtol=0.01)
