"""The kernel for GPUs, interpreted on a CPU, against the oracle's minute loop and XLA's loop; and how it is chosen."""

from dataclasses import replace
from functools import partial
from itertools import count, cycle, islice

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from momentum_opt.simulation import minute_gpu
from momentum_opt.simulation.cost_inputs import VaryingCosts
from momentum_opt.simulation.costs import CostPath
from momentum_opt.simulation.inputs import MarketArrays, market_arrays
from momentum_opt.simulation.minute_gpu import Choice, Probe, Timing, choose_walker, compared, pallas_serves
from momentum_opt.simulation.minute_pallas import TILE, simulate_in_kernel
from momentum_opt.study import evaluation
from momentum_opt.study.candidates import settings_of, stack
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.vocabulary.metrics import Cadence
from tests.reference.minute_loop import Pool
from tests.simulation.cases import Case, random_params

QUICK = Pool(chunk_period=60, max_memory_days=2.0, maximum_change=1e-3, fees=0.003)
ALL = replace(QUICK, fees=0.01, gas_cost=3.0, arb_fees=5e-4, noise_trader_ratio=1.5, protocol_fee_split=0.25)
LANES = TILE + 2
"""The second tile is filled up."""

in_kernel = partial(jax.jit, static_argnums=0)(simulate_in_kernel)

JUMP = Case.random(ALL, 3, 2, seed=5).with_jump()
CASES = {
    "two tokens": Case.random(QUICK, 2, 2, seed=1),
    "a jump, all costs": JUMP,
    "four tokens, a jump, no fee": Case.random(
        replace(QUICK, fees=0.0, gas_cost=2.0, noise_trader_ratio=1.0), 4, 2, seed=3
    ).with_jump(),
    "chunks of two days, q = 7": Case.random(replace(QUICK, chunk_period=2880, arb_frequency=7), 3, 4, seed=5),
    "q = 2000, beyond the day": Case.random(replace(QUICK, chunk_period=1440, arb_frequency=2000), 2, 6, seed=7),
}

LONG = {"two tokens", "q = 2000, beyond the day"}
"""Mostly compilation; the same is in the other cases or in the test of the choice."""


def params(case: Case, number: int) -> list[dict[str, np.ndarray]]:
    """Three sets, again and again."""
    return list(islice(cycle([random_params(case.n, case.pool.floor(case.n), seed) for seed in range(3)]), number))


def inputs(case: Case, sets, arrays: MarketArrays | None = None):
    arrays = arrays or market_arrays(case.prices, case.start_row, case.spec)
    return arrays, settings_of(case.fingerprint(), jnp.float64), stack(sets, len(sets), jnp.float64)


def walked(case: Case, sets, arrays: MarketArrays | None = None) -> CostPath:
    return jax.tree.map(np.asarray, in_kernel(case.spec, *inputs(case, sets, arrays)))


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in CASES])
def test_against_the_minute_loop(name: str):
    case = CASES[name]
    sets = params(case, LANES)
    found, day = walked(case, sets), case.spec.bars_per_day
    assert found.reserves.shape[-1] == LANES
    for lane in (0, 1, 2):
        wanted = case.reference(sets[lane]).reserves
        for same in range(lane, LANES, 3):
            np.testing.assert_allclose(found.reserves[:-1, :, same], wanted[::day], rtol=1e-11)
            np.testing.assert_allclose(found.before_reserves[..., same], wanted[day - 1 :: day], rtol=1e-11)


def varying(case: Case) -> MarketArrays:
    """The arrays with fees and arb_fees that change with every step."""
    arrays = market_arrays(case.prices, case.start_row, case.spec)
    assert arrays.blocks.cost is not None
    generator, shape = np.random.default_rng(0), arrays.blocks.cost.steps.tau.shape
    costs = VaryingCosts(fees=jnp.asarray(generator.uniform(0.001, 0.01, shape)), gas_cost=None,
                         arb_fees=jnp.asarray(generator.uniform(0.0, 1e-3, shape)))  # fmt: skip
    steps = arrays.blocks.cost.steps._replace(costs=costs)
    return arrays._replace(blocks=arrays.blocks._replace(cost=arrays.blocks.cost._replace(steps=steps)))


