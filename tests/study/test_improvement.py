"""Evolution and ascent against plain numpy loops, and the whole improver against the evaluator that scores trials."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize

from momentum_opt.api.prices import market_of
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.study import improvement
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.improvement import Effort, Improver, nearest_weights
from momentum_opt.study.memetic import Memetic
from momentum_opt.study.space import SearchSpace, search_space
from tests.sample_runs import smoke

Values = NDArray[np.float64]
PEAK = np.array([0.3, 0.8, 0.55])


def hill(units: Any) -> Any:
    """Several optima; the best is 0 at PEAK."""
    away = units - PEAK.reshape(-1, *[1] * (units.ndim - 1))
    return -(away**2 + 0.02 * (1.0 - jnp.cos(12.0 * jnp.pi * away))).sum(axis=0)


def evolved_in_numpy(units: Values, ties: NDArray[np.intp], draws: Values) -> tuple[Values, Values]:
    """The equations, lane by lane: (key, lane) units and ties of one island, (generation, row, lane) draws."""
    keys, lanes = units.shape
    fitness = np.asarray(hill(units))
    mean_f = mean_cr = 0.5
    for drawn in draws:
        proposed = units.copy()
        f, cr = np.empty(lanes), np.empty(lanes)
        for lane in range(lanes):
            f[lane] = min(max(mean_f + 0.1 * drawn[0, lane], 0.05), 1.0)
            cr[lane] = min(max(mean_cr + 0.1 * drawn[1, lane], 0.0), 1.0)
            ring = [(lane + away) % lanes for away in range(-4, 5)]
            best = units[:, max(ring, key=lambda place: fitness[place])]
            one, other = (units[:, ring[int(drawn[row, lane] * 9)]] for row in (2, 3))
            for key in range(keys):
                if key == int(drawn[4, lane] * keys) or drawn[5 + key, lane] < cr[lane]:
                    own = units[key, lane]
                    moved = own + f[lane] * (best[key] - own) + f[lane] * (one[key] - other[key])
                    proposed[key, lane] = own / 2 if moved < 0 else (1 + own) / 2 if moved > 1 else moved
            proposed[:, lane] = proposed[ties[:, lane], lane]
        values = np.asarray(hill(proposed))
        better = values > fitness
        if better.any():
            weight = (values - fitness)[better] / (values - fitness)[better].sum()
            lehmer = (weight * f[better] ** 2).sum() / (weight * f[better]).sum()
            mean_f += 0.1 * (lehmer - mean_f)
            mean_cr += 0.1 * ((weight * cr[better]).sum() - mean_cr)
        units = np.where(better, proposed, units)
        fitness = np.where(better, values, fitness)
    return units, fitness


def draws_for(generations: int, keys: int, lanes: int, seed: int) -> Values:
    rng = np.random.default_rng(seed)
    shape = generations, 1, lanes
    uniform = rng.random((generations, 3 + keys, lanes))
    return np.concatenate([rng.standard_cauchy(shape), rng.standard_normal(shape), uniform], axis=1)


def test_islands_evolve_as_the_equations_say_and_apart():
    keys, lanes, generations = 3, 12, 25
    starts = np.random.default_rng(5).random((keys, 2, lanes))
    ties = np.tile(np.arange(keys)[:, None, None], (1, 2, lanes))
    ties[2, 1] = 0
    starts = np.take_along_axis(starts, ties, axis=0)
    draws = np.stack([draws_for(generations, keys, lanes, seed) for seed in (1, 2)], axis=2)
    run = jax.jit(lambda units, tied, drawn: improvement._evolved(hill, units, hill(units), tied, drawn))
    units, fitness = run(starts, ties, draws)
    np.testing.assert_array_equal(units[0, 1], units[2, 1])
    for island in range(2):
        expected = evolved_in_numpy(starts[:, island], ties[:, island], draws[:, :, island])
        np.testing.assert_allclose(units[:, island], expected[0], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(fitness[island], expected[1], rtol=1e-12, atol=1e-14)


def test_evolution_finds_the_best_of_several_optima():
    starts = np.random.default_rng(0).random((3, 1, 32))
    draws = draws_for(200, 3, 32, 3)[:, :, None]
    free = jnp.tile(jnp.arange(3)[:, None, None], (1, 1, 32))
    evolved = jax.jit(lambda units, drawn: improvement._evolved(hill, units, hill(units), free, drawn))
    units, fitness = evolved(starts, draws)
    np.testing.assert_allclose(units[:, 0, np.argmax(fitness[0])], PEAK, atol=1e-4)


def alike(objective: Any) -> Any:
    """What is climbed is what lanes are compared by, as without limits."""
    return lambda units: improvement._Scored(objective(units), objective(units))


def test_the_ascent_climbs_to_the_optimum_of_its_basin():
    starts = np.clip(PEAK[:, None] + 0.03 * np.random.default_rng(1).standard_normal((3, 16)), 0, 1)
    best, found = improvement._climbed(alike(hill), jnp.asarray(starts), hill(starts), 60)
    assert (found >= hill(starts)).all()
    np.testing.assert_allclose(best, np.tile(PEAK[:, None], 16), atol=2e-3)


def test_the_ascent_stays_in_the_ranges_and_a_broken_lane_stays_alone():
    def slope(units: Any) -> Any:
        return jnp.where(units[0] < 0.1, jnp.nan, units.sum(axis=0))

    starts = np.array([[0.05, 0.9, 0.5], [0.5, 0.95, 0.5]])
    first = jnp.where(jnp.isfinite(slope(starts)), slope(starts), -jnp.inf)
    best, found = improvement._climbed(alike(slope), jnp.asarray(starts), first, 40)
    assert (best >= 0).all()
    assert (best <= 1).all()
    np.testing.assert_allclose(best[:, 1], [1, 1])
    np.testing.assert_array_equal(best[:, 0], starts[:, 0])
    assert found[0] == -np.inf
    np.testing.assert_allclose(found[1], 2.0)


@given(
    weights=st.lists(st.floats(1e-6, 1.0), min_size=2, max_size=8),
    share=st.floats(0.0, 1.0),
)
def test_nearest_weights(weights: list[float], share: float):
    w = np.array(weights) / sum(weights)
    floor = 0.999 * share / len(w)
    found = np.asarray(nearest_weights(jnp.asarray(w)[:, None], jnp.asarray(floor)))[:, 0]
    assert found.min() >= floor - 1e-12
    assert abs(found.sum() - 1.0) < 1e-9
    if w.min() >= floor:
        np.testing.assert_allclose(found, w, atol=1e-12)
    # Nearest: no feasible direction leads closer (the projection's variational inequality at the corners).
    for token in range(len(w)):
        corner = np.full(len(w), floor)
        corner[token] = 1.0 - floor * (len(w) - 1)
        assert (w - found) @ (corner - found) <= 1e-9


def test_nearest_weights_against_an_optimiser():
    w, floor = np.array([0.7, 0.2, 0.06, 0.04]), 0.1
    found = np.asarray(nearest_weights(jnp.asarray(w)[:, None], jnp.asarray(floor)))[:, 0]
    solved = minimize(
        lambda x: ((x - w) ** 2).sum(),
        np.full(4, 0.25),
        bounds=[(floor, 1)] * 4,
        constraints={"type": "eq", "fun": lambda x: x.sum() - 1},
        tol=1e-12,
    )
    np.testing.assert_allclose(found, solved.x, atol=1e-6)


@pytest.fixture(scope="module")
def market() -> Market:
    return market_of(smoke())


def improver_for(fingerprint: Fingerprint, market: Market, effort: Effort) -> tuple[Evaluator, SearchSpace, Improver]:
    evaluator = Evaluator(fingerprint, market, batch_size=fingerprint.search.batch_size)
    space = search_space(fingerprint)
    return evaluator, space, Improver(evaluator, space, fingerprint.search.batch_size, effort)


WEIGHTS = "search.parameters.initial_weights_logits={low: -10, high: 10}"


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("pool.use_alt_lamb=true", "search.force_scalar=true"),
        (WEIGHTS, "pool.minimum_weight=0.2"),
        ("objective.windows=3", "objective.aggregate=worst", "objective.overfitting_penalty=0.3"),
        ("objective.windows=2", "objective.aggregate=mean_minus_std", "objective.turnover_penalty=5"),
        ("search.parameters.log_k={low: {SYNA: 2}, high: 8}", "search.parameters.memory_days.SYNB=[1, 9]"),
        ("search.parameters.log_k={low: 1, high: 8, log_scale: true}",),
        ("objective.metric=returns_over_hodl",),
        ("pool.chunk_period=2880", "pool.weight_interpolation_method=approx_optimal"),
    ],
    ids=lambda settings: " ".join(settings)[:40] or "as it is",
)
def test_what_is_found_is_what_a_trial_scores(settings: tuple[str, ...], market: Market):
    """The improver's objective of each lane's best point is the evaluator's, and no lower than the start's."""
    evaluator, space, improver = improver_for(smoke(*settings), market, Effort(6, 2))
    memetic = Memetic(space, improver, 8, seed=0, worker=0, refines=False)
    starts = np.random.default_rng(0).random((improver.width, improver.keys))
    free = np.tile(np.arange(improver.keys)[:, None], (1, improver.width))
    improved = improver.improve(starts.T.copy(), free, np.random.default_rng(1))
    before, after = (
        evaluator.score([space.params(dict(zip(space.ranges, row.tolist(), strict=True))) for row in rows]).objectives
        for rows in (memetic._numbers(starts), memetic._numbers(improved.units.T))
    )
    # In single precision, except with approx_optimal; what is told is scored anew.
    tolerance = 1e-9 if evaluator.spec.method == "approx_optimal" else 1e-3
    np.testing.assert_allclose(improved.objectives, after[:, 0], rtol=tolerance, atol=tolerance)
    assert (after[:, 0] >= before[:, 0] - tolerance).all()
    assert after.max() > before.max()
    numbers, ranges = memetic._numbers(improved.units.T), space.ranges.values()
    assert (numbers >= np.array([one.low for one in ranges]) - 1e-9).all()
    assert (numbers <= np.array([one.high for one in ranges]) + 1e-9).all()


def test_a_study_compiles_its_improvement_once(market: Market):
    _, _, one = improver_for(smoke(), market, Effort(3, 1))
    _, _, other = improver_for(
        smoke("search.parameters.log_k={low: 2, high: 5}", "search.seed=4"), market, Effort(3, 1)
    )
    assert one._program is other._program
