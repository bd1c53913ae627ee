"""Parameter sets for the engine: params keyed by name, one column per token, in; checked, stacked arrays out."""

from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.errors import ParamsError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.pool.costs import Costs
from momentum_opt.simulation.trajectory import Candidates, Settings
from momentum_opt.vocabulary.limits import outside
from momentum_opt.vocabulary.rules import K_NAMES, RULES
from momentum_opt.vocabulary.schema import COMMON_PARAM_SCHEMA

ParamSet = Mapping[str, NDArray[np.float64]]
"""name → (asset,) values in the order of the fingerprint's tokens."""

ParamColumns = Mapping[str, NDArray[np.float64]]
"""name → (asset, candidate) values: many parameter sets at once."""

_SLACK: Final = 1e-12
"""Relative; equal logits may give a softmax of 1/n less one rounding."""

_INITIAL_WEIGHTS = ("initial_weights", "initial_weights_logits")


def settings_of(fingerprint: Fingerprint, dtype: Any) -> Settings:
    """The traced settings of the pool."""
    pool = fingerprint.pool
    return Settings(
        maximum_change=jnp.asarray(pool.maximum_change, dtype),
        minimum_weight=jnp.asarray(pool.minimum_weight, dtype),
        max_memory_days=jnp.asarray(pool.max_memory_days, dtype),
        initial_pool_value=jnp.asarray(pool.initial_pool_value, dtype),
        costs=_costs_of(fingerprint, dtype),
        exchange_cost=jnp.asarray(fingerprint.baselines.exchange_cost, dtype),
    )


def _costs_of(fingerprint: Fingerprint, dtype: Any) -> Costs:
    costs = fingerprint.costs
    values = (costs.fees, costs.gas_cost, costs.arb_fees, costs.noise_trader_ratio, costs.protocol_fee_split)
    return Costs(*(jnp.asarray(0.0 if isinstance(value, Path) else value, dtype) for value in values))


def initial_weights(params: ParamSet | ParamColumns) -> NDArray[np.float64]:
    """`initial_weights` as given, else the softmax of `initial_weights_logits` over the tokens; of one set or many."""
    if "initial_weights" in params:
        return params["initial_weights"]
    logits = params["initial_weights_logits"]
    grown = np.exp(logits - logits.max(axis=0))
    return grown / _total(grown)


def lifted_logits(logits: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
    """(asset, candidate) logits; those whose softmax leaves a weight under `floor` moved to the nearest that do not.

    Nearest are the weights of the Euclidean projection, max(w − θ, 0) above the floor with θ such that they sum to one
    (Duchi, Shalev-Shwartz, Singer & Chandra, ICML 2008). Their logits never lie outside the range of those given.
    """
    weights = initial_weights({"initial_weights_logits": logits})
    low = np.flatnonzero(weights.min(axis=0) < floor * (1.0 - _SLACK))
    if not low.size:
        return logits
    n, top = len(logits), logits[:, low].max(axis=0)
    scale = top + np.log(_total(np.exp(logits[:, low] - top)))
    kept = min(floor * (1.0 + _SLACK), 1.0 / n)  # so that rounding leaves no weight under the floor
    lifted = logits.copy()
    lifted[:, low] = np.log(kept + _on_simplex(weights[:, low] - kept, 1.0 - n * kept)) + scale
    return lifted


def _on_simplex(values: NDArray[np.float64], total: float) -> NDArray[np.float64]:
    """The nearest numbers ≥ 0 with that total, column by column."""
    falling = -np.sort(-values, axis=0)
    excess = (np.cumsum(falling, axis=0) - total) / np.arange(1, len(values) + 1)[:, None]
    last = np.maximum((falling > excess).sum(axis=0) - 1, 0)
    return np.maximum(values - np.take_along_axis(excess, last[None], axis=0), 0.0)


def _total(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over the tokens, added in one order however many candidates there are."""
    return np.asarray(reduce(np.add, columns))


def floor_problem(weights: NDArray[np.float64], fingerprint: Fingerprint) -> str | None:
    """Why a pool cannot start with `weights`, or None: a token below the floor, or a sum that is not one."""
    floor = fingerprint.pool.minimum_weight
    if weights.min() < floor * (1.0 - _SLACK):
        token = fingerprint.tokens[int(weights.argmin())]
        return f"initial weight of {token} is {weights.min():.3g}, below minimum_weight {floor:.3g}"
    if abs(weights.sum() - 1.0) > 1e-9:
        return f"initial weights sum to {weights.sum():.12g}, not to 1"
    return None


def check_params(params: ParamSet, fingerprint: Fingerprint) -> None:
    """Refuse a parameter set that the pool cannot run with.

    Raises:
        ParamsError: a name is missing, a value is not finite or out of range, or the initial weights are.
    """
    missing = missing_params(params, fingerprint)
    if missing:
        raise ParamsError(f"`params` is missing {', '.join(missing)} (got {', '.join(params)}); add it")
    for name, values in params.items():
        if not np.isfinite(values).all():
            raise ParamsError(f"`params.{name}` must be finite, but holds {values.tolist()}; give numbers")
    for name in ("k", "absolute_k"):
        if name in params and params[name].min() < 0:
            raise ParamsError(f"`params.{name}` must not be negative, but holds {params[name].min()}; give 0 or more")
    for name, values in params.items():
        if wanted := outside(name, values.tolist()):
            raise ParamsError(f"`params.{name}` must be {wanted}, but holds {values.tolist()}; give such numbers")
    problem = floor_problem(initial_weights(params), fingerprint)
    if problem:
        raise ParamsError(f"`params`: {problem}; choose other initial weights")


def missing_params(params: ParamSet, fingerprint: Fingerprint) -> list[str]:
    """What the pool's rule needs and `params` do not hold; initial weights may be left out."""
    schema = RULES[fingerprint.pool.rule].schema
    idle = set(COMMON_PARAM_SCHEMA) | ({"logit_delta_lamb"} if not fingerprint.pool.use_alt_lamb else set[str]())
    missing = [name for name in schema if name not in idle and name != "log_k" and name not in params]
    if "log_k" in schema and sum(name in params for name in K_NAMES) != 1:
        missing.append("exactly one of " + ", ".join(K_NAMES))
    return missing


def as_columns(sets: Sequence[ParamSet]) -> ParamColumns:
    """Parameter sets side by side: name → (asset, candidate)."""
    return {name: np.stack([params[name] for params in sets], axis=-1) for name in sets[0]}


def stack(sets: Sequence[ParamSet], width: int, dtype: Any) -> Candidates:
    """Parameter sets for the engine, padded to `width`."""
    return jax.tree.map(jnp.asarray, stack_columns(as_columns(sets), width, dtype))


def stack_columns(columns: ParamColumns, width: int, dtype: Any) -> Candidates:
    """The candidates for the engine, on the host, padded to the compiled `width` by repeating the last one."""

    def padded(values: NDArray[np.float64]) -> Any:
        missing = width - values.shape[1]
        filled = np.pad(values, ((0, 0), (0, missing)), mode="edge") if missing else values
        return filled.astype(dtype, copy=False)

    own = {name: padded(values) for name, values in columns.items() if name not in _INITIAL_WEIGHTS}
    return Candidates(padded(initial_weights(columns)), own)