def test_neighbours_change_nothing():
    """Not even one whose parameters are broken, and which stays so."""
    sets = params(JUMP, LANES)
    found = walked(JUMP, sets)
    moved = [*sets[1:], {**sets[0], "log_k": np.full(3, np.nan)}]
    other = walked(JUMP, moved)
    np.testing.assert_array_equal(other.reserves[..., :-1], found.reserves[..., 1:])
    np.testing.assert_array_equal(other.before_reserves[..., :-1], found.before_reserves[..., 1:])
    assert np.isnan(other.reserves[1:, :, -1]).all()
    assert np.isnan(other.before_reserves[..., -1]).all()


@pytest.mark.parametrize("name", ["a jump, all costs", "four tokens, a jump, no fee"])
@pytest.mark.parametrize("varies", [False, True])
def test_all_its_operations_can_be_compiled_for_a_gpu(name: str, varies: bool):
    """Triton has neither stacks nor gathers; nothing here asks for a device."""
    case = CASES[name]
    arguments = inputs(case, params(case, LANES), varying(case) if varies else None)
    program = in_kernel.trace(case.spec, *arguments).lower(lowering_platforms=("cuda",)).as_text()
    assert program.count("custom_call @__gpu$xla.gpu.triton") == 1


@pytest.mark.slow
def test_the_evaluator_takes_it_and_scores_the_same(monkeypatch: pytest.MonkeyPatch):
    case = Case.random(ALL, 2, 6)
    sets = params(case, 5)
    wanted = Evaluator(case.fingerprint(val_fraction=0.3), case.market, batch_size=5).score(sets)
    monkeypatch.setattr(evaluation, "kernel_serves", lambda *_: False)
    monkeypatch.setattr(evaluation, "pallas_serves", lambda *_: True)
    monkeypatch.setattr(evaluation, "choose_walker", lambda *_: Choice("pallas", "a test wants it"))
    scored = Evaluator(case.fingerprint(val_fraction=0.3), case.market, batch_size=5)
    found = scored.score(sets)
    assert scored.choice == Choice("pallas", "a test wants it")
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


def test_it_serves_nothing_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch):
    assert not pallas_serves(JUMP.spec, Cadence.DAILY, jnp.dtype("float64"))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert pallas_serves(JUMP.spec, Cadence.DAILY, jnp.dtype("float64"))
    assert not pallas_serves(JUMP.spec, Cadence.DAILY, jnp.dtype("float32"))
    assert not pallas_serves(JUMP.spec, Cadence.MINUTE, jnp.dtype("float64"))


SOME = CostPath(np.ones((3, 2, 4)), np.ones((2, 2, 4)), np.ones((3, 4)), np.ones((2, 4)))


