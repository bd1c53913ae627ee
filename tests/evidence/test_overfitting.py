"""PBO against a plain computation over the whole matrix, half by half, and on noise and skill."""

import json
import math
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from momentum_opt.evidence.moments import Moments, moments_of
from momentum_opt.evidence.overfitting import overfitting, why_not
from tests.sample_runs import environment


def blocks_of(returns: np.ndarray, blocks: int) -> Moments:
    length = len(returns) // blocks
    return moments_of(returns[len(returns) % blocks :].reshape(blocks, length, -1), axis=1)


def plainly(returns: np.ndarray, blocks: int) -> dict[str, np.ndarray]:
    """CSCV as the paper tells it: the matrix cut, halves joined, every strategy ranked by scipy."""
    cut = np.split(returns[len(returns) % blocks :], blocks)
    found: dict[str, list[float]] = {"logit": [], "inside": [], "outside": []}
    for half in combinations(range(blocks), blocks // 2):
        one = np.concatenate([cut[block] for block in half])
        other = np.concatenate([cut[block] for block in range(blocks) if block not in half])
        inside, outside = (part.mean(axis=0) / part.std(axis=0) for part in (one, other))
        best = int(inside.argmax())
        share = stats.rankdata(outside)[best] / (returns.shape[1] + 1)
        found["logit"].append(math.log(share / (1 - share)))
        found["inside"].append(inside[best])
        found["outside"].append(outside[best])
    return {name: np.array(values) for name, values in found.items()}


@pytest.mark.parametrize(("days", "strategies", "blocks"), [(103, 7, 8), (64, 12, 6), (90, 1, 4), (64, 30, 2)])
def test_block_sums_give_what_the_whole_matrix_gives(days: int, strategies: int, blocks: int):
    returns = 0.001 + 0.02 * np.random.default_rng(days).standard_normal((days, strategies))
    found, wanted = overfitting(blocks_of(returns, blocks)), plainly(returns, blocks)
    np.testing.assert_allclose(found.logits, wanted["logit"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.in_sample, wanted["inside"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.out_of_sample, wanted["outside"], rtol=1e-12, atol=1e-12)
    assert found.probability == (wanted["logit"] <= 0).mean()
    assert found.loss_probability == (wanted["outside"] < 0).mean()
    slope = stats.linregress(wanted["inside"], wanted["outside"]).slope
    assert found.slope == pytest.approx(slope, rel=1e-9)


def test_ties_share_their_rank():
    """Copies of one strategy: each is as good as the others, and in the middle of them."""
    column = np.random.default_rng(0).standard_normal((64, 1))
    found = overfitting(blocks_of(np.repeat(column, 5, axis=1), 4))
    np.testing.assert_allclose(found.logits, 0.0, atol=1e-12)


def test_a_strategy_that_does_not_vary_neither_wins_nor_breaks_anything():
    returns = 0.1 + np.random.default_rng(0).standard_normal((64, 12))
    returns[:, 3] = 1e-17
    found = overfitting(blocks_of(returns, 8))
    assert np.isfinite(found.logits).all()
    assert (found.in_sample > 0).all()


def test_an_odd_number_of_blocks_and_unequal_ones_are_refused():
    returns = np.random.default_rng(0).standard_normal((66, 3))
    with pytest.raises(ValueError, match="even number of equal ones, but got 3"):
        overfitting(blocks_of(returns, 3))
    uneven = blocks_of(returns, 6)
    with pytest.raises(ValueError, match="equal ones"):
        overfitting(uneven._replace(n=uneven.n + np.arange(6)[:, None]))


def test_too_little_to_compute_it_from():
    assert why_not(64, 10) is None
    assert why_not(63, 10) == "63 daily returns are fewer than the 64 it takes"
    assert why_not(64, 9) == "9 distinct candidates are fewer than the 10 it takes"


def test_on_noise_it_is_one_half():
    rng = np.random.default_rng(1)
    found = [overfitting(blocks_of(rng.standard_normal((365, 100)), 16)).probability for _ in range(20)]
    assert 0.35 < np.mean(found) < 0.65


@pytest.mark.slow
def test_on_noise_it_is_one_half_over_200_draws():
    rng = np.random.default_rng(2)
    found = [overfitting(blocks_of(rng.standard_normal((365, 100)), 16)).probability for _ in range(200)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.05)


def test_one_skilled_strategy_among_a_hundred_is_not_overfitted():
    rng = np.random.default_rng(3)
    for _ in range(40):
        returns = rng.standard_normal((365, 100))
        returns[:, 42] += 0.5
        assert overfitting(blocks_of(returns, 16)).probability < 0.1


MEASURED = """
import json, time
import numpy as np
from benchmarks.memory import peak_mib
from momentum_opt.evidence.overfitting import overfitting
from tests.evidence.test_overfitting import blocks_of

blocks = blocks_of(np.random.default_rng(4).standard_normal((730, 10_000)), 16)
began = time.process_time()
found = overfitting(blocks)
seconds = time.process_time() - began
print(json.dumps({"halves": len(found.logits), "seconds": seconds, "peak": peak_mib() * 2**20}))
"""


@pytest.mark.slow
def test_ten_thousand_trials_in_ten_seconds_and_a_gigabyte():
    """730 days; processor time, so that other work does not count, and the peak of a process that does nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED], capture_output=True, text=True, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["halves"] == math.comb(16, 8)
    assert found["seconds"] < 10.0
    assert found["peak"] < 1e9
