"""The weight term of a block (SPEC §8) against its sum in extended precision, and the bound its docstring states."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from momentum_opt.simulation.closed_form import block_growth, weight_cost


def summed(start: np.ndarray, step: np.ndarray, moves: int) -> np.ndarray:
    """Σ_{τ=1…M} w(τ) log(w(τ)/w(τ−1)) in `np.longdouble`; (asset,)."""
    tau = np.arange(moves + 1, dtype=np.longdouble)[:, None]
    w = start.astype(np.longdouble) + step.astype(np.longdouble) * tau
    return (w[1:] * np.log(w[1:] / w[:-1])).sum(axis=0)


def ramps(seed: int, moves: int, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Start weights and steps of 50 rising and 50 falling ramps, whose step is `ratio` of their smallest weight."""
    smallest = np.random.default_rng(seed).uniform(1e-3, 0.5, 100)
    step = ratio * smallest * np.where(np.arange(100) % 2, 1.0, -1.0)
    return np.where(step > 0, smallest, smallest - moves * step), step


def difference(start: np.ndarray, step: np.ndarray, moves: int) -> np.ndarray:
    end = start + step * moves
    found = np.asarray(weight_cost(jnp.asarray(start), jnp.asarray(end), jnp.asarray(step)))
    return np.abs(found - summed(start, step, moves)).astype(float)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), moves=st.integers(1, 400), ratio=st.floats(1e-6, 0.4))
def test_truncation_is_within_the_stated_bound(seed, moves, ratio):
    start, step = ramps(seed, moves, ratio)
    end = start + step * moves
    bound = np.abs(step) ** 8 / (1680 * np.minimum(start, end) ** 7)
    rounding = 1e-15 * np.maximum(start, end) * moves**0.5
    assert (difference(start, step, moves) <= bound + rounding).all()


def test_the_bound_is_no_exaggeration():
    """Far above the engine's limit, where truncation shows, it is nearly reached."""
    start, step = ramps(0, 300, 0.3)
    bound = np.abs(step) ** 8 / (1680 * np.minimum(start, start + step * 300) ** 7)
    assert (difference(start, step, 300) > 0.3 * bound).all()


def test_up_to_the_engines_limit_only_rounding_is_left():
    start, step = ramps(1, 1440, 0.05)
    assert (difference(start, step, 1440) <= 5e-14 * np.maximum(start, 1.0)).all()


def test_no_move_costs_nothing():
    w = jnp.array([0.2, 0.8])
    np.testing.assert_array_equal(weight_cost(w, w, jnp.zeros(2)), 0.0)
    np.testing.assert_array_equal(weight_cost(w, w, jnp.array([1e-3, -1e-3])), 0.0)  # a step, but the time is over


@pytest.mark.parametrize("moves", [1, 7, 60])
def test_block_growth_is_the_sum_over_its_transitions(moves):
    generator = np.random.default_rng(moves)
    w = generator.dirichlet(np.full(4, 20.0))
    d = generator.normal(0, 1e-4, 4)
    d -= d.mean()
    ratios = generator.normal(0, 1e-3, (moves, 4))
    tau = np.arange(moves)[:, None]
    path = w + d * np.arange(moves + 1)[:, None]
    wanted = (path[:-1] * ratios).sum() - summed(w, d, moves).sum()
    found = block_growth(*map(jnp.asarray, (w, w + d * moves, d, ratios.sum(axis=0), (tau * ratios).sum(axis=0))))
    np.testing.assert_allclose(found, float(wanted), rtol=1e-11)


def test_the_gradient_is_finite_where_nothing_moves():
    w = jnp.array([0.2, 0.8])
    slope = jax.grad(lambda d: weight_cost(w, w + 60 * d, d).sum())(jnp.zeros(2))
    np.testing.assert_allclose(slope, 60.0)  # E ≈ e − s
