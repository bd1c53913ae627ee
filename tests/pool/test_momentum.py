"""MomentumPool, the seed's interface: against the oracle and the golden numbers, under jit, vmap and grad."""

from dataclasses import replace
from datetime import date

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from momentum_opt.errors import ParamsError
from momentum_opt.pool import MomentumPool
from momentum_opt.vocabulary.schema import COMMON_PARAM_SCHEMA, MOMENTUM_PARAM_SCHEMA
from tests.reference import golden_cases
from tests.reference.golden_cases import CASES
from tests.reference.minute_loop import Pool
from tests.reference.plan import burn_in_chunks
from tests.shared_data import needs_shared
from tests.simulation.cases import Case, random_params
from tests.simulation_case import pool_fingerprint, with_initial_weights

POOL = MomentumPool()
SMALL = Pool(chunk_period=120, weight_interpolation_period=90, max_memory_days=3.0, minimum_weight=0.03)
CASE = Case.random(SMALL, 3, 2, history=2, seed=5)
PARAMS = random_params(3, 0.03, 5) | {"logit_delta_lamb": np.array([0.5, -1.0, 0.2])}
START = (CASE.start_row, 0)
POOLS = {
    "plain": SMALL,
    "alt": replace(SMALL, use_alt_lamb=True),
    "approx_optimal": replace(SMALL, weight_interpolation_method="approx_optimal"),
    "arb_every_7": replace(SMALL, arb_frequency=7),
    "capped_hard": replace(SMALL, maximum_change=1e-6, initial_pool_value=123.0),
}


def golden_inputs(name: str):
    """A golden case as the class wants it: prices from c_0 on, minute 0 at the given row."""
    case, expected = CASES[name]["case"], CASES[name]["expected"]
    loaded = golden_cases.load(name)
    dates = (date.fromisoformat(case["start"]), date.fromisoformat(case["end"]))
    fingerprint = pool_fingerprint(loaded.pool, tuple(expected["order"]), *dates)
    history = burn_in_chunks(loaded.start_row, loaded.pool) * loaded.pool.chunk_period
    prices = jnp.asarray(loaded.prices[loaded.start_row - history :])
    params = with_initial_weights(loaded.params, len(expected["order"]))
    return params, fingerprint, prices, (history, 0), expected


@needs_shared
@pytest.mark.parametrize(
    "name", [name for name in CASES if "readouts" in CASES[name]["expected"] and name[:4] == "zero"]
)
def test_golden_readouts(name):
    *inputs, expected = golden_inputs(name)
    found = POOL.calculate_readouts(*inputs)
    for readout, wanted in expected["readouts"].items():
        np.testing.assert_allclose(found[readout][:10], wanted, rtol=1e-8, atol=0, err_msg=readout)


