"""The oracle: one momentum pool, minute by minute, in plain float64 as SPEC §5–§9 write it; no code of the package."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np

from tests.reference import arbitrage
from tests.reference.extended import zero_cost_longdouble, zero_cost_path_longdouble
from tests.reference.plan import Floats, Params, Pool, plan_weights, row_weights

__all__ = [
    "Params",
    "Path",
    "Pool",
    "Trade",
    "simulate",
    "turnover",
    "zero_cost_longdouble",
    "zero_cost_path_longdouble",
]

Trade = tuple[int, int, int, float]
"""(bar counted from `start_row`, column paid in, column paid out, amount in): a swap with an outside trader."""


@dataclass(frozen=True, kw_only=True)
class Path:
    """A simulated pool, row t at bar t from `start_row`: (T,) in the numeraire or (T, asset).

    `ewma`, `running_a`, `gradients` (updates, asset): row u−1 is the estimator at minute uP, which drives that update;
    `gradients` has the primary average below, `rule_gradients` the second one with use_alt_lamb.
    `positions`, `steps` (updates + 1, asset): the weights at minute uP and their change per row after it.
    `fees_lp`, `fees_protocol`: what liquidity providers (with the noise income) and the protocol earned at each bar.
    """

    value: Floats
    reserves: Floats
    weights: Floats
    ewma: Floats
    running_a: Floats
    gradients: Floats
    rule_gradients: Floats
    positions: Floats
    steps: Floats
    fees_lp: Floats
    fees_protocol: Floats


def simulate(
    prices: Floats,
    start_row: int,
    params: Params,
    pool: Pool,
    *,
    trades: Sequence[Trade] | None = None,
    lp_supply: Floats | None = None,
) -> Path:
    """Simulate the pool from `start_row` to the last row.

    Args:
        prices: (time, asset), numeraire per token, one row per bar; rows before `start_row` are the burn-in.
        start_row: the row of minute 0.
        params: `log_k`, `k` or `absolute_k`; `logit_lamb`; `logit_delta_lamb` with use_alt_lamb;
            `initial_weights_logits` or `initial_weights`: one number per token, or one for all.
        pool: the settings; `fees`, `gas_cost` and `arb_fees` may hold one number per bar from `start_row`.
        trades: outside swaps, done at the fee and the weights of their bar, after its arbitrage.
        lp_supply: (T,) pool tokens there are at each bar; a change scales all reserves, before the bar's arbitrage.

    Returns:
        The path, after everything that happens at each bar.
    """
    plan = plan_weights(prices, start_row, params, pool)
    p = prices[start_row:]
    weights = row_weights(plan, len(p), pool)
    first = weights[0] * pool.initial_pool_value / p[0]
    costs = any(np.any(cost) for cost in (pool.fees, pool.gas_cost, pool.arb_fees))
    if costs or trades or lp_supply is not None:
        reserves, fees_lp, fees_protocol = _with_costs(p, weights, first, pool, trades or (), lp_supply)
    else:
        reserves, fees_lp, fees_protocol = _without_costs(p, weights, first, pool), np.zeros(len(p)), np.zeros(len(p))
    return Path(
        value=(reserves * p).sum(axis=1),
        reserves=reserves,
        weights=weights,
        ewma=plan.readouts.ewma,
        running_a=plan.readouts.running_a,
        gradients=plan.readouts.gradients,
        rule_gradients=plan.readouts.rule_gradients,
        positions=plan.positions,
        steps=plan.steps,
        fees_lp=fees_lp,
        fees_protocol=fees_protocol,
    )


def _without_costs(prices: Floats, weights: Floats, first: Floats, pool: Pool) -> Floats:
    """Reserves (T, asset) by SPEC §8's update from one arbitrage bar to the next, held in between."""
    q = pool.arb_rows
    p, w = prices[::q].tolist(), weights[::q].tolist()
    x, y = (prices[q::q] / prices[:-q:q]).tolist(), (weights[q::q] / weights[:-q:q]).tolist()
    reserves: list[float] = first.tolist()
    path = [reserves]
    for t in range(len(p) - 1):
        by_price = prod(x_j**w_j for x_j, w_j in zip(x[t], w[t], strict=True))
        by_weight = prod(y_j**w_j for y_j, w_j in zip(y[t], w[t + 1], strict=True))
        reserves = [r * by_price / x_i * y_i / by_weight for r, x_i, y_i in zip(reserves, x[t], y[t], strict=True)]
        path.append(reserves)
    return np.array(path).repeat(q, axis=0)[: len(prices)]


