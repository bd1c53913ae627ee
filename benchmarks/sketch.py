"""A bare sketch of the engine without costs: what a few dozen lines of JAX reach, to hold the real one against.

W1's case and nothing else: daily chunks whose weights move all day, λ and k per token, `daily_log_sharpe` of train. No
slices, no other metric, no padding, no failed candidates; written for itself from SPEC §5 to §8 and §10, candidates
last, one scan over the chunks, sharded over all devices. Simulation and result stay on the devices.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from numpy.typing import NDArray

from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market

_MINUTES = 1440
_CANDIDATES = PartitionSpec(None, "candidate")


def sketch(fingerprint: Fingerprint, market: Market) -> Callable[[NDArray[np.float64], NDArray[np.float64]], jax.Array]:
    """A function of (asset, candidate) `logit_lamb` and `log_k`, shared out by it: (candidate,) objective of train."""
    pool, periods = fingerprint.pool, fingerprint.periods
    start, days = market.start_row, periods.total_days
    daily = market.prices[start % _MINUTES : start : _MINUTES], market.prices[start::_MINUTES][:days]
    logs = np.log(market.prices[start : start + days * _MINUTES + 1])
    steps = np.diff(np.vstack([logs, logs[-1:]])[: days * _MINUTES + 1], axis=0).reshape(days, _MINUTES, -1)
    mu1 = np.einsum("t,dta->da", np.arange(float(_MINUTES)), steps)
    train = periods.train[1]
    inputs = tuple(map(jnp.asarray, (*daily, steps.sum(axis=1), mu1)))
    run = partial(_objective, *inputs, pool.maximum_change, pool.minimum_weight, pool.max_memory_days, train)
    mesh = Mesh(np.array(jax.local_devices()), ("candidate",), axis_types=(AxisType.Auto,))
    placed = NamedSharding(mesh, _CANDIDATES)
    spread = jax.jit(
        jax.shard_map(run, mesh=mesh, in_specs=_CANDIDATES, out_specs=PartitionSpec("candidate"), check_vma=False)
    )
    return lambda logit_lamb, log_k: spread(jax.device_put(logit_lamb, placed), jax.device_put(log_k, placed))


def _objective(
    history: jax.Array,
    price: jax.Array,
    mu0: jax.Array,
    mu1: jax.Array,
    limit: float,
    floor: float,
    longest: float,
    train: int,
    logit_lamb: jax.Array,
    log_k: jax.Array,
) -> jax.Array:
    n = logit_lamb.shape[0]
    x = (longest / 2.0) ** 3 / 6.0
    root = jnp.sqrt(3.0 * x)
    cap = 1.0 - 2.0 * jnp.sinh(jnp.arcsinh(1.5 * root) / 3.0) / root
    lamb = jnp.minimum(jax.nn.sigmoid(logit_lamb), cap)
    G, b = 1.0 / (1.0 - lamb), lamb / (1.0 - lamb) ** 3
    k = jnp.exp2(log_k) * jnp.clip(2.0 * jnp.cbrt(6.0 * lamb) / (1.0 - lamb), 0.0, longest)

    def read(state: tuple[jax.Array, jax.Array], c: jax.Array) -> tuple[jax.Array, jax.Array]:
        e, a = state
        e = e + (c[:, None] - e) / G
        a = lamb * a + G * (c[:, None] - e)
        return e, jnp.where(jnp.abs(a) < 1e-10 * e, 0.0, a)

    def day(carry: Any, at: tuple[jax.Array, ...]) -> tuple[Any, jax.Array]:
        state, w, d, value = carry
        c, m0, m1, moves = at
        w = w + d * _MINUTES
        state = read(state, c)
        g = state[1] / (b * state[0])
        target = w + k * (g - jnp.sum(k * g, axis=0) / jnp.sum(k, axis=0))
        target = target / jnp.sum(target, axis=0)
        low = target < floor
        clipped = jnp.clip(target, floor, 1.0 - (n - 1) * floor)
        free = jnp.sum(jnp.where(low, 0.0, clipped), axis=0)
        target = jnp.where(low, floor, clipped * (1.0 - floor * jnp.sum(low, axis=0)) / free)
        top = jnp.arange(n)[:, None] == jnp.argmax(target, axis=0)
        target = target + jnp.where(top, 1.0 - jnp.sum(target, axis=0), 0.0)
        d = (target - w) / _MINUTES
        largest = jnp.max(jnp.abs(d), axis=0)
        d = moves * jnp.where(largest > limit, d * (limit / (largest + 1e-10)), d)
        end, d2 = w + d * _MINUTES, d * d
        u, v = 1.0 / end, 1.0 / w
        series = (u - v) / 12.0 - d2 * ((u**3 - v**3) / 360.0 - d2 * (u**5 - v**5) / 1260.0)
        cost = (end - w) + 0.5 * d * jnp.log(end * v) - d2 * series
        value = value + jnp.sum(w * m0[:, None] + d * m1[:, None] - cost, axis=0)
        return (state, w, d, value), value

    first = jnp.broadcast_to(history[0][:, None], lamb.shape)
    state, _ = jax.lax.scan(lambda s, c: (read(s, c), None), (first, jnp.zeros_like(first)), history[1:])
    moves = jnp.arange(price.shape[0]) > 0
    start = (state, jnp.full_like(lamb, 1.0 / n), jnp.zeros_like(lamb), jnp.zeros(lamb.shape[1]))
    _, values = jax.lax.scan(day, start, (price, mu0, mu1, moves.astype(lamb.dtype)))
    growth = jnp.diff(jnp.concatenate([jnp.zeros((1, lamb.shape[1])), values[: train - 1]]), axis=0)
    return jnp.sqrt(365.0) * jnp.mean(growth, axis=0) / (jnp.std(growth, axis=0) + 1e-8)
