"""From a tuned pool to its deployment values (SPEC §14): parameters and prices in, the contract's integers out.

The decay is the capped one, because that is the one that was simulated.
"""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.fingerprint import Fingerprint
from momentum_opt.onchain.defaults import MAX_TRADE_SIZE_RATIO
from momentum_opt.onchain.deployment import Deployment
from momentum_opt.onchain.fixed_point import ONE, from_float, from_setting
from momentum_opt.onchain.history import ChunkHistory
from momentum_opt.onchain.live import advance, first_position
from momentum_opt.onchain.motion import STORED_UNIT
from momentum_opt.onchain.rule import Row
from momentum_opt.pool.memory import calc_k, capped_lamb, lamb_to_memory_days_clipped
from momentum_opt.study.candidates import ParamSet, initial_weights
from momentum_opt.units import MS_PER_MINUTE


def build_deployment(
    params: ParamSet,
    fingerprint: Fingerprint,
    history: ChunkHistory,
    addresses: Mapping[str, str] | None = None,
    max_trade_size_ratio: float = MAX_TRADE_SIZE_RATIO,
) -> Deployment:
    """The values to deploy with, one chunk after the last price of `history`; no rule is checked here.

    Args:
        params: as tuned.
        fingerprint: settings of the pool.
        history: the chunk prices up to one chunk before the first update.
        addresses: checksummed address per token; None keeps the alphabetical order.
        max_trade_size_ratio: largest trade as a share of the reserves.
    """
    tokens = fingerprint.tokens
    order = _order(tokens, addresses)
    lamb, kappa = decays_and_strengths(params, fingerprint)
    first = first_position(history.prices[0], params, fingerprint)
    carry = advance(first, history.after(int(history.times_ms[0])), params, fingerprint).carry
    pool = fingerprint.pool
    return Deployment(
        tokens=tuple(tokens[place] for place in order),
        addresses=None if addresses is None else tuple(addresses[tokens[place]] for place in order),
        lamb=_scalar_if_alike(_integers(lamb, order)),
        kappa=_scalar_if_alike(_integers(kappa, order)),
        epsilon_max=from_setting(pool.maximum_change) * pool.weight_interpolation_period,
        guard_rail=from_setting(pool.minimum_weight),
        update_interval=60 * pool.chunk_period,
        max_trade_size_ratio=from_setting(max_trade_size_ratio),
        initial_weights=stored_weights(_integers(initial_weights(params), order)),
        moving_averages=_integers(np.asarray(carry["ewma"]), order),
        intermediates=_integers(np.asarray(carry["running_a"]), order),
        first_update=int(history.times_ms[-1]) // 1000 + pool.chunk_period * MS_PER_MINUTE // 1000,
    )


def decays_and_strengths(params: ParamSet, fingerprint: Fingerprint) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """λ after the cap and κ, per token in alphabetical order."""
    pool = fingerprint.pool
    lamb = capped_lamb(jnp.asarray(params["logit_lamb"]), pool.max_memory_days, pool.chunk_period)
    memory = lamb_to_memory_days_clipped(lamb, pool.chunk_period, pool.max_memory_days)
    kappa = jnp.broadcast_to(calc_k(params, memory), lamb.shape)
    return np.asarray(lamb), np.asarray(kappa)


def stored_weights(weights: Row) -> Row:
    """Floored to nine decimals; what is missing to one goes to the last token."""
    floored = [weight // STORED_UNIT * STORED_UNIT for weight in weights]
    floored[-1] += ONE - sum(floored)
    return tuple(floored)


def _order(tokens: Sequence[str], addresses: Mapping[str, str] | None) -> list[int]:
    if addresses is None:
        return list(range(len(tokens)))
    return sorted(range(len(tokens)), key=lambda place: int(addresses[tokens[place]], 16))


def _integers(values: NDArray[np.float64], order: Sequence[int]) -> Row:
    return tuple(from_float(float(values[place])) for place in order)


def _scalar_if_alike(row: Row) -> Row:
    return row[:1] if len(set(row)) == 1 else row