class _Terms(NamedTuple):
    """Costs at one bar."""

    fees: float
    gas_cost: float
    arb_fees: float
    noise: float
    split: float


def _arbitrage(
    reserves: list[float], prices: list[float], weights: list[float], terms: _Terms
) -> tuple[list[float], float, float]:
    """One arbitrage of SPEC §9: the reserves after it, and what liquidity providers and protocol earned."""
    if terms.fees > 0.0:
        swap = arbitrage.best_pair_swap(reserves, prices, weights, 1.0 - terms.fees)
    else:
        swap = arbitrage.zero_fee_swap(reserves, prices, weights)
    if swap is None:
        return reserves, 0.0, 0.0
    moved = sum(p * abs(change) for p, change in zip(prices, swap.changes, strict=True))
    if not swap.profit - terms.gas_cost >= 0.5 * terms.arb_fees * moved:
        return reserves, 0.0, 0.0
    inbound = [max(change, 0.0) for change in swap.changes]
    inflow = sum(p * change for p, change in zip(prices, inbound, strict=True))
    after = [r + change for r, change in zip(reserves, swap.changes, strict=True)]
    noise_income = terms.noise * terms.fees * (1.0 - terms.split) * inflow  # 1 − γ_n = fees·(1 − split)
    growth = 1.0 + noise_income / sum(p * r for p, r in zip(prices, after, strict=True))
    share = terms.fees * terms.split
    after = [r * growth - share * change for r, change in zip(after, inbound, strict=True)]
    return after, terms.fees * (1.0 - terms.split) * inflow + noise_income, share * inflow


def _outside_swap(
    reserves: list[float], prices: list[float], weights: list[float], terms: _Terms, trade: Trade
) -> tuple[list[float], float, float]:
    """An outside trader's swap; as in an arbitrage the protocol's share of the fee leaves in the token paid in.

    The pool refuses a swap that pays in more than 30 % of its reserve of that token (Balancer's largest in-ratio).
    """
    _, i, j, amount = trade
    if amount > 0.3 * reserves[i]:
        return reserves, 0.0, 0.0
    out = arbitrage.exact_in_amount_out(reserves[i], reserves[j], weights[i], weights[j], amount, 1.0 - terms.fees)
    after = list(reserves)
    after[i] += amount - terms.fees * terms.split * amount
    after[j] -= out
    paid = terms.fees * amount * prices[i]
    return after, paid * (1.0 - terms.split), paid * terms.split


def _with_costs(
    prices: Floats, weights: Floats, first: Floats, pool: Pool, trades: Sequence[Trade], lp_supply: Floats | None
) -> tuple[Floats, Floats, Floats]:
    """Reserves (T, asset) and the two (T,) earnings by SPEC §9, bar by bar: supply, arbitrage, outside swaps."""
    rows, q = len(prices), pool.arb_rows
    p, w = prices.tolist(), weights.tolist()
    costs = [np.broadcast_to(cost, (rows,)).tolist() for cost in (pool.fees, pool.gas_cost, pool.arb_fees)]
    supply = np.ones(rows) if lp_supply is None else lp_supply
    reserves: list[float] = first.tolist()
    path: list[list[float]] = []
    earned = np.zeros((rows, 2))
    for t in range(rows):
        terms = _Terms(costs[0][t], costs[1][t], costs[2][t], pool.noise_trader_ratio, pool.protocol_fee_split)
        if lp_supply is not None and t:
            ratio = float(supply[t] / supply[t - 1])
            reserves = [r * ratio for r in reserves]
        if t % q == 0:
            for at in (max(t - q, 0), t):
                reserves, lp, protocol = _arbitrage(reserves, p[t], w[at], terms)
                earned[t] += lp, protocol
        for trade in trades:
            if trade[0] == t:
                reserves, lp, protocol = _outside_swap(reserves, p[t], w[t], terms, trade)
                earned[t] += lp, protocol
        path.append(reserves)
    return np.array(path), earned[:, 0], earned[:, 1]


def turnover(path: Path, prices: Floats) -> float:
    """Mean over the T − 1 steps of Σ_i |Δ(R_i p_i / V)| (SPEC §10); of `prices` the last T rows count."""
    shares = path.reserves * prices[-len(path.value) :] / path.value[:, None]
    return float(np.abs(np.diff(shares, axis=0)).sum(axis=1).mean())
