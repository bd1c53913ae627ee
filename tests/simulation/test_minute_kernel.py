"""The kernel that walks the minutes, against the oracle's minute loop and against the XLA loop with costs."""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from momentum_opt.caching import Cache
from momentum_opt.pool.costs import Costs
from momentum_opt.simulation import free_kernel, minute_kernel, minute_walk, numba_source
from momentum_opt.simulation import straight_line as straight_line_module
from momentum_opt.simulation.cost_inputs import VaryingCosts
from momentum_opt.simulation.costs import CostPath
from momentum_opt.simulation.engine import simulate
from momentum_opt.simulation.free_walk import free_kernel_serves
from momentum_opt.simulation.inputs import MarketArrays, market_arrays
from momentum_opt.simulation.minute_kernel import LANES, TILE, Walk, Walked
from momentum_opt.simulation.minute_walk import KernelWarning, kernel_serves, walk_with_costs
from momentum_opt.simulation.straight_line import straight_line
from momentum_opt.simulation.watch import NOTHING, Watch
from momentum_opt.study.candidates import settings_of, stack
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.vocabulary.metrics import Cadence
from tests.reference.minute_loop import Pool
from tests.simulation.cases import Case, random_params

QUICK = Pool(chunk_period=60, max_memory_days=2.0, maximum_change=1e-3, fees=0.003)
FREE = replace(QUICK, fees=0.0, maximum_change=1e-4)
ALL = replace(QUICK, fees=0.01, gas_cost=3.0, arb_fees=5e-4, noise_trader_ratio=1.5, protocol_fee_split=0.25)


def walked(case: Case, sets, arrays: MarketArrays | None = None, threads: int = 2) -> CostPath:
    spec = case.spec
    assert kernel_serves(spec, Cadence.DAY_END, jnp.dtype("float64"))
    arrays = arrays or market_arrays(case.prices, case.start_row, spec)
    candidates = stack(sets, len(sets), jnp.float64)
    path = walk_with_costs(spec, arrays, settings_of(case.fingerprint(), jnp.float64), candidates, threads)
    return jax.tree.map(np.asarray, path)


def params(count: int, n: int = 3) -> list[dict[str, np.ndarray]]:
    return [random_params(n, QUICK.floor(n), seed) for seed in range(count)]


def jumping(pool: Pool = QUICK) -> Case:
    return Case.random(pool, 3, 3, seed=5).with_jump()


CASES = {
    "two tokens": Case.random(QUICK, 2, 3, seed=1),
    "three tokens, all costs": Case.random(ALL, 3, 3, seed=2),
    "a jump": jumping(),
    "a jump, all costs": jumping(ALL),
    "four tokens, no fee": Case.random(replace(QUICK, fees=0.0, gas_cost=2.0, noise_trader_ratio=1.0), 4, 2, seed=3),
    "daily chunks, short ramp": Case.random(
        replace(QUICK, chunk_period=1440, weight_interpolation_period=360), 3, 4, seed=4
    ),
    "chunks of three days, q = 7": Case.random(replace(QUICK, chunk_period=4320, arb_frequency=7), 3, 7, seed=5),
    "q = 90, beyond the chunk": Case.random(replace(QUICK, arb_frequency=90), 3, 3, seed=6),
    "q = 2000, beyond the day": Case.random(replace(QUICK, chunk_period=1440, arb_frequency=2000), 2, 6, seed=7),
    "hourly bars": Case.random(
        replace(QUICK, bar_minutes=60, arb_frequency=60, chunk_period=240, maximum_change=1e-2, minimum_weight=0.01),
        3, 20, seed=8,
    ),
}  # fmt: skip


