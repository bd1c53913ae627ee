"""MomentumPool's reserves with costs against the oracle's minute loop."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from momentum_opt.pool.momentum import MomentumPool
from tests.reference.minute_loop import Pool, simulate
from tests.simulation.cases import Case, random_params

QUICK = Pool(chunk_period=60, max_memory_days=2.0, maximum_change=1e-3, protocol_fee_split=0.25, noise_trader_ratio=1.0)
N, DAYS = 3, 2
ROWS = 1440 * DAYS


def inputs(pool: Pool) -> tuple:
    case = Case.random(pool, N, DAYS)
    return case, random_params(N, pool.floor(N), 0), (jnp.asarray(case.prices), (case.start_row, 0))


@pytest.mark.parametrize(
    "costs", [{"fees": 0.003}, {"fees": 0.0, "gas_cost": 2.0}, {"fees": 0.01, "gas_cost": 1.0, "arb_fees": 5e-4}]
)
@pytest.mark.parametrize("q", [1, 7])
def test_fees_against_the_minute_loop(costs: dict[str, float], q: int) -> None:
    case, params, where = inputs(replace(QUICK, arb_frequency=q, **costs))
    found = MomentumPool().calculate_reserves_with_fees(params, case.fingerprint(), *where)
    np.testing.assert_allclose(found, case.reference(params).reserves, rtol=1e-9)


def test_dynamic_inputs_against_the_minute_loop() -> None:
    generator = np.random.default_rng(0)
    fees = np.repeat(generator.choice([0.0, 0.001, 0.01], ROWS // 60), 60)
    gas, arb_fees = generator.uniform(0.0, 3.0, ROWS), generator.uniform(0.0, 1e-3, ROWS)
    supply = np.cumprod(np.where(generator.random(ROWS) < 0.01, generator.uniform(0.9, 1.1, ROWS), 1.0))
    trades, table = [], np.zeros((ROWS, 3))
    for bar in generator.choice(ROWS, 40, replace=False):
        token_in, token_out = generator.permutation(N)[:2]
        table[bar] = token_in, token_out, [0.5, 5.0, 9000.0][token_in]
        trades.append((int(bar), int(token_in), int(token_out), float(table[bar, 2])))
    case, params, where = inputs(QUICK)
    varying = replace(QUICK, fees=fees, gas_cost=gas, arb_fees=arb_fees)
    wanted = simulate(case.prices, case.start_row, params, varying, trades=trades, lp_supply=supply)
    found = MomentumPool().calculate_reserves_with_dynamic_inputs(
        params, case.fingerprint(), *where, *map(jnp.asarray, (fees, gas, arb_fees, table, supply))
    )
    np.testing.assert_allclose(found, wanted.reserves, rtol=1e-9)


def test_constant_inputs_equal_the_numbers_under_jit_and_vmap() -> None:
    case, params, where = inputs(replace(QUICK, fees=0.003, gas_cost=1.0))
    fingerprint, pool = case.fingerprint(), MomentumPool()
    plain = pool.calculate_reserves_with_fees(params, fingerprint, *where)
    rows = [jnp.full(ROWS, value) for value in (0.003, 1.0, 0.0)]
    given = jax.jit(lambda params: pool.calculate_reserves_with_dynamic_inputs(params, fingerprint, *where, *rows))
    np.testing.assert_allclose(given(params), plain, rtol=1e-13)
    both = {name: np.stack([row, row]) for name, row in params.items()}
    mapped = jax.vmap(lambda params: pool.calculate_reserves_with_fees(params, fingerprint, *where))(both)
    np.testing.assert_allclose(mapped[1], plain, rtol=1e-13)


@pytest.mark.slow
def test_gradients_are_numbers() -> None:
    case, params, where = inputs(replace(QUICK, fees=0.003))
    fingerprint, pool = case.fingerprint(), MomentumPool()

    def last_value(log_k):
        reserves = pool.calculate_reserves_with_fees({**params, "log_k": log_k}, fingerprint, *where)
        return jnp.sum(reserves[-1] * where[0][-1])

    slope = jax.grad(last_value)(jnp.asarray(params["log_k"]))
    assert np.isfinite(slope).all()
    assert np.any(slope != 0.0)
