"""The gradient estimator (SPEC §6): one chunk price in, the smoothed relative price gradient out.

Everything acts token by token, so arrays may have any shape that broadcasts with the prices.
"""

from typing import NamedTuple

import jax.numpy as jnp

from momentum_opt.arrays import Array, Float

Number = Float[Array, "..."]

_RUNNING_A_FLOOR = 1e-10
"""Share of e below which `a` is set to zero (SPEC §6): relative, because a price has no natural unit."""


class EstimatorConstants(NamedTuple):
    """What the decay fixes once per candidate."""

    lamb: Number
    """Decay λ per chunk, after the cap."""
    G: Number
    """1/(1−λ)."""
    b: Number
    """λ/(1−λ)³."""
    alpha: Number
    """The smoothing factor 1 − λ = 1/G; a step multiplies by it where SPEC §6 divides."""
    alpha_alt: Number | None = None
    """1 − λ′ of the denominator's own average; None without use_alt_lamb."""


class EstimatorState(NamedTuple):
    """The state after a chunk price."""

    ewma: Number
    """e, the average that drives `running_a`."""
    running_a: Number
    """a, the smoothed deviation from the average."""
    ewma_alt: Number | None = None
    """e′, the average in the denominator; None without use_alt_lamb."""


class Readout(NamedTuple):
    """What the estimator shows after each chunk price, in the seed's names."""

    gradients: Number
    running_a: Number
    ewma: Number


def estimator_constants(lamb: Number, lamb_alt: Number | None = None) -> EstimatorConstants:
    """What follows from the capped decay λ, and the alternative one."""
    complement = 1.0 - lamb
    return EstimatorConstants(
        lamb=lamb,
        G=1.0 / complement,
        b=lamb / complement**3,
        alpha=complement,
        alpha_alt=None if lamb_alt is None else 1.0 - lamb_alt,
    )


def initial_state(first_price: Number, use_alt_lamb: bool = False) -> EstimatorState:
    """e_0 = c_0, a_0 = 0 (and e′_0 = c_0)."""
    return EstimatorState(
        ewma=first_price,
        running_a=jnp.zeros_like(first_price),
        ewma_alt=first_price if use_alt_lamb else None,
    )


def estimator_step(state: EstimatorState, price: Number, constants: EstimatorConstants) -> EstimatorState:
    """e ← e + (c − e)/G; a ← λa + G(c − e) with the new e; a ← 0 where |a| < 1e-10·e."""
    ewma = state.ewma + (price - state.ewma) * constants.alpha
    running_a = constants.lamb * state.running_a + constants.G * (price - ewma)
    running_a = jnp.where(jnp.abs(running_a) < _RUNNING_A_FLOOR * ewma, 0.0, running_a)
    if state.ewma_alt is None or constants.alpha_alt is None:
        return EstimatorState(ewma, running_a)
    return EstimatorState(ewma, running_a, state.ewma_alt + (price - state.ewma_alt) * constants.alpha_alt)


def gradient(state: EstimatorState, constants: EstimatorConstants) -> Number:
    """The rule's signal g = a/(b·e), with e′ in the denominator under use_alt_lamb."""
    denominator = state.ewma if state.ewma_alt is None else state.ewma_alt
    return state.running_a / (constants.b * denominator)


def readout(state: EstimatorState, constants: EstimatorConstants) -> Readout:
    """e, a and a/(b·e), with the primary e also when the rule uses e′."""
    return Readout(state.running_a / (constants.b * state.ewma), state.running_a, state.ewma)
