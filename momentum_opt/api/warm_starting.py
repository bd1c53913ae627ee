"""Known parameters to begin a search with (SPEC §3): params files in, parameters under the searched names out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt import device
from momentum_opt.errors import ParamsError, RunFolderError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.pool.memory import calc_lamb, capped_lamb, lamb_to_memory_days, memory_days_to_lamb
from momentum_opt.results.best import read_params_file
from momentum_opt.results.files import read_json
from momentum_opt.results.parameters import by_token, parse_params
from momentum_opt.results.run_folder import WARM_START, RunFolder
from momentum_opt.study.candidates import ParamSet, check_params, initial_weights
from momentum_opt.study.space import start_params

Values = NDArray[np.float64]

SMALLEST_K = float(np.finfo(np.float64).tiny)
"""Stands for a k of 0, whose logarithm no search could begin with; it is moved to the low end of the range."""


def read_warm_starts(files: Sequence[Path], fingerprint: Fingerprint) -> list[ParamSet]:
    """Params files under the names that a search samples: log_k, logit_lamb, logits of the initial weights.

    A best.json of another chunk period keeps its memory in days, not its λ.

    Raises:
        ParamsError: a file cannot be used for the pool of `fingerprint`.
    """
    device.configure()
    return [_searched(_read(file, fingerprint), fingerprint) for file in files]


def recorded_warm_starts(folder: RunFolder, fingerprint: Fingerprint) -> list[ParamSet]:
    """What the run in `folder` began with; empty where there is no run, or it began from nothing.

    Raises:
        RunFolderError: the record cannot be read.
    """
    if not folder.fingerprint.exists():
        return []
    recorded = read_json(folder.fingerprint, "a run folder's fingerprint.json").get(WARM_START, [])
    try:
        return [
            {name: np.array([table[token] for token in fingerprint.tokens], np.float64) for name, table in one.items()}
            for one in recorded
        ]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise RunFolderError(
            f"{folder.fingerprint}: {WARM_START} does not fit the tokens {', '.join(fingerprint.tokens)}; "
            "give another --run-dir"
        ) from None


def warm_start_record(known: Sequence[ParamSet], fingerprint: Fingerprint) -> list[dict[str, dict[str, float]]]:
    """Known parameters as a run's identity holds them: name → token → number."""
    return [{name: by_token(values, fingerprint.tokens) for name, values in params.items()} for params in known]


def warm_start_notes(known: Sequence[ParamSet], fingerprint: Fingerprint) -> list[str]:
    """A line for each known set whose initial weights are left out because they are not searched."""
    start = start_params(fingerprint)
    if "initial_weights_logits" in fingerprint.search.parameters:
        return []
    return [
        f"known parameters {place + 1}: initial weights are not searched, so the configuration's are kept; name "
        "search.parameters.initial_weights_logits to search them"
        for place, params in enumerate(known)
        if not np.allclose(initial_weights(params), initial_weights(start), atol=1e-9)
    ]


def _read(file: Path, fingerprint: Fingerprint) -> dict[str, Any]:
    document = read_params_file(file)
    params = parse_params(document["params"], start_params(fingerprint), fingerprint, str(file))
    theirs = document.get("fingerprint", {})
    period = theirs.get("chunk_period", fingerprint.pool.chunk_period) if isinstance(theirs, Mapping) else None
    if isinstance(period, int) and period != fingerprint.pool.chunk_period and "logit_lamb" in params:
        params["logit_lamb"] = _logit_of_same_memory(params["logit_lamb"], period, fingerprint)
    try:
        check_params(_with_delta(params, fingerprint), fingerprint)
    except ParamsError as error:
        raise ParamsError(f"{file}: {error}") from None
    return params


def _logit_of_same_memory(logits: Values, period: int, fingerprint: Fingerprint) -> Values:
    memory = lamb_to_memory_days(calc_lamb({"logit_lamb": logits}), period)
    lamb = np.asarray(memory_days_to_lamb(memory, fingerprint.pool.chunk_period))
    return np.log(lamb) - np.log1p(-lamb)


def _with_delta(params: ParamSet, fingerprint: Fingerprint) -> dict[str, Values]:
    rest = {name: values for name, values in params.items() if name != "logit_delta_lamb"}
    if not fingerprint.pool.use_alt_lamb:
        return rest
    return {**rest, "logit_delta_lamb": params.get("logit_delta_lamb", np.zeros(fingerprint.n_assets))}


def _searched(params: ParamSet, fingerprint: Fingerprint) -> ParamSet:
    pool = fingerprint.pool
    lamb = capped_lamb(jnp.asarray(params["logit_lamb"]), pool.max_memory_days, pool.chunk_period)
    memory = np.asarray(lamb_to_memory_days(lamb, pool.chunk_period))
    known = {name: values for name, values in _with_delta(params, fingerprint).items() if name.startswith("logit_")}
    if "log_k" in params:
        known["log_k"] = params["log_k"]
    else:
        k = params["k"] if "k" in params else params["absolute_k"] / memory
        known["log_k"] = np.log2(np.maximum(k, SMALLEST_K))
    if "initial_weights_logits" not in known:
        known["initial_weights_logits"] = np.log(initial_weights(params))
    return known
