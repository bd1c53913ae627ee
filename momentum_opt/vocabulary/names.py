"""The closed lists of words that a configuration may use: interpolations, aggregates, samplers, precisions."""

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
