"""The zero-cost path of SPEC §8 in `np.longdouble`, to measure the rounding and truncation errors of float64 paths."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.reference.plan import Floats, Params, Pool, plan_weights, row_weights


def zero_cost_longdouble(
    prices: Floats, start_row: int, params: Params, pool: Pool
) -> tuple[NDArray[np.longdouble], NDArray[np.longdouble]]:
    """Value (T,) and reserves (T, asset) without costs, every transition of SPEC §8 summed in extended precision.

    The rule's positions and steps stay the float64 numbers of `plan_weights`; the weights inside the chunks, the logs
    and the sums are `np.longdouble` (80 bits on x86, no more than float64 where the platform has nothing wider).
    """
    plan = plan_weights(prices, start_row, params, pool)
    p = prices[start_row:].astype(np.longdouble)
    weights = row_weights(plan, len(p), pool, np.longdouble)
    return zero_cost_path_longdouble(p, weights, pool.initial_pool_value, pool.arb_rows)


def zero_cost_path_longdouble(
    prices: NDArray[Any], weights: NDArray[Any], initial_value: float = 1e6, arb_rows: int = 1
) -> tuple[NDArray[np.longdouble], NDArray[np.longdouble]]:
    """Value (T,) and reserves (T, asset) of any weights (T, asset) at `prices`, as `zero_cost_longdouble`."""
    prices, weights = prices.astype(np.longdouble), weights.astype(np.longdouble)
    p, w = prices[::arb_rows], weights[::arb_rows]
    log_x, log_y = np.log(p[1:] / p[:-1]), np.log(w[1:] / w[:-1])
    moves = (w[:-1] * log_x).sum(axis=1, keepdims=True) - log_x
    moves += log_y - (w[1:] * log_y).sum(axis=1, keepdims=True)
    growth = np.concatenate([np.zeros_like(p[:1]), np.cumsum(moves, axis=0)])
    reserves = (w[0] * np.longdouble(initial_value) / p[0] * np.exp(growth)).repeat(arb_rows, axis=0)[: len(prices)]
    return (reserves * prices).sum(axis=1), reserves
