"""Starting parameters (SPEC §3, §4): readable initial values in, stacked internal parameter sets with noise out."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.errors import ParamsError
from momentum_opt.pool.memory import memory_days_to_lamb
from momentum_opt.vocabulary.names import NOISES
from momentum_opt.vocabulary.schema import OptunaRange, ParamSpec, get_optuna_range, get_param_value, sample_in_range

Values = NDArray[np.float64]

GAUSSIAN_NOISE = 0.1
"""Standard deviation of `gaussian` noise, as a share of the parameter's search range."""

_TREND: Final = frozenset({"log_k", "logit_lamb", "logit_delta_lamb"})
"""Parameters whose initial values are given in readable units: k per day, days of memory."""


def initial_parameters(
    initial_values: Mapping[str, Any],
    run_fingerprint: Mapping[str, Any],
    n_assets: int,
    n_parameter_sets: int,
    schema: Mapping[str, ParamSpec],
) -> dict[str, Values]:
    """Internal parameters of the initial values for the names of `schema`, repeated for every set: name → (set, asset).

    Those that have no readable initial value start from `get_param_value`.
    With the fingerprint's `force_scalar` a parameter has one value for all tokens: (set, 1), and (set,) for a log_k
    that was given as a plain number, as in the seed.

    Raises:
        ParamsError: a value is missing, of the wrong length, or not positive where a logarithm is taken.
    """
    scalar = bool(run_fingerprint["optimisation_settings"]["force_scalar"])
    known = (
        _trend_parameters(initial_values, run_fingerprint, n_assets, n_parameter_sets) if _TREND & set(schema) else {}
    )
    logits = _spread(initial_values, "initial_weights_logits", n_assets, n_parameter_sets, False)
    known["initial_weights_logits"] = logits
    for name in schema.keys() - known.keys():
        values = {name: get_param_value(name, initial_values, run_fingerprint, schema)}
        known[name] = _spread(values, name, n_assets, n_parameter_sets, scalar)
    return {name: known[name] for name in schema}


def _trend_parameters(
    initial_values: Mapping[str, Any], run_fingerprint: Mapping[str, Any], n_assets: int, n_parameter_sets: int
) -> dict[str, Values]:
    """k and memory of rules that follow trends, or anything else with a memory."""
    scalar = bool(run_fingerprint["optimisation_settings"]["force_scalar"])
    period = run_fingerprint["chunk_period"]
    k = _spread(initial_values, "initial_k_per_day", n_assets, n_parameter_sets, scalar)
    memory = _number_or_row(initial_values, "initial_memory_length", n_assets, scalar)
    changed = memory + _number_or_row(initial_values, "initial_memory_length_delta", n_assets, scalar)
    if (k <= 0).any():
        raise ParamsError(f"`initial_k_per_day` must be positive, but got {k.min()}; give a number above 0")
    if (memory <= 0).any() or (changed <= 0).any():
        raise ParamsError("`initial_memory_length`, and it plus `initial_memory_length_delta`, must be above 0 days")
    logit = _logit_of_memory(memory, period)
    sets = (n_parameter_sets, 1)
    return {
        "log_k": np.log2(k),
        "logit_lamb": np.tile(logit, sets),
        "logit_delta_lamb": np.tile(_logit_of_memory(changed, period) - logit, sets),
    }


