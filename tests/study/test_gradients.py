"""Slopes of the objective on random pools: those of JAX's reverse and forward mode, and of differences."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from momentum_opt.errors import UsageError
from momentum_opt.pool.registry import POOLS as RULES
from momentum_opt.simulation import sensitivities
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.gradients import mode_of, objective_of, traced_candidates, value_and_gradient
from momentum_opt.study.scoring import score
from tests.reference.minute_loop import Pool
from tests.simulation.cases import Case, random_params

LANES = 4
DAYS = 12
DAILY = Pool(max_memory_days=3.0, bar_minutes=60)
"""Daily chunks of hourly bars, whose steps are too large for the closed form."""
SLOW = replace(DAILY, maximum_change=1e-5, minimum_weight=0.02)
"""Steps that the closed form allows."""

POOLS = {
    "closed form, 2 tokens": (SLOW, 2),
    "closed form, 8 tokens, m < P, alternative memory": (
        replace(SLOW, weight_interpolation_period=600, use_alt_lamb=True, minimum_weight=0.012),
        8,
    ),
    "closed form, chunks of 4 hours, an arbitrage every 2": (
        replace(SLOW, chunk_period=240, arb_frequency=120, maximum_change=5e-6),
        3,
    ),
    "closed form, chunks of 5 days, m of 2.5": (
        replace(SLOW, chunk_period=7200, weight_interpolation_period=3600, max_memory_days=20.0),
        3,
    ),
    "in chunk, 5 tokens": (DAILY, 5),
    "in chunk, chunks of 6 hours, m < P, alternative memory": (
        replace(DAILY, chunk_period=360, weight_interpolation_period=180, use_alt_lamb=True),
        3,
    ),
    "in chunk, chunks of 2 days, m of 1.5": (
        replace(DAILY, chunk_period=2880, weight_interpolation_period=2160, max_memory_days=9.0),
        4,
    ),
    "in chunk, an arbitrage every 7 hours": (replace(DAILY, arb_frequency=420), 3),
    "in chunk, an arbitrage every 36 hours, chunks of a day": (replace(DAILY, arb_frequency=2160), 3),
    "anti-momentum": (replace(DAILY, rule="anti_momentum"), 3),
    "approx_optimal": (replace(DAILY, weight_interpolation_method="approx_optimal"), 3),
}
OBJECTIVES = (
    {},
    {"return_val": "returns_over_hodl", "windows": 2, "aggregate": "worst", "turnover_penalty": 1e3},
    {"return_val": "daily_sharpe", "windows": 3, "aggregate": "mean_minus_std", "overfitting_penalty": 0.5},
)
"""Each pool takes one of them."""
METRICS = (
    "sortino", "cvar_95", "returns", "annualised_returns_over_uniform_hodl", "daily_rovar_trad", "information_ratio",
    "weight_turnover",
)  # fmt: skip


def evaluator(case: Case, **keys) -> Evaluator:
    own = {name: keys.pop(name) for name in ("aggregate", "windows") if name in keys}
    optuna = {name: keys.pop(name) for name in ("overfitting_penalty", "multi_objective") if name in keys}
    settings = {"objective": own, "optimisation_settings": {"optuna_settings": optuna}}
    fingerprint = case.fingerprint(None, 0.27, **settings, **keys)
    return Evaluator(fingerprint, case.market, batch_size=LANES)


def inputs(pool: Pool, n: int, **keys):
    """Static description and traced inputs of the objective, and `LANES` random candidates as (asset, batch)."""
    case = Case.random(pool, n, DAYS, history=4, seed=n)
    one = evaluator(case, **keys)
    sets = [random_params(n, pool.floor(n), seed, alt=pool.use_alt_lamb) for seed in range(LANES)]
    params = {name: jnp.asarray(np.stack([some[name] for some in sets], axis=-1)) for name in sets[0]}
    params["log_k"] -= 5.0 if pool.maximum_change < 1e-4 else 2.0  # not all steps at the speed limit
    params["initial_weights_logits"] = jnp.log(params.pop("initial_weights"))
    return one, (one._arrays, one._settings, one._penalties), params


@partial(jax.jit, static_argnums=(0, 1))
def plain(spec, scoring, arrays, settings, penalties, params):
    """The objective by the engine."""
    candidates = traced_candidates(params, spec.n_assets)
    return score(spec, scoring, arrays, settings, penalties, candidates).objectives[0]


@partial(jax.jit, static_argnums=(0, 1))
def in_reverse(spec, scoring, *traced):
    return jax.vjp(partial(plain, spec, scoring, *traced[:-1]), traced[-1])[1](jnp.ones(LANES))[0]


@partial(jax.jit, static_argnums=(0, 1))
def forwards(spec, scoring, *traced, direction):
    return jax.jvp(partial(plain, spec, scoring, *traced[:-1]), (traced[-1],), (direction,))[1]


slopes = jax.jit(value_and_gradient, static_argnums=(0, 1))


def differences(spec, scoring, *traced, step=3e-5):
    """Central differences in every number of every lane, and where those of half the step are the same: no kink."""
    params = jax.tree.map(np.asarray, traced[-1])
    places = [(name, token) for name, values in params.items() for token in range(len(values))]
    sides = (1.0, -1.0, 0.5, -0.5)
    moved = {name: np.tile(values, len(sides) * len(places)) for name, values in params.items()}
    for place, (name, token) in enumerate(places):
        for number, side in enumerate(sides):
            first = (len(sides) * place + number) * LANES
            moved[name][token, first : first + LANES] += side * step
    values = np.asarray(plain(spec, scoring, *traced[:-1], moved)).reshape(len(places), len(sides), LANES)
    rough, fine = (values[:, 0] - values[:, 1]) / (2.0 * step), (values[:, 2] - values[:, 3]) / step
    smooth = (np.abs(rough - fine) <= 3e-6 * np.abs(rough).max(axis=0)).all(axis=0)
    numbers = {name: [places.index((name, token)) for token in range(len(values))] for name, values in params.items()}
    return {name: rough[rows] for name, rows in numbers.items()}, smooth


def assert_same_slopes(found, wanted, rtol: float, lanes=slice(None)):
    """Relative to the largest slope of the lane."""
    size = np.max([np.abs(values).max(axis=0) for values in wanted.values()], axis=0)
    assert (size[lanes] > 0).all()
    for name, values in wanted.items():
        assert np.abs(values).max() > 0, name
        apart = np.abs(np.asarray(found[name]) - values) / size
        assert apart[:, lanes].max() <= rtol, (name, apart)


QUICK = (
    "closed form, 8 tokens, m < P, alternative memory",
    "in chunk, chunks of 2 days, m of 1.5",
    "in chunk, an arbitrage every 7 hours",
)
"""The others are as good, but each takes several compilations."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in POOLS]
)
def test_slopes_are_those_of_reverse_and_forward_mode_and_of_differences(name):
    pool, n = POOLS[name]
    keys = OBJECTIVES[list(POOLS).index(name) % len(OBJECTIVES)]
    if pool.arb_frequency > 1:
        keys = {key: value for key, value in keys.items() if key != "turnover_penalty"}
    one, traced, params = inputs(pool, n, **keys)
    static = one.spec, one.scoring
    assert one.spec.engine == ("closed_form" if name.startswith("closed") else "in_chunk")
    assert (mode_of(*static) == "sensitivities") == (pool.weight_interpolation_method == "linear")
    value, found = slopes(*static, *traced, params)
    np.testing.assert_allclose(value, plain(*static, *traced, params), rtol=1e-12)
    assert_same_slopes(found, in_reverse(*static, *traced, params), 1e-9)
    wanted, smooth = differences(*static, *traced, params)
    assert smooth.sum() >= LANES / 2
    assert_same_slopes(found, wanted, 1e-5, smooth)

    generator = np.random.default_rng(5)
    direction = {key: jnp.asarray(generator.normal(size=values.shape)) for key, values in params.items()}
    along = sum(np.sum(found[key] * direction[key], axis=0) for key in params)
    np.testing.assert_allclose(forwards(*static, *traced, params, direction=direction), along, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("metric", METRICS)
def test_slopes_of_other_metrics(metric):
    one, traced, params = inputs(DAILY, 3, return_val=metric)
    # Without a penalty validation does not enter, and its two returns may have no downside to divide by.
    first = one.scoring.validation[0]
    static = one.spec, replace(one.scoring, validation=(first, first))
    value, found = slopes(*static, *traced, params)
    np.testing.assert_allclose(value, plain(*static, *traced, params), rtol=1e-12)
    assert_same_slopes(found, in_reverse(*static, *traced, params), 1e-9)
    wanted, smooth = differences(*static, *traced, params)
    assert smooth.sum() >= LANES / 2
    assert_same_slopes(found, wanted, 1e-5, smooth)


def test_one_number_for_all_tokens_has_the_sum_of_their_slopes():
    one, traced, params = inputs(DAILY, 3)
    shared = {**params, "log_k": params["log_k"][:1]}
    spread = {**params, "log_k": jnp.broadcast_to(shared["log_k"], params["log_k"].shape)}
    value, found = slopes(one.spec, one.scoring, *traced, shared)
    same, each = slopes(one.spec, one.scoring, *traced, spread)
    np.testing.assert_array_equal(value, same)
    assert found["log_k"].shape == (1, LANES)
    np.testing.assert_allclose(found["log_k"][0], each["log_k"].sum(axis=0), rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_slopes_of_every_rule(rule):
    """Also of one that is added: `STATE_PARAMS` says what may be carried forwards."""
    one, traced, params = inputs(replace(DAILY, rule=rule), 3)
    schema = RULES[rule].get_param_schema()
    params = {name: params.get(name, jnp.ones((3, LANES))) for name in schema if name != "logit_delta_lamb"}
    _, found = slopes(one.spec, one.scoring, *traced, params)
    assert_same_slopes(found, in_reverse(one.spec, one.scoring, *traced, params), 1e-9)


def test_a_broken_lane_stays_alone():
    one, traced, params = inputs(SLOW, 2)
    broken = {**params, "log_k": params["log_k"].at[:, 1].set(np.nan)}
    value, found = slopes(one.spec, one.scoring, *traced, broken)
    whole, wanted = slopes(one.spec, one.scoring, *traced, params)
    kept = [0, 2, 3]
    assert np.isnan(value[1])
    np.testing.assert_array_equal(np.asarray(value)[kept], np.asarray(whole)[kept])
    for name, values in wanted.items():
        np.testing.assert_array_equal(np.asarray(found[name])[:, kept], np.asarray(values)[:, kept])


def test_steps_inside_a_scan_compile_once_and_climb():
    one, traced, params = inputs(SLOW, 2)
    static = one.spec, one.scoring

    @jax.jit
    def climb(start, arrays, settings, penalties):
        def step(here, _):
            value, slope = value_and_gradient(*static, arrays, settings, penalties, here)
            size = sum(jnp.sum(one * one, axis=0) for one in slope.values())
            return jax.tree.map(lambda x, s: x + 1e-3 * s / jnp.sqrt(size), here, slope), value

        return jax.lax.scan(step, start, None, length=20)[1]

    values = climb(params, *traced)
    assert (values[-1] > values[0]).all()
    more = traced[1]._replace(maximum_change=2.0 * traced[1].maximum_change)
    climb(
        jax.tree.map(lambda x: x + 0.1, params),
        traced[0],
        more,
        traced[2]._replace(overfitting=jnp.asarray(1.0, jnp.float64)),
    )
    assert climb._cache_size() == 1


@pytest.mark.parametrize(
    ("pool", "keys", "message"),
    [
        (replace(DAILY, fees=0.003), {}, "engine with costs"),
        (DAILY, {"return_val": "calmar"}, "calmar.*minute values"),
        (replace(DAILY, arb_frequency=120), {"turnover_penalty": 1.0}, "turnover penalty reads minute values"),
        (DAILY, {"multi_objective": True, "windows": 2}, "several objectives"),
    ],
)
def test_what_has_no_slopes_is_refused(pool, keys, message):
    one, traced, params = inputs(pool, 3, **keys)
    with pytest.raises(UsageError, match=message):
        value_and_gradient(one.spec, one.scoring, *traced, params)


def test_a_rule_that_says_nothing_of_its_state_is_differentiated_in_reverse(monkeypatch):
    one, traced, params = inputs(SLOW, 2)
    static = one.spec, one.scoring
    _, wanted = slopes(*static, *traced, params)
    monkeypatch.setattr("momentum_opt.pool.momentum.MomentumPool.STATE_PARAMS", None)
    assert mode_of(*static) == "reverse"
    _, found = jax.jit(partial(value_and_gradient, *static))(*traced, params)
    assert_same_slopes(found, wanted, 1e-9)


def test_initial_weights_are_needed():
    with pytest.raises(UsageError, match="initial_weights_logits"):
        traced_candidates({"log_k": jnp.ones((2, 1))}, 2)


def test_the_objective_alone_is_the_engines():
    one, traced, params = inputs(DAILY, 3)
    found = objective_of(one.spec, one.scoring, *traced, traced_candidates(params, 3))
    np.testing.assert_allclose(found, plain(one.spec, one.scoring, *traced, params), rtol=1e-12)
    assert sensitivities.serves(one.spec)
