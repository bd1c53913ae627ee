"""What a pool trades, earns and loses to arbitrage, scored in every engine, against the plain minute loop."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from momentum_opt.simulation.free_walk import bars_of, free_kernel_serves, walk_without_costs
from momentum_opt.simulation.inputs import market_arrays
from momentum_opt.simulation.minute_walk import kernel_serves, walk_with_costs
from momentum_opt.study.candidates import settings_of, stack
from momentum_opt.study.scoring import (
    compared_growth,
    needs_of_score,
    penalties_of,
    score_candidates,
    score_path,
    score_spec,
)
from momentum_opt.study.watched import watch_of, watched_summary
from momentum_opt.vocabulary.metrics import Cadence
from tests.reference.minute_loop import Pool
from tests.simulation.cases import Case, random_params
from tests.study.slices_oracle import constant_weight_path, slice_metrics

FLOWS = ("information_ratio", "weight_turnover", "volume", "fee_yield", "lvr")
NAMES = (*FLOWS, "returns", "max_drawdown", "greatest_draw_down", "sharpe")
FEES = {"fees": 0.003, "gas_cost": 1.0, "noise_trader_ratio": 1.0, "protocol_fee_split": 0.25}
DAYS, TRAIN = 6, 3
COST = 4e-4

_score = partial(jax.jit, static_argnums=(0, 1))(score_candidates)


def prepared(case: Case, *, exchange_cost: float = COST, cadence: Cadence = Cadence.MINUTE, names=NAMES):
    """Spec, scoring and inputs of all metrics at once, each candidate beside its own constant-weight pool."""
    fingerprint = case.fingerprint(None, 0.5, return_val="returns", baselines={"exchange_cost": exchange_cost})
    assert fingerprint.periods.train == (0, TRAIN)
    spec = case.spec
    scoring = replace(score_spec(fingerprint, spec, own_weights=True), names=tuple(names), cadence=cadence)
    spec = replace(spec, every_bar=spec.arb > 1 and cadence == Cadence.MINUTE)
    return spec, scoring, settings_of(fingerprint, jnp.float64), penalties_of(fingerprint, jnp.float64)


def in_xla(case: Case, sets, **options):
    spec, scoring, settings, penalties = prepared(case, **options)
    arrays = market_arrays(case.prices, case.start_row, spec, bars=scoring.cadence == Cadence.MINUTE)
    return _score(spec, scoring, arrays, settings, penalties, stack(sets, len(sets), jnp.float64))


def in_kernel(case: Case, sets, **options):
    spec, scoring, settings, penalties = prepared(case, **options)
    needs = needs_of_score(scoring)
    watch = watch_of(needs)
    assert watch is not None
    assert kernel_serves(spec, scoring.cadence, jnp.dtype("float64"), watch)
    arrays, candidates = market_arrays(case.prices, case.start_row, spec), stack(sets, len(sets), jnp.float64)
    path = walk_with_costs(spec, arrays, settings, candidates, 2, watch)
    path = path._replace(kept=watched_summary(path.kept, needs, spec.bars_per_day, 1))
    still = walk_with_costs(replace(spec, rule="constant_weight"), arrays, settings, candidates, 1)
    value = jnp.sum(still.reserves[:-1] * arrays.days.price[:-1, :, None], axis=1)
    return jax.jit(score_path, static_argnums=(0, 1))(spec, scoring, arrays.days, path, None, penalties, jnp.log(value))


def in_free_kernel(case: Case, sets, **options):
    spec, scoring, settings, penalties = prepared(case, **options)
    needs = needs_of_score(scoring)
    watch = watch_of(needs)
    assert watch is not None
    assert free_kernel_serves(spec, scoring.cadence, jnp.dtype("float64"), watch)
    arrays, candidates = market_arrays(case.prices, case.start_row, spec), stack(sets, len(sets), jnp.float64)
    path = walk_without_costs(spec, arrays, bars_of(case.market, spec), settings, candidates, 2, watch)
    path = path._replace(kept=watched_summary(path.kept, needs, spec.bars_per_day, 1))
    still = compared_growth(spec, scoring, arrays, settings, candidates)
    return jax.jit(score_path, static_argnums=(0, 1))(spec, scoring, arrays.days, path, None, penalties, still)


def assert_oracle(case: Case, sets, scores, names=NAMES, exchange_cost: float = COST) -> None:
    for place, params in enumerate(sets):
        path = case.reference(params)
        still = constant_weight_path(case, params["initial_weights"])
        for found, days in ((scores.train, (0, TRAIN)), (scores.validation, (TRAIN, DAYS))):
            wanted = slice_metrics(case, path, days, constant_weight=still, exchange_cost=exchange_cost)
            # A loss per year of a few days is a difference of logarithms, each exact to 1e-12, times years over days.
            per_year = 1e-12 * 365 / (days[1] - days[0])
            for name in names:
                atol = per_year if name == "lvr" else 1e-11
                np.testing.assert_allclose(found[name][place], wanted[name], rtol=1e-9, atol=atol, err_msg=name)


def sets_of(case: Case, count: int = 2) -> list[dict[str, np.ndarray]]:
    return [random_params(case.n, case.pool.floor(case.n), seed) for seed in range(count)]


QUICK = Pool(chunk_period=240, weight_interpolation_period=180, max_memory_days=2.0, maximum_change=1e-4)
FAST = Pool(chunk_period=60, max_memory_days=2.0, maximum_change=1e-3)
HOURLY = Pool(bar_minutes=60, chunk_period=480, max_memory_days=2.0, maximum_change=1e-3, minimum_weight=0.01)
FREE = {
    "closed form, two tokens": (QUICK, 2),
    "closed form, eight tokens": (replace(QUICK, maximum_change=4e-5), 8),
    "in chunk": (FAST, 3),
    "chunks of two days": (replace(QUICK, chunk_period=2880, weight_interpolation_period=2000), 3),
    "arbitrage every 15 minutes": (replace(QUICK, arb_frequency=15), 3),
    "arbitrage every 7 minutes": (replace(FAST, arb_frequency=7), 2),
    "approximately optimal": (replace(FAST, weight_interpolation_method="approx_optimal"), 2),
    "hourly bars": (HOURLY, 4),
}
COSTLY = {
    "two tokens": (replace(FAST, **FEES), 2),
    "no fee": (replace(QUICK, gas_cost=0.5), 3),
    "hourly bars": (replace(HOURLY, **FEES), 3),
    "arbitrage every 7 minutes": (replace(FAST, **FEES, arb_frequency=7), 2),
    "approximately optimal": (replace(FAST, **FEES, weight_interpolation_method="approx_optimal"), 2),
}
SLOW_FREE = {"chunks of two days", "arbitrage every 7 minutes"}
SLOW_COSTLY = {"no fee", "approximately optimal", "hourly bars"}


def _some(cases, slow):
    return [pytest.param(name, marks=[pytest.mark.slow] * (name in slow)) for name in cases]


@pytest.mark.parametrize("name", _some(FREE, SLOW_FREE))
def test_without_costs(name: str) -> None:
    case = Case.random(FREE[name][0], FREE[name][1], DAYS, seed=3)
    sets = sets_of(case)
    assert_oracle(case, sets, in_xla(case, sets))


def with_jump(case: Case) -> Case:
    """The same with the first token 80 % dearer from a third of its days on."""
    prices = case.prices.copy()
    prices[case.start_row + len(prices[case.start_row :]) // 3 :, 0] *= 1.8
    return case.with_prices(prices)


@pytest.mark.parametrize("name", ["closed form, two tokens", "closed form, eight tokens", "chunks of two days"])
@pytest.mark.parametrize("jumps", [False, True])
def test_without_costs_in_the_kernel(name: str, jumps: bool) -> None:
    """With a jump, a step is larger than the short series serves."""
    case = Case.random(FREE[name][0], FREE[name][1], DAYS, seed=3)
    if jumps:
        case = with_jump(case)
        assert bars_of(case.market, case.spec).large.sum() == 1
    sets = sets_of(case, 3)
    assert_oracle(case, sets, in_free_kernel(case, sets))


def test_hours_without_costs_in_the_kernel() -> None:
    """Weights that move a little, as the closed form asks; the last block ends with the prices."""
    case = Case.random(replace(HOURLY, maximum_change=5e-6), 4, DAYS, seed=3)
    assert case.spec.engine == "closed_form"
    sets = sets_of(case, 70)  # more than a tile
    found = in_free_kernel(case, sets)
    assert_oracle(case, sets[:2], found)
    wanted = in_xla(case, sets)
    for name in NAMES:
        np.testing.assert_allclose(found.train[name], wanted.train[name], rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("name", _some(COSTLY, SLOW_COSTLY))
def test_with_costs(name: str) -> None:
    case = Case.random(COSTLY[name][0], COSTLY[name][1], DAYS, seed=4)
    sets = sets_of(case)
    assert_oracle(case, sets, in_xla(case, sets))


@pytest.mark.parametrize("name", ["two tokens", "hourly bars", pytest.param("no fee", marks=pytest.mark.slow)])
@pytest.mark.parametrize("jumps", [False, True])
def test_in_the_kernel(name: str, jumps: bool) -> None:
    """With a jump, blocks are run again with the exact functions, and what was watched with them."""
    case = Case.random(COSTLY[name][0], COSTLY[name][1], DAYS, seed=4)
    if jumps:
        case = with_jump(case)
    sets = sets_of(case, 3)
    assert_oracle(case, sets, in_kernel(case, sets))


@pytest.mark.parametrize(
    ("walk", "pool"), [(in_kernel, COSTLY["two tokens"][0]), (in_free_kernel, QUICK)], ids=["costs", "free"]
)
def test_a_broken_candidate_has_no_minute_metric_in_the_kernel(walk, pool: Pool) -> None:
    case = Case.random(pool, 2, DAYS, seed=4)
    sets = sets_of(case, 2)
    sets[0]["log_k"] = np.full(2, np.nan)
    found = walk(case, sets)
    for name in ("volume", "fee_yield", "lvr", "max_drawdown", "greatest_draw_down", "sharpe"):
        assert np.isnan(found.train[name][0]), name
        assert np.isfinite(found.train[name][1]), name


def test_the_order_of_the_tokens_changes_nothing() -> None:
    case = Case.random(*FREE["in chunk"], DAYS, seed=3)
    sets, order = sets_of(case), np.array([2, 0, 1])
    turned = [{name: values[order] for name, values in one.items()} for one in sets]
    found, wanted = in_xla(case.with_prices(case.prices[:, order]), turned), in_xla(case, sets)
    for name in NAMES:
        np.testing.assert_allclose(found.train[name], wanted.train[name], rtol=1e-9, err_msg=name)


@pytest.mark.parametrize(
    ("walk", "pool"),
    [(in_xla, FREE["in chunk"]), (in_kernel, COSTLY["two tokens"]), (in_free_kernel, FREE["closed form, two tokens"])],
    ids=["xla", "costs", "free"],
)
def test_constant_prices_give_zero(walk, pool: tuple[Pool, int]) -> None:
    case = Case.random(*pool, DAYS, seed=3)
    still = case.with_prices(np.broadcast_to(case.prices[0], case.prices.shape).copy())
    found = walk(still, sets_of(still), exchange_cost=0.0)
    for name in ("weight_turnover", "volume", "fee_yield", "lvr", "returns", "max_drawdown"):
        np.testing.assert_allclose(found.train[name], 0.0, atol=1e-8, err_msg=name)
    assert np.isnan(found.train["information_ratio"]).all()


def test_the_loss_of_equal_weights_is_an_eighth_of_the_variance() -> None:
    """Milionis et al. (2022): σ²/8 a year for a token of volatility σ beside a numeraire, without fees."""
    paths, days, sigma = 256, 20, 0.8
    pool = Pool(bar_minutes=60, chunk_period=1440, max_memory_days=1.0, rule="constant_weight")
    steps = np.random.default_rng(11).normal(0.0, sigma / np.sqrt(365 * 24), (paths, (days + 1) * 24))
    prices = np.stack([1000.0 * np.exp(np.cumsum(steps, axis=1)), np.ones_like(steps)], axis=-1)
    case = Case(prices[0], 24, pool)
    fingerprint, spec = case.fingerprint(return_val="lvr"), case.spec
    scoring = replace(score_spec(fingerprint, spec), names=("lvr",))
    arrays = [market_arrays(one, 24, spec, bars=True) for one in prices]
    fixed = settings_of(fingerprint, jnp.float64), penalties_of(fingerprint, jnp.float64)
    equal = stack([{"initial_weights": np.full(2, 0.5)}], 1, jnp.float64)

    def lost(market):
        return score_candidates(spec, scoring, market, *fixed, equal).train["lvr"][0]

    found = np.asarray(jax.jit(jax.vmap(lost))(jax.tree.map(lambda *each: jnp.stack(each), *arrays)))
    assert abs(found.mean() - sigma**2 / 8) < 4 * found.std() / np.sqrt(paths)
    assert found.std() / np.sqrt(paths) < 0.01 * sigma**2 / 8
