"""Read the known parameters that a search begins with (SPEC §3)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt import device
from momentum_opt.api.opening import Run
from momentum_opt.errors import ParamsError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.pool.memory import (
    calc_lamb,
    capped_lamb,
    lamb_to_memory_days,
    lamb_to_memory_days_clipped,
    memory_days_to_lamb,
)
from momentum_opt.results.best import read_params_file
from momentum_opt.results.parameters import by_token, parse_params
from momentum_opt.results.run_folder import WarmStarts, result_file
from momentum_opt.study.candidates import ParamSet, check_params, initial_weights
from momentum_opt.study.space import SearchSpace, search_space, start_params
from momentum_opt.vocabulary.rules import RULES
from momentum_opt.vocabulary.schema import COMMON_PARAM_SCHEMA

Values = NDArray[np.float64]

SMALLEST_K = float(np.finfo(np.float64).tiny)
"""Stands for a k of 0, whose logarithm no search could begin with; it is moved to the low end of the range."""


def read_warm_starts(files: Sequence[Path], fingerprint: Fingerprint) -> WarmStarts:
    """Params files under the names that a search samples: log_k, logit_lamb, logits of the initial weights.

    A best.json of another chunk period keeps its memory in days, not its λ.

    Raises:
        ParamsError: a file cannot be used for the pool of `fingerprint`.
    """
    device.configure()
    tokens = fingerprint.tokens
    known = [_searched(_read(file, fingerprint), fingerprint) for file in files]
    return [{name: by_token(values, tokens) for name, values in params.items()} for params in known]


def space_of(run: Run) -> SearchSpace:
    """What a run searches, with the known parameters that it begins with.

    Raises:
        ConfigError: the configuration asks for ranges around known parameters, and there are none.
    """
    tokens = run.fingerprint.tokens
    known = [
        {name: np.array([table[token] for token in tokens], np.float64) for name, table in params.items()}
        for params in run.known
    ]
    space = search_space(run.fingerprint, known)
    return replace(space, notes=(*space.notes, *_left_out(known, run.fingerprint)))


def _left_out(known: Sequence[ParamSet], fingerprint: Fingerprint) -> list[str]:
    """A line for each known set whose initial weights are left out because they are not searched."""
    weights = "initial_weights_logits"
    if RULES[fingerprint.pool.rule].schema[weights].trainable or weights in fingerprint.search.parameters:
        return []
    start = initial_weights(start_params(fingerprint))
    return [
        f"known parameters {place + 1}: initial weights are not searched, so the configuration's are kept; name "
        "search.parameters.initial_weights_logits to search them"
        for place, params in enumerate(known)
        if not np.allclose(initial_weights(params), start, atol=1e-9)
    ]


def _read(file: Path, fingerprint: Fingerprint) -> dict[str, Any]:
    file = result_file(file)
    document = read_params_file(file)
    params = parse_params(document["params"], start_params(fingerprint), fingerprint, str(file))
    theirs = document.get("fingerprint", {})
    period = theirs.get("chunk_period", fingerprint.pool.chunk_period) if isinstance(theirs, Mapping) else None
    if isinstance(period, int) and period != fingerprint.pool.chunk_period and "logit_lamb" in params:
        params["logit_lamb"] = _logit_of_same_memory(params["logit_lamb"], period, fingerprint)
    try:
        check_params(params, fingerprint)
    except ParamsError as error:
        raise ParamsError(f"{file}: {error}") from None
    return params


def _logit_of_same_memory(logits: Values, period: int, fingerprint: Fingerprint) -> Values:
    """A memory beyond the cap becomes the cap: it acts the same, and its decay may be 1 to all digits."""
    pool = fingerprint.pool
    memory = lamb_to_memory_days_clipped(calc_lamb({"logit_lamb": logits}), period, pool.max_memory_days)
    lamb = np.asarray(memory_days_to_lamb(memory, pool.chunk_period))
    with np.errstate(divide="ignore"):  # a decay of 0 has no logit, which is refused with the file's name
        return np.log(lamb) - np.log1p(-lamb)


def _searched(params: ParamSet, fingerprint: Fingerprint) -> ParamSet:
    own = RULES[fingerprint.pool.rule].schema.keys() - COMMON_PARAM_SCHEMA.keys()
    if not fingerprint.pool.use_alt_lamb:
        own -= {"logit_delta_lamb"}
    known = {name: values for name, values in params.items() if name in own}
    if "log_k" in own and "log_k" not in known:
        k = params["k"] if "k" in params else params["absolute_k"] / _memory_days(params, fingerprint)
        known["log_k"] = np.log2(np.maximum(k, SMALLEST_K))
    return {**known, "initial_weights_logits": np.log(initial_weights(params))}


def _memory_days(params: ParamSet, fingerprint: Fingerprint) -> Values:
    pool = fingerprint.pool
    lamb = capped_lamb(jnp.asarray(params["logit_lamb"]), pool.max_memory_days, pool.chunk_period)
    return np.asarray(lamb_to_memory_days(lamb, pool.chunk_period))
