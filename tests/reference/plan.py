"""Settings, parameters and chunk prices of a pool in, its weights at every bar out (SPEC §5–§7).

Times and rates of a `Pool` are in minutes and are turned into rows here: a row is a bar of `bar_minutes` minutes, the
position moves by d·bar per row. Row `start_row` is minute 0; the rows of `prices` before it are the burn-in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tests.reference import estimator, rule

Floats = NDArray[np.float64]
Params = Mapping[str, ArrayLike]


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Settings of SPEC §3 with its defaults; None means the default that depends on another setting."""

    rule: str = "momentum"
    chunk_period: int = 1440
    weight_interpolation_period: int | None = None
    weight_interpolation_method: str = "linear"
    maximum_change: float = 3e-4
    minimum_weight: float | None = None
    max_memory_days: float = 365.0
    use_alt_lamb: bool = False
    initial_pool_value: float = 1e6
    fees: float | Floats = 0.0
    gas_cost: float | Floats = 0.0
    arb_fees: float | Floats = 0.0
    noise_trader_ratio: float = 0.0
    protocol_fee_split: float = 0.0
    arb_frequency: int = 1
    bar_minutes: int = 1

    @property
    def chunk_rows(self) -> int:
        """P in rows."""
        return self.chunk_period // self.bar_minutes

    @property
    def interpolation_minutes(self) -> int:
        """The interpolation period m in minutes."""
        return self.weight_interpolation_period or self.chunk_period

    @property
    def interpolation_rows(self) -> int:
        """The interpolation period m in rows."""
        return self.interpolation_minutes // self.bar_minutes

    @property
    def arb_rows(self) -> int:
        """Rows from one arbitrage to the next, q; an arb_frequency of 1, the default, is every row."""
        return 1 if self.arb_frequency == 1 else self.arb_frequency // self.bar_minutes

    def floor(self, n: int) -> float:
        """The smallest weight of a target in a pool of `n` tokens."""
        return 0.1 / n if self.minimum_weight is None else self.minimum_weight


class Plan(NamedTuple):
    """The rule's moves: chunk u starts at `positions[u]` and moves by `steps[u]` per row; chunk 0 holds still."""

    positions: Floats
    steps: Floats
    readouts: estimator.Readouts


def capped_decay(params: Params, pool: Pool, n: int, *, alternative: bool = False) -> Floats:
    """λ per asset (SPEC §5, §6): the logistic of its logit, at most the decay of max_memory_days."""
    logit = np.asarray(params["logit_lamb"], dtype=np.float64)
    if alternative:
        logit = logit + np.asarray(params["logit_delta_lamb"], dtype=np.float64)
    cap = estimator.decay(pool.max_memory_days, pool.chunk_period)
    return np.broadcast_to(np.minimum(estimator.logistic(logit), cap), (n,))


def rule_k(params: Params, lamb: Floats, pool: Pool) -> Floats:
    """The rule's k (SPEC §5): 2^log_k or k, both per day of memory; or absolute_k as it is."""
    memory = np.clip(estimator.memory_days(lamb, pool.chunk_period), 0.0, pool.max_memory_days)
    if "log_k" in params:
        return 2.0 ** np.asarray(params["log_k"], dtype=np.float64) * memory
    if "absolute_k" in params:
        return np.asarray(params["absolute_k"], dtype=np.float64)
    return np.asarray(params["k"], dtype=np.float64) * memory


def initial_weights(params: Params, n: int) -> Floats:
    """Weights of the first chunk (SPEC §7): given, or the softmax of their logits, equal where neither is there."""
    if "initial_weights" in params:
        return np.broadcast_to(np.asarray(params["initial_weights"], dtype=np.float64), (n,)).copy()
    logits = np.broadcast_to(np.asarray(params.get("initial_weights_logits", 1.0), dtype=np.float64), (n,))
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def burn_in_chunks(start_row: int, pool: Pool) -> int:
    """Chunks between c_0 and `start_row`: ⌊1440·B/P⌋, B = min(max_memory_days rounded up, whole days there are)."""
    days = min(ceil(pool.max_memory_days), start_row * pool.bar_minutes // 1440)
    return 1440 * days // pool.chunk_period


def plan_weights(prices: Floats, start_row: int, params: Params, pool: Pool) -> Plan:
    """Estimator and rule over all chunks (SPEC §6, §7): every update's start and step."""
    n = prices.shape[1]
    warm = burn_in_chunks(start_row, pool)
    chunk_prices = prices[start_row - warm * pool.chunk_rows :: pool.chunk_rows]
    if pool.rule == "constant_weight":
        return _resting(initial_weights(params, n), len(chunk_prices) - warm)
    update = {"momentum": rule.weight_update, "anti_momentum": rule.against_the_trend}[pool.rule]
    lamb = capped_decay(params, pool, n)
    alt_lamb = capped_decay(params, pool, n, alternative=True) if pool.use_alt_lamb else None
    states = estimator.estimate(chunk_prices, lamb, alt_lamb)
    readouts = estimator.Readouts(*(state[warm + 1 :] for state in states))
    k = rule_k(params, lamb, pool)
    w = initial_weights(params, n)
    positions, steps = [w], [np.zeros(n)]
    for gradients in readouts.rule_gradients:
        target = rule.guarded_target(w, update(k, gradients), pool.floor(n))
        d = rule.limited_step(w, target, pool.interpolation_minutes, pool.maximum_change) * pool.bar_minutes
        positions.append(w)
        steps.append(d)
        w = w + d * pool.interpolation_rows
    return Plan(np.array(positions), np.array(steps), readouts)


def _resting(w: Floats, chunks: int) -> Plan:
    """Weights that never move; there is no estimator, so its readouts are NaN."""
    nothing = np.full((chunks - 1, len(w)), np.nan)
    return Plan(np.tile(w, (chunks, 1)), np.zeros((chunks, len(w))), estimator.Readouts(*[nothing] * 4))


def row_weights(plan: Plan, rows: int, pool: Pool, dtype: Any = np.float64) -> NDArray[Any]:
    """Weights (rows, asset) at every bar, computed in `dtype` from the plan."""
    chunks = [
        rule.chunk_weights(
            w.astype(dtype),
            d.astype(dtype),
            pool.interpolation_rows,
            pool.chunk_rows,
            pool.weight_interpolation_method,
        )
        for w, d in zip(plan.positions, plan.steps, strict=True)
    ]
    return np.concatenate(chunks)[:rows]
