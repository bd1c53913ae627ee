from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from momentum_opt.fingerprint import override_fingerprint
from momentum_opt.study import width
from momentum_opt.study.candidates import stack
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.scoring import score_candidates
from tests.reference.minute_loop import Pool
from tests.simulation.cases import Case, random_params

FREE = Pool(max_memory_days=5.0)
LANES = 256


@pytest.mark.parametrize(
    ("pool", "metric"),
    [
        (FREE, "daily_log_sharpe"),
        (FREE, "daily_var_95%_trad"),
        (Pool(max_memory_days=5.0, arb_frequency=7), "daily_log_sharpe"),
        (Pool(max_memory_days=5.0, weight_interpolation_method="approx_optimal"), "daily_log_sharpe"),
    ],
)
def test_it_is_no_less_than_xla_allocates(pool: Pool, metric: str):
    """And not many times as much, or a device would be left half empty."""
    case = Case.random(pool, 3, 90)
    scored = Evaluator(case.fingerprint(return_val=metric), case.market, batch_size=LANES)
    candidates = stack([random_params(3, pool.floor(3), 0)], LANES, jnp.float64)
    inputs = scored._arrays, scored._settings, scored._penalties
    run = jax.jit(lambda inputs, some: score_candidates(scored.spec, scored.scoring, *inputs, some))
    memory = run.lower(inputs, candidates).compile().memory_analysis()
    allocated = (memory.temp_size_in_bytes + memory.output_size_in_bytes) / LANES
    assert allocated <= width.bytes_per_candidate(scored.spec, scored.scoring) <= 5 * allocated


def device(platform: str, **memory: int) -> SimpleNamespace:
    return SimpleNamespace(platform=platform, memory_stats=lambda: memory)


@pytest.fixture(scope="module")
def scored() -> Evaluator:
    case = Case.random(FREE, 3, 40)
    return Evaluator(case.fingerprint(), case.market, batch_size=1)


def test_a_small_gpu_holds_few_and_a_large_one_no_more_than_it_is_fast_with(scored: Evaluator):
    per_candidate = width.bytes_per_candidate(scored.spec, scored.scoring)

    def most(free: int) -> int:
        gpu = device("gpu", bytes_limit=free + 1000, bytes_in_use=1000)
        return width.most_per_device(scored.spec, scored.scoring, gpu)  # pyright: ignore[reportArgumentType]

    assert most(200 * 2 * per_candidate) == 128  # half of it, and a power of two
    assert most(10**12) == width.MOST_ON_A_GPU
    assert most(0) == 1


def test_batches_wider_than_the_devices_hold_are_cut(scored: Evaluator, monkeypatch: pytest.MonkeyPatch):
    whole = scored.of_width(12)
    sets = [random_params(3, FREE.floor(3), seed) for seed in range(12)]
    monkeypatch.setattr(width, "MOST_ON_A_CORE", 4 // len(jax.local_devices()) or 1)
    narrow = scored.of_width(12)
    assert narrow.width < whole.width == 12
    np.testing.assert_allclose(narrow.score(sets).objectives, whole.score(sets).objectives, rtol=1e-12)


def test_the_limit_of_the_configuration_goes_before_the_memory():
    case = Case.random(FREE, 3, 40)
    limited = override_fingerprint(case.fingerprint(), ["device.batch_limit=8"])
    scored = Evaluator(limited, case.market, batch_size=100)
    assert (scored.most, scored.width) == (8, 8)