class Watch:
    """A clock that a run moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def takes(self, seconds: float, path: CostPath):
        def run() -> CostPath:
            self.now += seconds
            return path

        return run


def choice(kernel_seconds: float, kernel: CostPath, loop: CostPath = SOME, cores_seconds: float = 8.0, width: int = 4):
    """Of probes with four candidates."""
    watch = Watch()
    runs = {
        "xla": Probe(watch.takes(1.0, loop), 4, grows=False),
        "pallas": Probe(watch.takes(kernel_seconds, kernel), 4, grows=False),
        "numba": Probe(watch.takes(cores_seconds, loop), 4, grows=True),
    }
    return compared(runs, watch).choice(width)


def test_the_fastest_of_equal_walkers_is_taken():
    assert choice(0.25, SOME) == Choice(
        "pallas",
        "Pallas kernel on the GPU; XLA on the GPU 4× slower; Numba kernel on the CPU 32× slower",
    )
    assert choice(0.25, SOME._replace(reserves=SOME.reserves * (1 + 1e-10))).walker == "pallas"
    assert choice(3.0, SOME).walker == "xla"
    assert choice(1.0, SOME).walker == "xla"


def test_the_cores_are_taken_for_few_candidates():
    """A GPU takes as long for one as for four, and longer for eight."""
    assert choice(0.25, SOME, cores_seconds=0.5, width=1) == Choice(
        "numba",
        "Numba kernel on the CPU; XLA on the GPU 8× slower; Pallas kernel on the GPU 2× slower",
    )
    assert choice(0.25, SOME, cores_seconds=0.5).walker == "pallas"
    assert choice(0.25, SOME, cores_seconds=0.24, width=8).walker == "numba"


def test_the_cores_probe_fewer_candidates_than_the_gpu():
    fewer = SOME._replace(reserves=SOME.reserves[..., :2], before_reserves=SOME.before_reserves[..., :2])
    runs = {"xla": Probe(lambda: SOME, 4, grows=False), "numba": Probe(lambda: fewer, 2, grows=True)}
    assert set(compared(runs).paces) == {"xla", "numba"}


@pytest.mark.parametrize("field", ["reserves", "before_reserves"])
@pytest.mark.parametrize("factor", [1 + 1e-8, np.inf, np.nan])
def test_another_result_is_not_taken(field: str, factor: float):
    values = getattr(SOME, field).copy()
    values[1, 1, 2] *= factor
    wrong = choice(0.25, SOME._replace(**{field: values}))
    assert wrong.walker == "xla"
    assert "Pallas kernel on the GPU gives reserves that are" in wrong.reason


def test_candidates_that_break_in_both_are_equal():
    broken = SOME._replace(reserves=np.full((3, 2, 4), np.nan))
    assert choice(0.25, broken, broken).walker == "pallas"
    assert choice(0.25, SOME, broken).walker == "xla"


def test_a_kernel_that_fails_is_not_taken():
    def fails() -> CostPath:
        raise NotImplementedError("no such operation\nin Triton")

    found = compared({"xla": Probe(lambda: SOME, 4, grows=False), "pallas": Probe(fails, 4, grows=False)})
    assert found.choice(4) == Choice(
        "xla", "XLA on the GPU; Pallas kernel on the GPU failed: NotImplementedError: no such operation"
    )


def test_equal_walkers_are_probed_once_per_spec_and_width_of_the_probe(monkeypatch: pytest.MonkeyPatch):
    """With costs that vary, which the oracle does not know."""
    case, seen = replace(CASES["two tokens"], pool=ALL), []
    monkeypatch.setattr(minute_gpu, "PROBE_DAYS", 1)
    monkeypatch.setattr(minute_gpu, "PROBE_WIDTHS", (4, 6))
    monkeypatch.setattr(minute_gpu, "PROBE_ON_CORES", 3)
    monkeypatch.setattr(minute_gpu, "_timed", {})

    def once(probes) -> Timing:
        seen.append({name: (jax.device_get(one.run()), one) for name, one in probes.items()})
        return compared(probes, count().__next__)

    monkeypatch.setattr(minute_gpu, "compared", once)
    for width in (3, 4, 7):
        choice = choose_walker(case.spec, *inputs(case, params(case, width), varying(case)))
        assert "failed" not in choice.reason
        assert "apart" not in choice.reason
    assert [{name: one.lanes for name, (_, one) in probes.items()} for probes in seen] == [
        {"xla": 4, "pallas": 4, "numba": 3},
        {"xla": 6, "pallas": 6, "numba": 3},
    ]
    wanted = seen[0]["xla"][0]
    for path, one in seen[0].values():
        np.testing.assert_allclose(path.reserves, wanted.reserves[..., : one.lanes], rtol=1e-12)
        np.testing.assert_allclose(path.before_reserves, wanted.before_reserves[..., : one.lanes], rtol=1e-12)
