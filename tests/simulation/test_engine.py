"""Both zero-cost engines against the plain minute loop of tests/reference, where the golden numbers are silent."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint.engine import CLOSED_FORM_LIMIT
from momentum_opt.study.candidates import stack
from tests.reference.minute_loop import Pool
from tests.simulation.cases import Case, assert_matches_reference, random_params, run_candidates, run_engine

FORMS = ("log_k", "k", "absolute_k")


def pool(P: int, m: int | None = None, *, limit: float | None = None, n: int = 3, seed: int = 0, **keys: Any) -> Pool:
    """A pool with a random floor and value; maximum_change is `limit` of it per arbitrage (None: the stated bound)."""
    generator = np.random.default_rng([seed, P])
    floor = generator.uniform(0.02, 0.5) / n
    bound = CLOSED_FORM_LIMIT * (1 - 1e-12) if limit is None else limit
    between = max(keys.get("bar_minutes", 1), keys.get("arb_frequency", 1))
    return Pool(
        chunk_period=P,
        weight_interpolation_period=m,
        minimum_weight=floor,
        maximum_change=bound * floor / between,
        initial_pool_value=float(10.0 ** generator.uniform(2, 8)),
        **{"max_memory_days": 3.0, **keys},
    )


# (tokens, days, pool): chunks of half an hour to a week; T is no multiple of P where P is longer than a day.
CLOSED_FORM = {
    "30_two_tokens": (2, 2, pool(30, n=2)),
    "60_short_interpolation": (3, 2, pool(60, 45)),
    "1440_eight_tokens": (8, 5, pool(1440, n=8)),
    "720_five_tokens_alt": (5, 4, pool(720, 100, n=5, use_alt_lamb=True)),
    "2880_broken_last_chunk": (4, 7, pool(2880, 2000, n=4)),
    "10080_week": (3, 16, pool(10080, max_memory_days=7.0)),
    "4320_moves_on_day_one": (2, 8, pool(4320, 700, n=2)),
    "2880_arb_every_5": (3, 5, pool(2880, 1500, arb_frequency=5)),
    "720_arb_every_15": (3, 3, pool(720, 600, arb_frequency=15)),
    "five_minute_bars": (3, 5, pool(240, 120, bar_minutes=5, arb_frequency=5)),
    "hourly_bars": (3, 15, pool(1440, bar_minutes=60, arb_frequency=60)),
    "hourly_bars_arb_every_2": (3, 15, pool(2880, 960, bar_minutes=60, arb_frequency=120)),
}
IN_CHUNK = {
    "beyond_the_bound": (3, 3, pool(60, limit=2.0)),
    "beyond_the_bound_long_chunk": (8, 7, pool(2880, 90, limit=0.3, n=8)),
    "approx_optimal": (4, 3, pool(360, 200, n=4, weight_interpolation_method="approx_optimal")),
    "approx_optimal_arb_every_7": (
        3,
        5,
        pool(1440, 700, weight_interpolation_method="approx_optimal", arb_frequency=7),
    ),
    "q_divides_neither_chunk_nor_day": (3, 2, pool(60, arb_frequency=7)),
    "q_divides_chunk_but_not_interpolation": (3, 2, pool(120, 50, arb_frequency=20)),
    "q_longer_than_chunk": (3, 3, pool(60, arb_frequency=100)),
    "q_longer_than_a_day": (2, 9, pool(2880, n=2, arb_frequency=2000)),
    "hourly_bars_large_steps": (3, 10, pool(240, 120, limit=0.5, bar_minutes=60, arb_frequency=180)),
}


def three_sets(case: Case, seed: int = 0) -> list[list[dict[str, np.ndarray]]]:
    """One or two sets per form of k; sets of one batch have the same form."""
    floor, alt = case.pool.floor(case.n), case.pool.use_alt_lamb
    form = FORMS[seed % 3]
    return [random_params(case.n, floor, 10 * seed + j, form, alt=alt) for j in range(3)]


def check(case: Case, seed: int, rtol: float = 1e-10) -> None:
    sets = three_sets(case, seed)
    found = run_engine(case, sets)
    for column, params in enumerate(sets):
        wanted = case.reference(params)
        assert_matches_reference(found, column, wanted, 1440 // case.pool.bar_minutes, rtol)
        assert np.abs(np.diff(wanted.weights, axis=0)).max() > 0  # the weights do move


@pytest.mark.parametrize("name", CLOSED_FORM)
def test_closed_form_is_the_minute_loop_up_to_the_stated_bound(name: str):
    n, days, settings = CLOSED_FORM[name]
    history = 8 if settings.max_memory_days > 3 else 3
    seed = list(CLOSED_FORM).index(name)
    case = Case.random(settings, n, days, history=history, seed=seed)
    assert case.spec.engine == "closed_form"
    check(case, seed)


@pytest.mark.parametrize("name", IN_CHUNK)
def test_sums_inside_chunks_are_the_minute_loop(name: str):
    n, days, settings = IN_CHUNK[name]
    seed = list(IN_CHUNK).index(name)
    case = Case.random(settings, n, days, history=3, seed=seed)
    assert case.spec.engine == "in_chunk"
    check(case, seed)


@pytest.mark.parametrize("name", ["60_short_interpolation", "2880_arb_every_5", "five_minute_bars"])
def test_the_engines_agree_where_both_are_valid(name: str):
    n, days, settings = CLOSED_FORM[name]
    case = Case.random(settings, n, days, history=3, seed=7)
    sets = three_sets(case, list(CLOSED_FORM).index(name))
    closed, summed = run_engine(case, sets), run_engine(case, sets, replace(case.spec, engine="in_chunk"))
    for one, other in zip(jax.tree.leaves(closed), jax.tree.leaves(summed), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11)


def test_more_random_pools_through_one_compilation():
    """Floors, caps, values and prices are traced: many pools of one shape, each against the minute loop."""
    for seed in range(6):
        settings = pool(240, 180, seed=seed, n=4)
        settings = replace(settings, maximum_change=settings.maximum_change * (0.001, 0.03, 1.0)[seed % 3])
        check(Case.random(settings, 4, 2, history=3, seed=seed), 3 * seed)


@pytest.mark.parametrize("engine", ["closed_form", "in_chunk"])
def test_a_batch_of_64_is_64_singles(engine: str):
    case = Case.random(pool(120, 90), 3, 2, history=3)
    spec = replace(case.spec, engine=engine)
    sets = [random_params(3, case.pool.floor(3), seed) for seed in range(64)]
    together = run_engine(case, sets, spec)
    for column, params in enumerate(sets):
        alone = run_candidates(case, jax.tree.map(lambda x: x[:, 0], stack([params], 1, jnp.float64)), spec)
        for one, other in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
            np.testing.assert_allclose(one, other[..., column], rtol=1e-12)


@pytest.mark.parametrize("engine", ["closed_form", "in_chunk"])
def test_a_candidate_that_goes_wrong_leaves_the_others_untouched(engine: str):
    case = Case.random(pool(120, 90), 3, 2, history=3)
    spec = replace(case.spec, engine=engine)
    sets = [random_params(3, case.pool.floor(3), seed) for seed in range(64)]
    spoilt = [dict(params) for params in sets]
    spoilt[1]["log_k"] = np.array([np.nan, 1.0, 2.0])
    spoilt[3]["logit_lamb"] = np.full(3, np.nan)
    clean, found = run_engine(case, sets, spec), run_engine(case, spoilt, spec)
    for one, other in zip(jax.tree.leaves(clean), jax.tree.leaves(found), strict=True):
        np.testing.assert_array_equal(np.delete(one, [1, 3], axis=-1), np.delete(other, [1, 3], axis=-1))
    assert np.isnan(found.daily[-1, [1, 3]]).all()


@pytest.mark.parametrize("history", [0, 5])
def test_the_burn_in_reaches_as_far_as_prices_and_memory_do(history: int):
    """No history at all; or more than the longest memory, of which only the last 3 days count (SPEC §6)."""
    case = Case.random(pool(720), 3, 3, history=history, seed=4)
    assert case.market.burn_in_days == min(history, 3)
    check(case, 0)


def test_a_floor_of_one_over_n_leaves_no_room_to_move():
    settings = Pool(chunk_period=60, minimum_weight=1 / 3, max_memory_days=2.0)
    case = Case.random(settings, 3, 2, history=2)
    params = random_params(3, 0.0, 0) | {"initial_weights": np.full(3, 1 / 3)}
    found = run_engine(case, [params])
    np.testing.assert_allclose(found.minutes.weights, 1 / 3, rtol=1e-12)
    assert_matches_reference(found, 0, case.reference(params), 1440, 1e-10)


def test_periods_that_are_no_multiples_of_the_bar_are_refused():
    case = Case.random(pool(120, 90, bar_minutes=60, arb_frequency=60), 3, 2)
    with pytest.raises(ConfigError, match=r"pool\.weight_interpolation_period: not a multiple of the prices' bar"):
        _ = case.spec
