"""Rule, guard rails, speed limit and interpolation (SPEC §7) against the plain functions of the oracle, and by law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from momentum_opt.pool.guard_rails import step_per_minute, target_weights
from momentum_opt.pool.interpolation import weight_path
from momentum_opt.pool.rule import momentum_weight_update
from tests.reference import rule

SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.integers(2, 8)
MANY = settings(max_examples=100)

# One compilation per size, where each operation by itself would be one.
compiled_update = jax.jit(momentum_weight_update)
compiled_target = jax.jit(target_weights)
compiled_step = jax.jit(step_per_minute)


@MANY
@given(seed=SEEDS, n=SIZES, zeros=st.integers(0, 8))
def test_updates_sum_to_zero_and_spare_tokens_without_k(seed, n, zeros):
    generator = np.random.default_rng(seed)
    g, k = generator.normal(0, 0.1, n), np.exp(generator.normal(0, 3, n))
    k[: min(zeros, n)] = 0.0
    found = np.asarray(compiled_update(g, k))
    np.testing.assert_allclose(found, rule.weight_update(k, g), rtol=1e-9, atol=1e-14 * k.max())
    assert abs(found.sum()) <= 1e-13 * max(1.0, k.max())
    assert (found[k == 0.0] == 0.0).all()


@pytest.mark.parametrize("k", [3.0, 0.0])
def test_a_scalar_k_acts_as_an_equal_vector(k):
    g = jnp.array([0.3, -0.1, 0.2])
    found = momentum_weight_update(g, jnp.asarray(k))
    np.testing.assert_array_equal(found, momentum_weight_update(g, jnp.full(3, k)))
    np.testing.assert_allclose(found, k * (g - g.mean()), atol=1e-16)
    assert float(found.sum()) == pytest.approx(0.0, abs=1e-15)


def test_no_k_at_all_moves_nothing_and_has_a_finite_slope():
    g = jnp.array([0.3, -0.1, 0.2])
    np.testing.assert_array_equal(momentum_weight_update(g, jnp.zeros(3)), 0.0)
    assert jnp.isfinite(jax.jacobian(momentum_weight_update, argnums=(0, 1))(g, jnp.zeros(3))[0]).all()


def test_candidates_are_columns():
    generator = np.random.default_rng(0)
    g, k = generator.normal(0, 0.1, (3, 5)), np.exp(generator.normal(0, 3, (3, 5)))
    together = momentum_weight_update(jnp.asarray(g), jnp.asarray(k))
    for column in range(5):
        np.testing.assert_allclose(together[:, column], rule.weight_update(k[:, column], g[:, column]), rtol=1e-10)


@MANY
@given(seed=SEEDS, n=SIZES, share=st.floats(0.01, 1.0), size=st.floats(-3, 1))
def test_targets_are_the_oracles_and_lawful(seed, n, share, size):
    generator = np.random.default_rng(seed)
    floor = share / n
    w = floor + (1.0 - n * floor) * generator.dirichlet(np.ones(n))
    u = generator.normal(0, 10.0**size, n)
    u -= u.mean()
    found = np.asarray(compiled_target(w, u, floor))
    np.testing.assert_allclose(found, rule.guarded_target(w, u, floor), rtol=1e-11, atol=1e-12)
    assert found.sum() == pytest.approx(1.0, abs=1e-14)
    lowest = floor if n < 4 else floor * (1 - floor) / ((n - 2) * (1 - (n - 1) * floor) + floor)
    assert found.min() >= lowest - 1e-14 * n
    assert found.max() <= 1.0 - (n - 1) * floor + 1e-14 * n


def test_one_pass_may_leave_a_weight_below_the_floor():
    """SPEC §7: for n ≥ 4 an entry just above the floor is scaled below it, and stays there."""
    n, floor = 4, 0.025
    w, above = np.full(n, 1 / n), floor * (1 + 1e-12)
    found = target_weights(jnp.asarray(w), jnp.array([1.5, 1.5, above, -2.0 - above]) - w, floor)
    lowest = floor * (1 - floor) / ((n - 2) * (1 - (n - 1) * floor) + floor)
    np.testing.assert_allclose(found[2], lowest, rtol=1e-11)
    assert lowest / floor == pytest.approx(0.52, abs=0.01)  # the figure of SPEC §7
    assert float(found[3]) == floor


def test_weights_under_the_floor_are_lifted_without_any_update():
    found = target_weights(jnp.array([0.005, 0.495, 0.5]), jnp.zeros(3), 0.05)
    assert float(found[0]) == 0.05
    assert float(found.sum()) == pytest.approx(1.0, abs=1e-15)


def test_ties_give_the_rest_to_the_first_of_the_largest():
    """Whatever rounding leaves to sum one goes to one token only: equal weights stay equal but for that."""
    found = np.asarray(target_weights(jnp.full(7, 1 / 7), jnp.zeros(7), 0.01))
    np.testing.assert_allclose(found, 1 / 7, rtol=1e-14)
    assert len(set(found[1:].tolist())) == 1


@MANY
@given(seed=SEEDS, n=SIZES, m=st.integers(1, 1440), limit=st.floats(-7, -1))
def test_the_speed_limit_scales_the_whole_step(seed, n, m, limit):
    generator = np.random.default_rng(seed)
    w, target = generator.dirichlet(np.ones(n), 2)
    found = np.asarray(compiled_step(w, target, float(m), 10.0**limit))
    np.testing.assert_allclose(found, rule.limited_step(w, target, m, 10.0**limit), rtol=1e-12, atol=1e-20)
    assert np.abs(found).max() <= 10.0**limit
    assert abs(found.sum()) < 1e-15


@pytest.mark.parametrize("method", ["linear", "approx_optimal"])
@MANY
@given(seed=SEEDS, n=st.sampled_from([2, 8]), P=st.sampled_from([1, 60]), part=st.floats(0.0, 1.0))
def test_paths_inside_a_chunk(method, seed, n, P, part):
    generator = np.random.default_rng(seed)
    m = max(1, round(part * P))
    w, end = generator.dirichlet(np.full(n, 3.0), 2) * 0.9 + 0.1 / n
    d = (end - w) / m
    found = np.asarray(weight_path(method, jnp.asarray(w), jnp.asarray(d), jnp.arange(float(P)), float(m)))
    np.testing.assert_allclose(found, rule.chunk_weights(w, d, m, P, method), rtol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(found[0], w, rtol=1e-13)
    np.testing.assert_allclose(found[m:], np.tile(end, (P - m, 1)), rtol=1e-12)
