"""Weights inside a chunk (SPEC §7, step 4): start weights and the step per bar in, weights at chosen bars out.

`tau` counts bars from the chunk's start and stands on the first axis of the result; `m` is the interpolation period
in bars. After τ = m the weights stay at w + d·m.
"""

import jax.numpy as jnp

from momentum_opt.arrays import Array, Float, PerAsset
from momentum_opt.vocabulary.names import Interpolation

Bars = Float[Array, " tau"]
WeightPath = Float[Array, "tau asset *batch"]


def linear_path(start: PerAsset, step: PerAsset, tau: Bars, m: float) -> WeightPath:
    """w + d·min(τ, m)."""
    moved = _along_time(jnp.minimum(tau, m), start.ndim)
    return start + step * moved


def approx_optimal_path(start: PerAsset, step: PerAsset, tau: Bars, m: float) -> WeightPath:
    """The normalised sum of the linear path and the geometric one w·(w_end/w)^(τ/(m+1)) before m, w_end from there."""
    end = start + step * m
    moved = _along_time(tau, start.ndim)
    blend = start + step * moved + start * (end / start) ** (moved / (m + 1.0))
    return jnp.where(moved < m, blend / jnp.sum(blend, axis=1, keepdims=True), end)


def weight_path(method: Interpolation, start: PerAsset, step: PerAsset, tau: Bars, m: float) -> WeightPath:
    """Weights of a chunk at bars `tau`, by the pool's interpolation method."""
    path = linear_path if method == "linear" else approx_optimal_path
    return path(start, step, tau, m)


def _along_time(tau: Bars, ndim: int) -> Array:
    return tau.reshape((-1,) + (1,) * ndim)