LONG = {"four tokens, no fee", "daily chunks, short ramp", "q = 90, beyond the chunk", "hourly bars"}
"""Mostly compilation."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in CASES])
def test_against_the_minute_loop(name: str):
    case = CASES[name]
    sets = [random_params(case.n, case.pool.floor(case.n), seed) for seed in range(3)]
    found, day = walked(case, sets), case.spec.bars_per_day
    for lane, one in enumerate(sets):
        wanted = case.reference(one).reserves
        np.testing.assert_allclose(found.reserves[:-1, :, lane], wanted[::day], rtol=1e-11)
        np.testing.assert_allclose(found.before_reserves[..., lane], wanted[day - 1 :: day], rtol=1e-11)


def in_xla(case: Case, sets, arrays: MarketArrays) -> CostPath:
    settings = settings_of(case.fingerprint(), jnp.float64)
    run = partial(jax.jit, static_argnums=(0, 4))(simulate)
    path = run(case.spec, arrays, settings, stack(sets, len(sets), jnp.float64), Cadence.DAILY)
    return jax.tree.map(np.asarray, path)


def test_costs_that_vary_equal_the_loops():
    case = jumping(ALL)
    arrays = market_arrays(case.prices, case.start_row, case.spec)
    generator = np.random.default_rng(0)
    assert arrays.blocks.cost is not None
    shape = arrays.blocks.cost.steps.tau.shape
    costs = VaryingCosts(fees=jnp.asarray(generator.uniform(0.001, 0.01, shape)), gas_cost=None,
                         arb_fees=jnp.asarray(generator.uniform(0.0, 1e-3, shape)))  # fmt: skip
    steps = arrays.blocks.cost.steps._replace(costs=costs)
    varying = arrays._replace(blocks=arrays.blocks._replace(cost=arrays.blocks.cost._replace(steps=steps)))
    sets = params(2)
    found, wanted = walked(case, sets, varying), in_xla(case, sets, varying)
    np.testing.assert_allclose(found.reserves, wanted.reserves, rtol=1e-12)
    np.testing.assert_allclose(found.before_reserves, wanted.before_reserves, rtol=1e-12)
    assert np.abs(found.reserves / walked(case, sets, arrays).reserves - 1.0).max() > 1e-6


def test_a_piece_is_a_share_in_whole_vectors_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Origin and step in float64 for every token and block; at least one vector, and tiles where memory ends."""
    spec = jumping().spec
    of_one = 16 * spec.n_blocks * spec.n_assets
    for tiles in (0, 2, 100):
        monkeypatch.setattr(minute_walk, "WEIGHT_BYTES", of_one * (tiles * TILE + TILE // 2))
        for width, threads in ((1, 1), (17, 2), (64, 2), (1000, 3), (5000, 1)):
            share = LANES * np.ceil(width / threads / LANES)
            assert minute_walk.piece_of(spec, width, threads) == min(share, max(LANES, tiles * TILE))


@pytest.mark.parametrize("count", [1, LANES, 2 * LANES + 3])
@pytest.mark.parametrize("threads", [1, 3])
def test_neighbours_and_threads_change_nothing(count: int, threads: int, monkeypatch: pytest.MonkeyPatch):
    case, sets = jumping(), params(count)
    whole = walked(case, sets, threads=threads)
    monkeypatch.setattr(minute_walk, "WEIGHT_BYTES", 1)  # as many pieces as there can be
    pieces = walked(case, sets, threads=threads)
    np.testing.assert_array_equal(whole.reserves, pieces.reserves)
    for lane in {0, count // 2, count - 1}:
        alone = walked(case, [sets[lane]], threads=1)
        np.testing.assert_array_equal(whole.reserves[..., lane], alone.reserves[..., 0])
        np.testing.assert_array_equal(whole.before_reserves[..., lane], alone.before_reserves[..., 0])


def test_a_broken_candidate_is_not_taken_for_a_holder():
    sets = params(3)
    sets[1]["log_k"] = np.full(3, np.nan)
    found, sound = walked(CASES["three tokens, all costs"], sets), walked(CASES["three tokens, all costs"], params(3))
    assert np.isnan(found.reserves[1:, :, 1]).all()
    np.testing.assert_array_equal(found.reserves[..., [0, 2]], sound.reserves[..., [0, 2]])


def test_costs_that_forbid_all_trades_give_hodl():
    found = walked(Case.random(replace(QUICK, gas_cost=1e12), 3, 2), params(2))
    assert (found.reserves == found.reserves[0]).all()


def test_the_evaluator_takes_it_and_scores_the_same(monkeypatch: pytest.MonkeyPatch):
    case, sets = Case.random(ALL, 3, 10), params(11)
    evaluator = Evaluator(case.fingerprint(val_fraction=0.3), case.market, batch_size=11)
    assert evaluator._walks
    found = evaluator.score(sets)
    monkeypatch.setattr(evaluator, "_walks", False)
    evaluator._set_width(11)
    wanted = evaluator.score(sets)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize(
    ("changed", "cadence"),
    [
        ({"weight_interpolation_method": "approx_optimal", "weight_interpolation_period": 30}, Cadence.DAILY),
        ({}, Cadence.MINUTE),
        ({"fees": 0.0}, Cadence.DAILY),
    ],
)
def test_what_it_does_not_serve(changed: dict[str, object], cadence: Cadence):
    spec = Case.random(replace(QUICK, **changed), 3, 2).spec
    assert not kernel_serves(spec, cadence, jnp.dtype("float64"))


def test_single_precision_is_not_served():
    assert not kernel_serves(CASES["two tokens"].spec, Cadence.DAILY, jnp.dtype("float32"))


def test_what_the_kernel_without_costs_serves():
    watch, double = Watch(extremes=True), jnp.dtype("float64")
    spec = Case.random(FREE, 3, 2).spec
    assert free_kernel_serves(spec, Cadence.MINUTE, double, watch)
    assert not free_kernel_serves(spec, Cadence.MINUTE, jnp.dtype("float32"), watch)
    assert not free_kernel_serves(spec, Cadence.MINUTE, double, None)  # percentiles of minutes
    assert not free_kernel_serves(spec, Cadence.DAY_END, double, NOTHING)
    for changed in ({"arb_frequency": 15}, {"maximum_change": 1e-2}, {"fees": 0.003}):
        other = Case.random(replace(FREE, **changed), 3, 2).spec
        assert not free_kernel_serves(other, Cadence.MINUTE, double, watch), changed


def test_lines_say_what_the_formula_says():
    def formula(a, b):
        return jnp.where(a > b, jnp.maximum(a * a - 2.0, b), -jnp.log1p(abs(b))) / 3.0, jnp.minimum(a, b)

    written = straight_line(jax.make_jaxpr(formula)(jnp.float64(1), jnp.float64(1)), ["a", "b"], "x")
    code = "\n".join(["import math", "choose = lambda p, x, y: x if p else y", *written.lines])
    for a, b in ((3.0, -1.0), (-0.5, 0.25), (2.0, 1.9)):
        scope = {"a": a, "b": b}
        exec(code, scope)
        assert [eval(result, scope) for result in written.results] == pytest.approx(list(map(float, formula(a, b))))


def test_an_operation_without_a_line_is_named():
    with pytest.raises(NotImplementedError, match="sin"):
        straight_line(jax.make_jaxpr(jnp.sin)(1.0), ["a"], "x")


def test_costs_are_read_in_the_order_of_their_names():
    assert Costs._fields == ("fees", "gas_cost", "arb_fees", "noise_trader_ratio", "protocol_fee_split")


KERNEL = f"""from numba import njit
@njit(cache=KEEP)
def walk({", ".join(Walk._fields)}, blocks_per_day, {", ".join(Walked._fields)}):
    reserves[0, 0, 0] = 7.0
"""
"""Another kernel, compiled in a moment."""


def compiled_again(cache: Cache | None) -> bool:
    """Whether a process compiles it; that it does what it should is checked."""
    kernel = (
        minute_kernel.COMPILER.from_cache(KERNEL, cache)
        if cache
        else minute_kernel.COMPILER.defined(KERNEL, Path("<here>"), keep=False)
    )
    found = np.zeros((1, 1, 1))
    three, two, one, counts = np.zeros((1, 1, 1)), np.zeros((1, 1)), np.zeros(1), np.zeros(1, np.int64)
    three.flags.writeable = False  # as the arrays of JAX are
    kernel(three, three, two, three, two, three, counts, counts, one, one, 1, found, found, found, found)
    assert found == 7.0
    return not kernel.stats.cache_hits


def test_a_kernel_is_compiled_once(tmp_path: Path):
    cache = Cache(tmp_path / "kept")
    assert compiled_again(cache)
    assert not compiled_again(cache)
    (kept,) = cache.folder.iterdir()
    sound = kept.read_bytes()
    for damage in (b"", sound[:-1], sound[:500] + bytes([sound[500] ^ 1]) + sound[501:]):
        kept.write_bytes(damage)
        assert compiled_again(cache)
        assert not compiled_again(cache)


def test_it_is_compiled_in_memory_where_it_cannot_be_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assert compiled_again(None)
    monkeypatch.setattr(numba_source.tempfile, "tempdir", str(tmp_path / "missing"))
    assert minute_kernel.COMPILER.from_cache(KERNEL, Cache(tmp_path / "kept")) is None


@pytest.mark.parametrize(
    ("trouble", "pool", "metric"),
    [
        ("no Numba", ALL, "returns"),
        ("no line for a primitive", ALL, "returns"),
        ("no Numba", FREE, "max_drawdown"),
    ],
)
def test_without_the_kernel_xla_walks_and_one_line_says_so(
    trouble: str, pool: Pool, metric: str, monkeypatch: pytest.MonkeyPatch
):
    case, sets = Case.random(pool, 2, 3), params(2, 2)
    fingerprint = case.fingerprint(return_val=metric)
    kernels = Evaluator(fingerprint, case.market, batch_size=2)
    assert kernels._walks
    wanted = kernels.score(sets)
    minute_kernel._compiled.cache_clear()
    free_kernel._compiled.cache_clear()
    minute_walk._warn_once.cache_clear()
    if trouble == "no Numba":
        monkeypatch.setitem(sys.modules, "numba", None)
    else:
        monkeypatch.delitem(straight_line_module._LINES, "log1p")
    with pytest.warns(KernelWarning, match=r"^Numba's kernel cannot be used \(.*(numba|log1p).*\); XLA's loop") as said:
        evaluator = Evaluator(fingerprint, case.market, batch_size=2)
    assert len(said) == 1
    assert "\n" not in str(said[0].message)
    assert not evaluator._walks
    for one, other in zip(jax.tree.leaves(evaluator.score(sets)), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
