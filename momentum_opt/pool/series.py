"""Logarithm and exponential of small trades without cancellation (SPEC §9): short series, or exact at any size.

`SHORT` serves trades up to z = `SMALL`, where its truncation is below 1e-17 of the reserves; it is a few
multiplications that fuse into one loop over the candidates, several times cheaper than the exact functions.
"""

from collections.abc import Callable, Sequence
from math import factorial
from typing import NamedTuple

import jax.numpy as jnp

from momentum_opt.arrays import Array

SMALL = 0.025
"""Largest z = (y − 1)/(y + 1) of `SHORT`: a price that is 5 % off, or a move of 0.05 in the logarithm."""

_SERIES_LIMIT = 0.1
"""Up to here e^x − 1 − x is summed as a series, because the subtraction would lose digits."""


class Functions(NamedTuple):
    """The three functions of a trade; all keep their relative precision near zero."""

    stacked: bool
    """Whether to apply them to all pairs or tokens as one array: slower to run, several times faster to compile."""

    log_of_ratio: Callable[[Array], Array]
    """z → log((1 + z)/(1 − z))."""
    expm1: Callable[[Array], Array]
    """x → e^x − 1."""
    curvature: Callable[[Array], Array]
    """x → 2 (e^−x − 1 + x)/x², which is 1 at 0."""


def on_each(function: Callable[..., Array], *arguments: Sequence[Array], functions: Functions) -> list[Array]:
    """`function` of the first entries of all `arguments`, of the second ones, and so on."""
    if functions.stacked:
        return list(function(*(jnp.stack(values) for values in arguments)))
    return [function(*values) for values in zip(*arguments, strict=True)]


def _polynomial(x: Array, coefficients: Sequence[float]) -> Array:
    """Σ c_k x^k by Horner's rule, in the form of which a compiler makes one instruction per term."""
    total = jnp.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = coefficient + x * total
    return total


def _curvature_terms(last: int) -> tuple[float, ...]:
    return tuple(2.0 * (-1.0) ** k / factorial(k + 2) for k in range(last + 1))


def _short_log(z: Array) -> Array:
    return z * _polynomial(z * z, [2.0, 2.0 / 3.0, 2.0 / 5.0, 2.0 / 7.0, 2.0 / 9.0])


def _short_curvature(x: Array) -> Array:
    return _polynomial(x, _curvature_terms(6))


def _short_expm1(x: Array) -> Array:
    return x + 0.5 * x * x * _short_curvature(-x)


def _exact_log(z: Array) -> Array:
    return jnp.log1p(2.0 * z / (1.0 - z))


def _exact_curvature(x: Array) -> Array:
    near = jnp.abs(x) < _SERIES_LIMIT
    inside = jnp.where(near, x, 0.0)
    outside = jnp.where(near, 1.0, x)
    return jnp.where(
        near, _polynomial(inside, _curvature_terms(12)), 2.0 * (jnp.expm1(-outside) + outside) / (outside * outside)
    )


SHORT = Functions(False, _short_log, _short_expm1, _short_curvature)
EXACT = Functions(True, _exact_log, jnp.expm1, _exact_curvature)
