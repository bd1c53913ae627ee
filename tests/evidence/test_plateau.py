"""Clouds and grids around a winner, and what is said of them, against their definitions (SPEC §13)."""

import numpy as np
import pytest

from momentum_opt.evidence.neighbourhood import JOINT, JOINT_FACTOR, RADII, CloudRows, clouds, grids
from momentum_opt.evidence.plateau import CLOUD_QUANTILES, KEPT, VERDICT_RADIUS, heat_map, plateau_findings
from momentum_opt.study.space import search_space
from tests.reference import estimator
from tests.sample_runs import TOKENS, smoke

DRAWS = 200


def test_a_cloud_moves_one_number_or_all_within_its_radius_and_range():
    space = search_space(smoke("search.parameters.log_k={low: -2.0, high: {SYNA: 6.0, SYNB: 3.0}}"))
    low, high = np.array([(one.low, one.high) for one in space.ranges.values()]).T
    winner = low + (high - low) * np.linspace(0.03, 0.9, len(low))
    found = clouds(space, winner, DRAWS, np.random.default_rng(0))
    assert [(one.radius, one.parameter) for one in found] == [
        (radius, name) for radius in RADII for name in (*space.ranges, JOINT)
    ]
    for cloud in found:
        moved = np.abs(cloud.rows - winner) / (high - low)
        numbers = [*space.ranges] if cloud.parameter == JOINT else [cloud.parameter]
        columns = [list(space.ranges).index(name) for name in numbers]
        assert len(cloud.rows) == DRAWS * (JOINT_FACTOR if cloud.parameter == JOINT else 1)
        assert ((cloud.rows >= low - 1e-9) & (cloud.rows <= high + 1e-9)).all()
        np.testing.assert_allclose(np.delete(moved, columns, axis=1), 0.0, atol=1e-12)
        assert (moved[:, columns].max(axis=0) > 0.9 * cloud.radius).all()
        assert moved.max() <= cloud.radius + 1e-9


def test_a_grid_goes_over_k_and_memory_of_one_token():
    space = search_space(smoke())
    winner = np.array([(one.low + one.high) / 2.0 for one in space.ranges.values()])
    for place, grid in enumerate(grids(space, winner, 3, TOKENS)):
        assert (grid.token, grid.token_place) == (TOKENS[place], place)
        columns = [list(space.ranges).index(f"{name}_{grid.token}") for name in ("logit_lamb", "log_k")]
        np.testing.assert_array_equal(
            grid.rows[:, columns], [(memory, k) for memory in grid.logit_lamb for k in grid.log_k]
        )
        np.testing.assert_array_equal(np.delete(grid.rows, columns, axis=1), np.delete([winner] * 9, columns, axis=1))


def test_a_grid_goes_over_the_ranges_of_its_token():
    space = search_space(smoke("search.parameters={k_per_day: {SYNB: [2, 8]}, memory_days: {SYNA: [1, 20]}}"))
    for grid in grids(space, np.array(list(space.first_trial.values())), 2, TOKENS):
        for name, side in (("log_k", grid.log_k), ("logit_lamb", grid.logit_lamb)):
            bounds = space.ranges[f"{name}_{grid.token}"]
            np.testing.assert_allclose(side, [bounds.low, bounds.high], rtol=1e-15)


@pytest.mark.parametrize(
    ("shared", "tokens"), [(("log_k",), TOKENS), (("logit_lamb",), TOKENS), (("log_k", "logit_lamb"), ("all",))]
)
def test_there_is_one_grid_only_where_k_and_memory_are_both_shared(shared: tuple[str, ...], tokens: tuple[str, ...]):
    space = search_space(smoke(*(f"search.parameters.{name}.scalar=true" for name in shared)))
    found = grids(space, np.array(list(space.first_trial.values())), 2, TOKENS)
    assert tuple(grid.token for grid in found) == tokens


def test_a_heat_map_is_in_readable_units():
    fingerprint = smoke()
    space = search_space(fingerprint)
    grid = grids(space, np.array(list(space.first_trial.values())), 3, TOKENS)[1]
    params = {"log_k": np.array([1.0, 2.0, 3.0]), "logit_lamb": np.array([-1.0, 1.5, 2.0])}
    objectives = np.array([*range(8), np.nan])
    found = heat_map(grid, objectives, params, fingerprint)
    pool = fingerprint.pool

    def days(logits: np.ndarray) -> np.ndarray:
        lamb = np.minimum(estimator.logistic(logits), estimator.decay(pool.max_memory_days, pool.chunk_period))
        return 2.0 * pool.chunk_period / 1440 * np.cbrt(6.0 * lamb / (1.0 - lamb) ** 3)

    assert found.token == TOKENS[1]
    assert found.objective == ((0.0, 1.0, 2.0), (3.0, 4.0, 5.0), (6.0, 7.0, None))
    np.testing.assert_allclose(found.k_per_day, 2.0**grid.log_k)
    np.testing.assert_allclose(found.memory_days, days(grid.logit_lamb), rtol=1e-9)
    assert found.winner_k_per_day == pytest.approx(4.0)
    assert found.winner_memory_days == pytest.approx(days(np.array([1.5]))[0])


def cloud(parameter: str, radius: float, objectives: list[float]) -> tuple[CloudRows, np.ndarray]:
    return CloudRows(parameter, radius, np.zeros((len(objectives), 1))), np.array(objectives)


CLOUDS = (
    cloud("log_k_A", VERDICT_RADIUS, [3.0, 3.0, 3.0, 3.0]),
    cloud(JOINT, 0.02, [3.0, 3.0, 3.0, 3.0]),
    cloud(JOINT, VERDICT_RADIUS, [1.0, 2.79, 2.8, 3.0, np.nan]),
    cloud(JOINT, 0.1, [1.0, 1.0, 1.0, 1.0]),
)


def test_the_share_that_keeps_the_gain_is_of_the_joint_cloud_of_the_verdict():
    """Winner 3, baseline 1: nine tenths of the gain are kept from 2.8 on; one that failed does not keep it."""
    assert KEPT == 0.9
    found = plateau_findings(3.0, 1.0, CLOUDS, ())
    assert found.share_kept == pytest.approx(2 / 5)
    assert [one.share_kept for one in found.clouds] == pytest.approx([1.0, 1.0, 0.4, 0.0])
    np.testing.assert_allclose(found.clouds[2].quantiles, np.quantile([1.0, 2.79, 2.8, 3.0], CLOUD_QUANTILES))
    assert (found.radius, found.baseline, found.reason) == (VERDICT_RADIUS, 1.0, None)
    assert plateau_findings(3.0, 1.0, CLOUDS[:2], ()).share_kept is None


@pytest.mark.parametrize(
    ("winner", "baseline", "reason"),
    [(1.0, 1.0, "is not above the constant-weight pool's"), (1.0, np.nan, "that pool has none")],
)
def test_no_gain_is_kept_where_there_is_none(winner: float, baseline: float, reason: str):
    found = plateau_findings(winner, baseline, CLOUDS, ())
    assert found.share_kept is None
    assert found.reason is not None
    assert reason in found.reason
    assert {one.share_kept for one in found.clouds} == {None}
