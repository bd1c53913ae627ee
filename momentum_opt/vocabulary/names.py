"""The closed lists of words that a configuration may use: interpolations, aggregates, samplers, precisions."""

from typing import Final, Literal, get_args

Interpolation = Literal["linear", "approx_optimal"]
Aggregate = Literal["mean", "worst", "mean_minus_std"]
Sampler = Literal["tpe", "cmaes", "nsga2", "qmc", "random"]
Precision = Literal["float64", "float32"]
Noise = Literal["gaussian", "sobol", "lhs"]

INTERPOLATIONS: Final[tuple[str, ...]] = get_args(Interpolation)
AGGREGATES: Final[tuple[str, ...]] = get_args(Aggregate)
SAMPLERS: Final[tuple[str, ...]] = get_args(Sampler)
PRECISIONS: Final[tuple[str, ...]] = get_args(Precision)
NOISES: Final[tuple[str, ...]] = get_args(Noise)