def add_noise(
    params: Mapping[str, Values],
    noise: str,
    run_fingerprint: Mapping[str, Any],
    schema: Mapping[str, ParamSpec],
    seed: int,
) -> dict[str, Values]:
    """Spread the sets over the search ranges; set 0 stays as it is, and so do parameters that are not trainable.

    `gaussian` adds noise of 0.1 of the range around the given values, clipped to the range; `sobol` (scrambled) and
    `lhs` (Latin hypercube) replace them by points that fill the range. The generator is seeded with `seed`.

    Raises:
        ParamsError: an unknown `noise`.
    """
    if noise not in NOISES:
        raise ParamsError(f"`noise` must be one of {', '.join(NOISES)}, but got {noise!r}")
    sizes = {name: params[name][0].size for name in params if schema[name].trainable}
    ranges = {name: _ranges(name, run_fingerprint, schema, size) for name, size in sizes.items()}
    moved = {name: bounds for name, bounds in ranges.items() if bounds}
    n_sets = len(next(iter(params.values())))
    unit = _unit_noise(noise, n_sets - 1, sum(map(len, moved.values())), np.random.default_rng(seed))
    result = {name: np.array(values, dtype=np.float64) for name, values in params.items()}
    column = 0
    for name, bounds in moved.items():
        own = result[name].reshape(n_sets, len(bounds))  # a view: what is put into it stands in the result
        for place, one in enumerate(bounds):
            own[1:, place] = _moved(own[1:, place], unit[:, column], noise, one)
            column += 1
    return result


def _ranges(
    name: str, run_fingerprint: Mapping[str, Any], schema: Mapping[str, ParamSpec], size: int
) -> list[OptunaRange]:
    """Where each of a parameter's numbers is searched: one per token, or one for all; none where no search may."""
    tokens: Sequence[str | None] = run_fingerprint["tokens"] if size > 1 else [None]
    found = (get_optuna_range(name, run_fingerprint, schema, token) for token in tokens)
    return [one for one in found if one is not None]


def _unit_noise(noise: str, n_sets: int, dimensions: int, generator: np.random.Generator) -> Values:
    if noise == "gaussian" or n_sets == 0:
        return generator.standard_normal((n_sets, dimensions))
    from scipy.stats import qmc  # takes a second to import, and a tune seldom needs it

    if noise == "lhs":
        return qmc.LatinHypercube(dimensions, rng=generator).random(n_sets)
    points = qmc.Sobol(dimensions, rng=generator).random_base2(max(n_sets - 1, 0).bit_length())
    return points[:n_sets]


def _moved(values: Values, drawn: Values, noise: str, bounds: OptunaRange) -> Values:
    if noise != "gaussian":
        return sample_in_range(drawn, bounds)
    width = bounds.high - bounds.low
    return np.clip(values + GAUSSIAN_NOISE * width * drawn, bounds.low, bounds.high)


def _logit_of_memory(memory_days: Values, chunk_period: int) -> Values:
    lamb = np.asarray(memory_days_to_lamb(jnp.asarray(memory_days), chunk_period), dtype=np.float64)
    return np.log(lamb / (1.0 - lamb))


def _given(initial_values: Mapping[str, Any], name: str) -> Values:
    if name not in initial_values:
        raise ParamsError(f"the initial values must contain `{name}`, but hold {', '.join(sorted(initial_values))}")
    return np.asarray(initial_values[name], dtype=np.float64)


def _number_or_row(initial_values: Mapping[str, Any], name: str, n_assets: int, scalar: bool) -> Values:
    value = _given(initial_values, name)
    width = 1 if scalar else n_assets
    if value.size not in (1, width):
        raise ParamsError(f"`{name}` must be one number or {width} of them, but has {value.size}")
    return np.broadcast_to(value.reshape(-1), (width,))


def _spread(initial_values: Mapping[str, Any], name: str, n_assets: int, n_sets: int, scalar: bool) -> Values:
    value = _given(initial_values, name)
    if scalar:
        return np.tile(value, (n_sets,) + (1,) * value.ndim)
    if value.size == 1:
        return np.full((n_sets, n_assets), value.reshape(()))
    if value.shape == (n_assets,):
        return np.tile(value, (n_sets, 1))
    if value.shape == (n_sets, n_assets):
        return value
    raise ParamsError(
        f"`{name}` must be one number, {n_assets} of them, or a table of {n_sets} sets by {n_assets} tokens, "
        f"but has shape {value.shape}"
    )
