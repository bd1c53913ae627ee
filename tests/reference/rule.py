"""Weight update, guard rails and interpolation as SPEC §7 writes them, for one pool and one update at a time."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def weight_update(k: Floats, gradients: Floats) -> Floats:
    """u_i = k_i (g_i − Σ k g / Σ k), 0 where k_i = 0; all zero if every k is. A scalar k acts as an equal vector."""
    k = np.broadcast_to(k, gradients.shape)
    if not k.any():
        return np.zeros_like(gradients)
    return np.where(k == 0.0, 0.0, k * (gradients - (k * gradients).sum() / k.sum()))


def against_the_trend(k: Floats, gradients: Floats) -> Floats:
    """The anti-momentum rule written out: a token gives up k_i times what its gradient is above the mean."""
    k = np.broadcast_to(k, gradients.shape)
    if not k.any():
        return np.zeros_like(gradients)
    share = k / k.sum()
    above = np.array([g - sum(s * h for s, h in zip(share, gradients, strict=True)) for g in gradients])
    return np.where(k == 0.0, 0.0, -k * above)


def guarded_target(w: Floats, u: Floats, floor: float) -> Floats:
    """Steps 1 and 2 of SPEC §7: the guarded target of an update from the position `w`; one pass, no iteration."""
    r = (w + u) / (w + u).sum()
    low = r < floor
    r = np.clip(r, floor, 1.0 - (len(w) - 1) * floor)
    if not low.all():  # all low happens by rounding alone, at floor = 1/n
        r[~low] *= (1.0 - floor * low.sum()) / r[~low].sum()
    r[np.argmax(r)] += 1.0 - r.sum()
    return r


def limited_step(w: Floats, target: Floats, m: float, maximum_change: float) -> Floats:
    """Step 3 of SPEC §7: the move per minute towards `target` over `m` minutes, at most `maximum_change` each."""
    d = (target - w) / m
    largest = np.abs(d).max()
    return d * (maximum_change / (largest + 1e-10)) if largest > maximum_change else d


def chunk_weights(w: NDArray[Any], d: NDArray[Any], m: int, P: int, method: str) -> NDArray[Any]:
    """Step 4 of SPEC §7: the weights (τ, asset) of τ = 0 … P−1 in a chunk that starts at `w`, in the type of `w`.

    Args:
        w: (asset,) position at the chunk's start.
        d: (asset,) change per bar.
        m: bars during which the weights move.
        P: bars of the chunk.
        method: `linear` or `approx_optimal`.
    """
    tau = np.arange(P).astype(w.dtype)[:, None]
    linear = w + d * np.minimum(tau, m)
    if method == "linear":
        return linear
    assert method == "approx_optimal", method
    end = w + d * m
    both = linear + w * (end / w) ** (tau / (m + 1))
    return np.where(tau < m, both / both.sum(axis=1, keepdims=True), end)
