"""Aggregates and penalties of SPEC §11 against numbers worked out by hand."""

from inspect import unwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from momentum_opt.metrics.objective import aggregate, mean_worst_steadiness, objective
from momentum_opt.vocabulary.names import AGGREGATES

WINDOWS = jnp.array([[1.0, 4.0], [3.0, 4.0]])
VALIDATION = jnp.array([1.5, 5.0])
TURNOVER = jnp.array([[0.1, 0.2], [0.3, 0.0]])
TURNOVER_VALIDATION = jnp.array([0.5, 0.25])
AGGREGATED = {"mean": [2.0, 4.0], "worst": [1.0, 4.0], "mean_minus_std": [1.0, 4.0]}


@pytest.mark.parametrize("how", AGGREGATES)
def test_aggregates(how):
    np.testing.assert_allclose(aggregate(WINDOWS, how), AGGREGATED[how])
    np.testing.assert_allclose(aggregate(WINDOWS[:1], how), WINDOWS[0])
    np.testing.assert_allclose(aggregate(WINDOWS[:, 0], how), AGGREGATED[how][0])


def test_an_unknown_aggregate_is_refused():
    unchecked = unwrap(aggregate)  # as outside the tests, without the run-time type checker
    with pytest.raises(ValueError, match="`how` must be mean, worst or mean_minus_std, but got 'median'"):
        unchecked(WINDOWS, "median")  # type: ignore[arg-type]


@pytest.mark.parametrize("how", AGGREGATES)
def test_a_window_that_is_not_finite_spoils_its_candidate_only(how):
    found = aggregate(WINDOWS.at[1, 0].set(jnp.nan), how)
    np.testing.assert_array_equal(np.isfinite(found), [False, True])


def test_multi_objective_numbers():
    np.testing.assert_allclose(mean_worst_steadiness(WINDOWS), [[2.0, 4.0], [1.0, 4.0], [-1.0, 0.0]])


def test_overfitting_costs_only_where_train_beats_validation():
    found = objective(WINDOWS, VALIDATION, None, None, "mean", 0.5, 0.0)
    np.testing.assert_allclose(found, [2.0 - 0.5 * 0.5, 4.0])


def test_turnover_is_subtracted_in_every_slice_before_the_overfitting_term():
    found = objective(WINDOWS, VALIDATION, TURNOVER, TURNOVER_VALIDATION, "mean", 0.5, 2.0)
    train, validation = [2.0 - 0.4, 4.0 - 0.2], [1.5 - 1.0, 5.0 - 0.5]
    np.testing.assert_allclose(found, [train[0] - 0.5 * (train[0] - validation[0]), train[1]])


def test_without_validation_days_there_is_no_overfitting_term():
    np.testing.assert_allclose(objective(WINDOWS, None, TURNOVER, None, "worst", 0.5, 1.0), [0.9, 3.8])


def test_a_validation_that_is_not_finite_counts_only_with_a_penalty():
    validation = jnp.array([jnp.nan, 5.0])
    np.testing.assert_allclose(objective(WINDOWS, validation, None, None, "mean", 0.0, 0.0), [2.0, 4.0])
    penalised = objective(WINDOWS, validation, None, None, "mean", 0.5, 0.0)
    np.testing.assert_array_equal(np.isfinite(penalised), [False, True])


def test_penalties_are_traced():
    compilations = []

    @jax.jit
    def traced(overfitting_penalty, turnover_penalty):
        compilations.append(1)
        return objective(
            WINDOWS, VALIDATION, TURNOVER, TURNOVER_VALIDATION, "mean", overfitting_penalty, turnover_penalty
        )

    for penalties in ((0.0, 0.0), (0.5, 0.0), (0.5, 2.0)):
        wanted = objective(WINDOWS, VALIDATION, TURNOVER, TURNOVER_VALIDATION, "mean", *penalties)
        np.testing.assert_allclose(traced(*penalties), wanted)
    assert len(compilations) == 1
