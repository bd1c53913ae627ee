"""Memory and decay on the host (SPEC §5), against the forward formula in numpy and 60-digit arithmetic."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from momentum_opt.pool.memory import effective_logit_limit
from momentum_opt.vocabulary.memory import logit_of_memory_days, memory_days_of_logit
from tests.reference import estimator

PERIODS = st.sampled_from([1, 5, 60, 240, 1440, 2880, 10080])
DAYS = st.floats(math.log(1e-6), math.log(36_500.0)).map(math.exp)


def memory_of(logit: float, period: int) -> float:
    """2·(P/1440)·cbrt(6λ/(1−λ)³), with 1 − λ = 1/(1+e^logit)."""
    return float(2.0 * period / 1440 * np.cbrt(6.0 / (1.0 + np.exp(-logit)) * (1.0 + np.exp(logit)) ** 3))


@given(memory=DAYS, period=PERIODS)
def test_the_logit_has_that_memory(memory: float, period: int):
    logit = logit_of_memory_days(memory, period)
    assert memory_of(logit, period) == pytest.approx(memory, rel=1e-12)
    assert memory_days_of_logit(logit, period) == pytest.approx(memory, rel=1e-12)


@pytest.mark.parametrize("period", [1, 60, 1440, 10080])
@pytest.mark.parametrize("memory", [0.01, 0.5, 30.0, 365.0])
def test_the_logit_is_that_of_the_root_of_the_cubic(memory: float, period: int):
    decay = estimator.decay(memory, period)
    assert logit_of_memory_days(memory, period) == pytest.approx(math.log(decay / (1.0 - decay)), abs=1e-9)


@given(memory=st.floats(0.1, 3650.0), period=PERIODS)
def test_it_is_the_limit_that_a_search_is_clipped_to(memory: float, period: int):
    assert logit_of_memory_days(memory, period) == pytest.approx(effective_logit_limit(memory, period), rel=1e-9)
