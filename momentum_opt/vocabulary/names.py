"""Name what a configuration may choose (interpolations, aggregates, samplers, precisions) and what tables show."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

Interpolation = Literal["linear", "approx_optimal"]
Aggregate = Literal["mean", "worst", "mean_minus_std"]
Sampler = Literal["tpe", "cmaes", "nsga2", "memetic", "qmc", "random"]
Precision = Literal["float64", "float32"]
Noise = Literal["gaussian", "sobol", "lhs"]
Proposals = Literal["auto", "same", "zero_cost"]

INTERPOLATIONS: Final[tuple[str, ...]] = get_args(Interpolation)
AGGREGATES: Final[tuple[str, ...]] = get_args(Aggregate)
SAMPLERS: Final[tuple[str, ...]] = get_args(Sampler)
PROPOSALS: Final[tuple[str, ...]] = get_args(Proposals)
PRECISIONS: Final[tuple[str, ...]] = get_args(Precision)
NOISES: Final[tuple[str, ...]] = get_args(Noise)
FLOWS: Final = ("traded", "fees", "rebalanced", "shares")
"""What can be summed up of the steps from bar to bar: ½ Σ_i |ΔR_i| p_i, fees that liquidity providers earn, growth of
log V^R of the pool's weights held on an exchange, and Σ_i |Δ(R_i p_i/V)|."""

BASELINE_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "hodl": "HODL",
        "uniform_hodl": "uniform HODL",
        "constant_weight": "constant-weight pool",
        "rebalanced": "rebalanced on an exchange",
    }
)
"""Baseline that begins with the simulation and goes on through all periods → its name in tables and sentences."""

PERIOD_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **BASELINE_LABELS,
        "hodl": "HODL from the period's start",
        "uniform_hodl": "uniform HODL from the period's start",
    }
)
"""The same of baselines that begin anew with each period, on the pool's reserves, or equal values, there.

The other two hold no tokens from a start on: when they began changes their returns in no period.
"""