@needs_shared
@pytest.mark.parametrize("name", ["zero_fee_alt_memory", "zero_fee_arb_every_5"])
def test_golden_weights_and_reserves(name):
    params, fingerprint, prices, start, expected = golden_inputs(name)
    weights = POOL.calculate_weights(params, fingerprint, prices, start)
    reserves = POOL.calculate_reserves_zero_fees(params, fingerprint, prices, start)
    assert len(weights) == len(reserves) == expected["minutes"]
    np.testing.assert_allclose(weights[::1440], expected["daily_weights"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(weights[1440:1470], expected["minute_weights_day2"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(reserves[::1440], expected["daily_reserves"], rtol=1e-9)
    np.testing.assert_allclose(reserves[-1], expected["final_reserves"], rtol=1e-9)


@pytest.mark.parametrize("name", POOLS)
def test_weights_and_reserves_are_the_oracles(name):
    case = replace(CASE, pool=POOLS[name])
    wanted, inputs = case.reference(PARAMS), (PARAMS, case.fingerprint(), jnp.asarray(case.prices), START)
    np.testing.assert_allclose(POOL.calculate_weights(*inputs), wanted.weights, rtol=0, atol=1e-11)
    np.testing.assert_allclose(POOL.calculate_reserves_zero_fees(*inputs), wanted.reserves, rtol=1e-10)
    found = POOL.calculate_readouts(*inputs)
    for readout in ("ewma", "running_a", "gradients"):
        rows = getattr(wanted, readout)
        np.testing.assert_allclose(found[readout][: len(rows)], rows, rtol=1e-9, atol=1e-12)


def test_readout_rows_beyond_the_data_are_nan_and_never_shifted():
    """⌈bout_length/P⌉ rows: the last needs the price of the minute after the end, which the data may not hold."""
    found = POOL.calculate_readouts(PARAMS, CASE.fingerprint(), jnp.asarray(CASE.prices), START)
    longer = np.vstack([CASE.prices, CASE.prices[-1:] * 1.01])
    complete = POOL.calculate_readouts(PARAMS, CASE.fingerprint(), jnp.asarray(longer), START)
    for name, values in found.items():
        assert values.shape == (2 * 1440 // 120 + 1, 3)
        assert jnp.isnan(values[-2:]).tolist() == [[True] * 3] * 2
        np.testing.assert_array_equal(values[:-2], complete[name][:-2])
        assert jnp.isfinite(complete[name][-2]).all()


@pytest.mark.parametrize("name", ["plain", "alt"])
def test_scan_and_single_steps_are_the_same_numbers(name):
    """Row by row what a live pool would compute; every bit but the last ones, which XLA's fusion may turn."""
    fingerprint = replace(CASE, pool=POOLS[name]).fingerprint()
    prices = jnp.asarray(CASE.prices)
    rows = POOL.calculate_rule_outputs(PARAMS, fingerprint, prices)
    chunk_prices = prices[::120]
    carry = POOL.get_initial_rule_state(chunk_prices[0], PARAMS, fingerprint)
    assert set(carry) == {"ewma", "running_a"} | ({"ewma_alt"} if name == "alt" else set())
    step = jax.jit(lambda carry, price: POOL.calculate_rule_output_step(carry, price, PARAMS, fingerprint))
    table = POOL.calculate_readouts(PARAMS, fingerprint, prices, (0, 0))
    for row, price in enumerate(chunk_prices[1:]):
        carry, change = step(carry, price)
        np.testing.assert_allclose(change, rows[row], rtol=1e-11, atol=1e-14 * float(jnp.abs(rows).max()))
        if row < len(table["ewma"]):
            np.testing.assert_allclose(carry["ewma"], table["ewma"][row], rtol=1e-14)
            np.testing.assert_allclose(carry["running_a"], table["running_a"][row], rtol=1e-11, atol=1e-9)
    np.testing.assert_allclose(rows.sum(axis=1), 0.0, atol=1e-13 * float(jnp.abs(rows).max()))


def test_a_scalar_absolute_k_sums_to_zero():
    params = {"logit_lamb": PARAMS["logit_lamb"], "absolute_k": 30.0}
    rows = POOL.calculate_rule_outputs(params, CASE.fingerprint(), jnp.asarray(CASE.prices))
    equal = POOL.calculate_rule_outputs(
        params | {"absolute_k": np.full(3, 30.0)}, CASE.fingerprint(), jnp.asarray(CASE.prices)
    )
    np.testing.assert_array_equal(rows, equal)
    np.testing.assert_allclose(rows.sum(axis=1), 0.0, atol=1e-13)


def test_tokens_without_k_are_not_moved_by_the_rule():
    params = {"logit_lamb": PARAMS["logit_lamb"], "k": [0.0, 5.0, 7.0]}
    prices = jnp.asarray(CASE.prices)
    rows = POOL.calculate_rule_outputs(params, CASE.fingerprint(), prices)
    assert (rows[:, 0] == 0.0).all()
    assert (rows[:, 1] != 0.0).any()
    still = POOL.calculate_rule_outputs(params | {"k": 0.0}, CASE.fingerprint(), prices)
    np.testing.assert_array_equal(still, 0.0)
    with pytest.raises(ParamsError, match="`k` must not be negative"):
        POOL.calculate_rule_outputs(params | {"k": [0.0, -5.0, 7.0]}, CASE.fingerprint(), prices)


@pytest.mark.parametrize("minute", [0, 119, 120, 121, 1440, 2000])
def test_no_weight_looks_ahead(minute):
    """Other prices after minute t: not one bit of a weight up to and including t changes."""
    weights = jax.jit(lambda prices: POOL.calculate_weights(PARAMS, CASE.fingerprint(), prices, START))
    later = CASE.prices.copy()
    later[CASE.start_row + minute + 1 :] *= [1.5, 0.7, 1.1]
    before, after = weights(jnp.asarray(CASE.prices)), weights(jnp.asarray(later))
    np.testing.assert_array_equal(after[: minute + 1], before[: minute + 1])
    assert (after[minute + 1 :] != before[minute + 1 :]).any()


def test_jit_equals_eager_with_a_traced_start():
    prices, fingerprint = jnp.asarray(CASE.prices), CASE.fingerprint()
    for method in (POOL.calculate_weights, POOL.calculate_reserves_zero_fees):
        jitted = jax.jit(lambda params, start, method=method: method(params, fingerprint, prices, start))
        found = jitted(PARAMS, jnp.array(START))
        np.testing.assert_allclose(found, method(PARAMS, fingerprint, prices, START), rtol=1e-10)
    shown = jax.jit(lambda start: POOL.calculate_readouts(PARAMS, fingerprint, prices, start))(jnp.array(START))
    wanted = POOL.calculate_readouts(PARAMS, fingerprint, prices, START)
    for name, values in wanted.items():
        np.testing.assert_allclose(shown[name], values, rtol=1e-10, atol=1e-12)


def test_vmap_over_parameters():
    prices, fingerprint = jnp.asarray(CASE.prices), CASE.fingerprint()
    sets = [random_params(3, 0.03, seed) for seed in range(4)]
    stacked = {name: jnp.stack([params[name] for params in sets]) for name in sets[0]}

    def reserves(params):
        return POOL.calculate_reserves_zero_fees(params, fingerprint, prices, START)

    together = jax.jit(jax.vmap(reserves))(stacked)
    for row, params in enumerate(sets):
        np.testing.assert_allclose(together[row], reserves(params), rtol=1e-10)


@pytest.mark.parametrize("name", ["plain", "approx_optimal"])
def test_gradients_are_finite_and_right(name):
    case = replace(CASE, pool=replace(POOLS[name], maximum_change=1e-2, use_alt_lamb=True))
    prices, fingerprint = jnp.asarray(case.prices), case.fingerprint()
    params = {
        "log_k": jnp.array([1.0, 0.5, 1.5]),
        "logit_lamb": jnp.array([1.0, 0.5, 1.5]),
        "logit_delta_lamb": jnp.array([0.5, -0.5, 0.2]),
        "initial_weights_logits": jnp.array([0.2, -0.1, 0.3]),
    }

    @jax.jit
    def log_value(params):
        reserves = POOL.calculate_reserves_zero_fees(params, fingerprint, prices, START)
        return jnp.log(reserves[-1] @ prices[-1])

    slopes = jax.jit(jax.grad(log_value))(params)
    for key, slope in slopes.items():
        for token in range(3):
            h = 1e-4
            up, down = ({**params, key: params[key].at[token].add(sign * h)} for sign in (1, -1))
            quotient = (log_value(up) - log_value(down)) / (2 * h)
            np.testing.assert_allclose(slope[token], quotient, rtol=1e-4, atol=1e-9, err_msg=key)
    assert any(jnp.abs(slopes[key]).max() > 1e-8 for key in ("log_k", "logit_lamb"))


def test_initial_weights():
    given = POOL.calculate_initial_weights({"initial_weights": [0.2, 0.8], "initial_weights_logits": [1.0, 1.0]})
    np.testing.assert_array_equal(given, [0.2, 0.8])
    softmax = POOL.calculate_initial_weights({"initial_weights_logits": [0.0, np.log(3.0)]})
    np.testing.assert_allclose(softmax, [0.25, 0.75])


def test_fine_weights_hold_a_first_chunk_and_move_in_the_next():
    rows = jnp.array([[0.1, -0.1, 0.0]])
    weights = POOL.calculate_fine_weights(rows, jnp.full(3, 1 / 3), CASE.fingerprint(), PARAMS)
    assert weights.shape == (240, 3)
    np.testing.assert_array_equal(weights[:121], np.tile(weights[0], (121, 1)))
    np.testing.assert_allclose(weights[-1] - weights[0], np.array([1, -1, 0]) * 90 * 3e-4, rtol=1e-5, atol=1e-12)


def test_estimator_constants():
    G, b = POOL._get_estimator_constants(jnp.array([0.5, 0.9]))
    np.testing.assert_allclose(G, [2.0, 10.0])
    np.testing.assert_allclose(b, [4.0, 900.0])


def test_the_pool_is_a_pytree_without_leaves():
    leaves, tree = jax.tree.flatten(POOL)
    assert leaves == []
    assert isinstance(jax.tree.unflatten(tree, leaves), MomentumPool)
    weights = jax.jit(lambda pool, params: pool.calculate_initial_weights(params))
    np.testing.assert_allclose(weights(POOL, {"initial_weights_logits": jnp.zeros(4)}), 0.25)


def test_the_schema_is_the_vocabularys():
    schema = MomentumPool.get_param_schema()
    assert set(schema) == set(COMMON_PARAM_SCHEMA) | set(MOMENTUM_PARAM_SCHEMA)
    assert all(schema[name] is spec for name, spec in MOMENTUM_PARAM_SCHEMA.items())
