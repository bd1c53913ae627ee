import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from momentum_opt.study.pareto import balanced_order, balanced_row, knee_row, pareto_rows

SMALL = st.integers(-3, 3).map(float)


@given(st.integers(1, 5).flatmap(lambda width: st.lists(st.lists(SMALL, min_size=width, max_size=width), max_size=30)))
def test_the_front_is_what_nothing_dominates(values: list[list[float]]):
    points = np.array(values).reshape(len(values), -1 if values else 3)
    at_least = (points[:, None] >= points[None]).all(axis=2)
    better = (points[:, None] > points[None]).any(axis=2)
    assert pareto_rows(points).tolist() == np.flatnonzero(~(at_least & better).any(axis=0)).tolist()


@given(st.lists(st.tuples(SMALL, SMALL, SMALL), min_size=1, max_size=12, unique=True))
def test_picks_lie_on_the_front_and_do_not_depend_on_units(values: list[tuple[float, ...]]):
    points = np.array(values)
    front = points[pareto_rows(points)]
    scaled = front * np.array([2.0, 1024.0, 0.5]) + np.array([8.0, -64.0, 1.0])  # exact in floating point
    assert balanced_row(front) == balanced_row(scaled)
    assert sorted(balanced_order(front)) == list(range(len(front)))
    if len(front) == 1:
        assert knee_row(front) == 0


def test_the_knee_by_hand():
    """The plane through the extremes is x + y + z = 1; the fourth point lies highest above it."""
    front = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.45, 0.4], [0.6, 0.3, 0.2]])
    assert knee_row(front) == 3
    assert knee_row(front[[0, 1, 2, 4]]) == 3


@pytest.mark.parametrize("constant", [0, 1, 2])
def test_an_objective_that_never_changes_counts_for_nothing(constant: int):
    flat = np.array([[0.0, 1.0], [1.0, 0.0], [0.9, 0.8], [0.2, 0.95]])
    front = np.insert(flat, constant, 7.0, axis=1)
    assert knee_row(front) == 2
    assert balanced_row(front) == 2


def test_fifty_thousand_points_that_all_stand_on_the_front():
    points = np.abs(np.random.default_rng(0).normal(size=(50_000, 3)))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    assert len(pareto_rows(points)) == 50_000
