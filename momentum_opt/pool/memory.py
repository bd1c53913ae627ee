"""Decay, memory and k (SPEC §5): internal parameters in, the constants of the estimator and the rule out.

Memory is counted in days, the chunk period `P` in minutes, the decay λ per chunk.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.core
import jax.numpy as jnp

from momentum_opt.arrays import Array, Float
from momentum_opt.errors import ParamsError
from momentum_opt.units import MINUTES_PER_DAY

Number = Float[Array, "..."]


def lamb_to_memory_days(lamb: Number, chunk_period: float) -> Number:
    """Memory of decay λ in days: 2·(P/1440)·cbrt(6λ/(1−λ)³)."""
    return 2.0 * (chunk_period / MINUTES_PER_DAY) * jnp.cbrt(6.0 * lamb) / (1.0 - lamb)


def memory_days_to_lamb(memory_days: Number | float, chunk_period: float) -> Number:
    """The decay with that memory: the root in [0, 1) of x(1−λ)³ = λ, x = (1440·memory/(2P))³/6.

    With y = 1 − λ this is y³ + y/x = 1/x, whose only real root is y = 2·sinh(asinh(1.5·√(3x))/3)/√(3x). λ is then
    1 − y where y is small, and x·y³ where λ is: each keeps the digits that the other would lose.
    """
    memory = jnp.asarray(memory_days)
    x = (MINUTES_PER_DAY * memory / (2.0 * chunk_period)) ** 3 / 6.0
    safe_x = jnp.where(x > 0.0, x, 1.0)  # no division by zero in either branch, so that gradients stay finite
    root = jnp.sqrt(3.0 * safe_x)
    y = 2.0 * jnp.sinh(jnp.arcsinh(1.5 * root) / 3.0) / root
    return jnp.where(x > 0.0, jnp.where(y < 0.5, 1.0 - y, safe_x * y**3), 0.0)


def calc_lamb(params: Mapping[str, Any], name: str = "logit_lamb") -> Number:
    """λ = 1/(1+e^−logit), before the cap."""
    return jax.nn.sigmoid(jnp.asarray(params[name]))


def capped_lamb(logit: Number, max_memory_days: Number | float, chunk_period: float) -> Number:
    """min(λ, λ_max), λ_max being the decay whose memory is `max_memory_days`."""
    return jnp.minimum(jax.nn.sigmoid(logit), memory_days_to_lamb(max_memory_days, chunk_period))


def lamb_to_memory_days_clipped(lamb: Number, chunk_period: float, max_memory_days: Number | float) -> Number:
    """Memory in days, clipped to [0, max_memory_days]."""
    return jnp.clip(lamb_to_memory_days(lamb, chunk_period), 0.0, max_memory_days)


def effective_logit_limit(max_memory_days: float, chunk_period: int) -> float:
    """logit(λ_max): every logit_lamb above it acts the same (SPEC §5)."""
    lamb = memory_days_to_lamb(max_memory_days, chunk_period)
    return float(jnp.log(lamb) - jnp.log1p(-lamb))


def calc_k(params: Mapping[str, Any], memory_days: Number) -> Number:
    """k of the rule: 2^log_k · memory_days, else `absolute_k` as it is, else `k` · memory_days.

    Raises:
        ParamsError: no k is given, or a k is negative (Σk could vanish). Values that a surrounding `jit` or `vmap`
            traces cannot be looked at and pass.
    """
    if "log_k" in params:
        return jnp.exp2(jnp.asarray(params["log_k"])) * memory_days
    name = "absolute_k" if "absolute_k" in params else "k"
    if name not in params:
        raise ParamsError("`params` must hold one of `log_k`, `absolute_k` and `k`")
    k = jnp.asarray(params[name])
    if not isinstance(k, jax.core.Tracer) and bool((k < 0).any()):
        raise ParamsError(f"`{name}` must not be negative, but got {k.tolist()}; use values from 0 up")
    return k if name == "absolute_k" else k * memory_days
