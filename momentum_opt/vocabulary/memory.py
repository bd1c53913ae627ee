"""Convert between memory in days and the logit of the decay, on the host and without JAX (SPEC §5).

`momentum_opt.pool.memory` has the same two formulas for arrays that a search traces.
"""

import math

from momentum_opt.units import MINUTES_PER_DAY
from momentum_opt.vocabulary.schema import logistic


def memory_days_of_logit(logit_lamb: float, chunk_period: float) -> float:
    """Memory in days of λ = 1/(1+e^−logit): 2·(P/1440)·cbrt(6λ)/(1−λ), P the chunk period in minutes."""
    return 2.0 * chunk_period / MINUTES_PER_DAY * math.cbrt(6.0 * logistic(logit_lamb)) / logistic(-logit_lamb)


def logit_of_memory_days(memory_days: float, chunk_period: float) -> float:
    """The logit of the decay with that memory, its inverse: the root λ of x(1−λ)³ = λ, x = (1440·memory/(2P))³/6.

    With y = 1 − λ, y³ + y/x = 1/x has the real root y = 2·sinh(asinh(1.5·√(3x))/3)/√(3x). As λ = x·y³, the logit
    log(λ/y) is log x + 2·log y, which keeps its digits at both ends.

    Args:
        memory_days: above 0.
        chunk_period: P, in minutes.
    """
    x = (MINUTES_PER_DAY * memory_days / (2.0 * chunk_period)) ** 3 / 6.0
    root = math.sqrt(3.0 * x)
    y = 2.0 * math.sinh(math.asinh(1.5 * root) / 3.0) / root
    return math.log(x) + 2.0 * math.log(y)
