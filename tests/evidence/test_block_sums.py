"""Sums gathered while scoring against the full matrix of daily returns of the same candidates."""

import numpy as np
import pytest

from momentum_opt.evidence.moments import Moments, block_moments, combined, moments_of
from momentum_opt.evidence.overfitting import overfitting
from momentum_opt.evidence.scoring import constant_weight_objective
from momentum_opt.study.constant_weight import constant_weight_log_growth
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.space import search_space
from tests.reference.minute_loop import Pool
from tests.simulation.cases import Case, random_params, run_engine

DAYS, TRAIN = 90, 70
CASE = Case.random(Pool(chunk_period=1440, max_memory_days=3.0), 3, DAYS, history=4)
SETS = [random_params(3, CASE.pool.floor(3), seed) for seed in range(12)]
FINGERPRINT = CASE.fingerprint(None, 20 / 90)


@pytest.fixture(scope="module")
def growth() -> np.ndarray:
    return constant_weight_log_growth(FINGERPRINT, CASE.market)


@pytest.fixture(scope="module")
def sums(growth: np.ndarray) -> np.ndarray:
    assert FINGERPRINT.periods.train == (0, TRAIN)
    scores = Evaluator(FINGERPRINT, CASE.market, batch_size=16, constant_weight=growth).score(SETS)
    assert scores.blocks is not None
    return scores.blocks


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    """(day, candidate) daily log returns of train."""
    return np.diff(np.log(np.asarray(run_engine(CASE, SETS).daily)[:TRAIN]), axis=0)


def test_the_constant_weight_pool_is_the_oracles(growth: np.ndarray):
    """A pool with k = 0 in the plain minute loop, from the same initial weights."""
    still = {"logit_lamb": np.zeros(3), "k": np.zeros(3), "initial_weights": np.full(3, 1 / 3)}
    value = CASE.reference(still).value[::1440]
    np.testing.assert_allclose(growth, np.log(value / value[0]), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("excess", [False, True])
def test_sharpe_ratios_are_those_of_the_matrix(sums: np.ndarray, matrix: np.ndarray, growth: np.ndarray, excess: bool):
    returns = matrix - np.diff(growth[:TRAIN])[:, None] if excess else matrix
    found = combined(block_moments(sums, excess=excess))
    wanted = moments_of(returns)
    assert (found.n == TRAIN - 1).all()
    np.testing.assert_allclose(found.sharpe, wanted.sharpe, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.skewness, wanted.skewness, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.kurtosis, wanted.kurtosis, rtol=1e-9)


@pytest.mark.parametrize("excess", [False, True])
def test_overfitting_is_that_of_the_matrix(sums: np.ndarray, matrix: np.ndarray, growth: np.ndarray, excess: bool):
    returns = matrix - np.diff(growth[:TRAIN])[:, None] if excess else matrix
    whole = moments_of(returns[(TRAIN - 1) % 16 :].reshape(16, -1, len(SETS)), axis=1)
    found = overfitting(Moments(*(part[:-1] for part in block_moments(sums, excess=excess))))
    wanted = overfitting(whole)
    assert found.probability == wanted.probability
    np.testing.assert_allclose(found.logits, wanted.logits, rtol=1e-12)


def test_scores_are_the_same_with_and_without_sums(growth: np.ndarray):
    bare = Evaluator(FINGERPRINT, CASE.market, batch_size=16).score(SETS)
    full = Evaluator(FINGERPRINT, CASE.market, batch_size=16, constant_weight=growth).score(SETS)
    assert bare.blocks is None
    np.testing.assert_allclose(bare.objectives, full.objectives, rtol=1e-12)


def test_k_zero_is_the_constant_weight_pool(growth: np.ndarray):
    evaluator = Evaluator(FINGERPRINT, CASE.market, batch_size=16)
    returns = np.diff(growth[:TRAIN])
    found = constant_weight_objective(search_space(FINGERPRINT).start, evaluator)
    assert found == pytest.approx(np.sqrt(365) * returns.mean() / (returns.std() + 1e-8), rel=1e-9)


def test_single_precision_is_close(sums: np.ndarray, growth: np.ndarray):
    rough = Evaluator(FINGERPRINT, CASE.market, batch_size=16, precision="float32", constant_weight=growth).score(SETS)
    assert rough.blocks is not None
    one, other = (combined(block_moments(part, excess=True)).sharpe for part in (sums, rough.blocks))
    np.testing.assert_allclose(one, other, rtol=0.02, atol=0.01)
