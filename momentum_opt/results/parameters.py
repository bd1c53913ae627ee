"""Parameters as people read and write them: arrays to tables keyed by token, and params files back to arrays."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.arrays import Array, Float
from momentum_opt.errors import ParamsError
from momentum_opt.fingerprint import Fingerprint, listed, show
from momentum_opt.pool.memory import capped_lamb, lamb_to_memory_days_clipped, memory_days_to_lamb
from momentum_opt.study.candidates import ParamColumns, ParamSet, check_params, initial_weights
from momentum_opt.units import MINUTES_PER_DAY
from momentum_opt.vocabulary.limits import outside
from momentum_opt.vocabulary.rules import RULES

Values = NDArray[np.float64]
ByToken = dict[str, float]

ALTERNATIVES: Final = (
    ("memory_days", "logit_lamb"), ("k_per_day", "k"), ("initial_weights", "initial_weights_logits"),
)  # fmt: skip
"""Pairs of which one would silently hide the other; the names of k are compared by `check_params` as well."""

_LARGEST_LOGIT: Final = 100.0
_ROUNDING: Final = 1e-6
"""Of the way from a memory to its logit and back."""

FEWEST_COLUMNS: Final = 1024
"""Width to which smaller tables are padded."""


def by_token(values: Values, tokens: tuple[str, ...]) -> ByToken:
    """Values keyed by token name."""
    return {token: float(value) for token, value in zip(tokens, values, strict=True)}


def internal_form(params: ParamSet, tokens: tuple[str, ...]) -> dict[str, ByToken]:
    """Parameters under their internal names, keyed by token."""
    return {name: by_token(values, tokens) for name, values in params.items()}


def readable_form(params: ParamSet, fingerprint: Fingerprint) -> dict[str, ByToken]:
    """k per day, memory in days and decay λ as simulated (after the cap), and the initial weights; keyed by token.

    A rule without k or memory has the ones that it has; parameters of its own stand under their names.
    """
    columns = readable_columns({name: values[:, None] for name, values in params.items()}, fingerprint)
    return {name: by_token(values[:, 0], fingerprint.tokens) for name, values in columns.items()}


def readable_columns(params: ParamColumns, fingerprint: Fingerprint) -> dict[str, Values]:
    """The same for many candidates: name → (asset, candidate) in and out."""
    rule = RULES[fingerprint.pool.rule]
    forms: dict[str, Values] = {}
    if "logit_lamb" in rule.schema:
        lamb, memory = _decay_and_memory(params["logit_lamb"], fingerprint)
        forms = {"k_per_day": _k_per_day(params, memory)} if "log_k" in rule.schema else {}
        forms |= {"memory_days": memory, "lamb": lamb}
    plain = {name: params[name] for name in rule.plain_names}
    return {**forms, **plain, "initial_weights": initial_weights(params)}


def _decay_and_memory(logits: Values, fingerprint: Fingerprint) -> tuple[Values, Values]:
    """λ as simulated, and its memory in days."""
    pool, count = fingerprint.pool, logits.shape[1]
    # Padded to a power of two: few shapes are compiled, and no value depends on where among the others it stands.
    width = max(FEWEST_COLUMNS, 1 << (count - 1).bit_length())
    padded = np.pad(logits, ((0, 0), (0, width - count)), mode="edge")
    lamb, memory = _capped(jnp.asarray(padded), pool.max_memory_days, pool.chunk_period)
    return np.asarray(lamb)[:, :count], np.asarray(memory)[:, :count]


@partial(jax.jit, static_argnums=(1, 2))
def _capped(
    logits: Float[Array, "asset candidate"], max_memory_days: float, chunk_period: int
) -> tuple[Float[Array, "asset candidate"], Float[Array, "asset candidate"]]:
    """λ as simulated, and its memory in days."""
    lamb = capped_lamb(logits, max_memory_days, chunk_period)
    return lamb, lamb_to_memory_days_clipped(lamb, chunk_period, max_memory_days)


def parse_params(given: Mapping[str, Any], start: ParamSet, fingerprint: Fingerprint, where: str) -> dict[str, Values]:
    """A params file's `params` as arrays; what it leaves out of initial weights comes from `start`.

    Args:
        given: name → {token: number} or one number for all tokens; internal names, or `k_per_day` and `memory_days`.
        start: the fingerprint's initial values.
        fingerprint: tokens and chunk period.
        where: the file, for messages.

    Raises:
        ParamsError: an unknown name, a token that is missing or not in the pool, or a value that is no number.
    """
    if not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # it comes out of files
        raise ParamsError(f"{where}: its params are no table ({show(given)}); give a table from name to numbers")
    rule = RULES[fingerprint.pool.rule]
    known = (*rule.readable_names, *rule.parameter_names)
    unknown = [name for name in given if name not in known]
    if unknown:
        elsewhere = any(
            name in other.parameter_names + other.readable_names for other in RULES.values() for name in unknown
        )
        what = f"unknown parameter {listed(unknown)}" + f" of the {rule.name} rule" * elsewhere
        raise ParamsError(f"{where}: {what}; use {', '.join(known)}")
    for one, other in ALTERNATIVES:
        if one in given and other in given:
            raise ParamsError(f"{where}: holds both params.{one} and params.{other}; keep one of the two")
    params = {name: _values(value, fingerprint.tokens, f"{where}: params.{name}") for name, value in given.items()}
    if "memory_days" in params:
        params["logit_lamb"] = _logit_lamb(params.pop("memory_days"), fingerprint, where)
    if "k_per_day" in params:
        _check_limits("k_per_day", params["k_per_day"], where)
        params["k"] = params.pop("k_per_day")  # not log_k: zero is a k like any other
    if "initial_weights" not in params and "initial_weights_logits" not in params:
        params["initial_weights_logits"] = np.asarray(start["initial_weights_logits"])
    try:
        check_params(params, fingerprint)
    except ParamsError as error:
        raise ParamsError([f"{where}: {problem}" for problem in error.problems]) from None
    return params


def quiet_effects(params: ParamSet, fingerprint: Fingerprint) -> list[str]:
    """One line for each thing that the parameters say and the pool does not do."""
    rule, pool = RULES[fingerprint.pool.rule], fingerprint.pool
    lines: list[str] = []
    if "logit_lamb" in rule.schema:
        alternative = params.get("logit_delta_lamb")
        logits = {"memory": params["logit_lamb"]}
        if pool.use_alt_lamb and alternative is not None:
            logits["second memory"] = params["logit_lamb"] + alternative
        lines += [line for name, values in logits.items() for line in _beyond_the_cap(name, values, fingerprint)]
        if alternative is not None and not pool.use_alt_lamb and alternative.any():
            lines.append("logit_delta_lamb acts with pool.use_alt_lamb: true alone, and is left out")
    still = [
        token
        for name in ("k", "absolute_k")
        for token, k in zip(fingerprint.tokens, params.get(name, np.zeros(0)), strict=False)
        if k == 0.0
    ]
    if still:
        moved = "no weight follows a trend" if len(still) == len(fingerprint.tokens) else "its weight follows no trend"
        lines.append(f"k of {', '.join(still)} is 0: {moved}")
    return lines


def _beyond_the_cap(name: str, logits: Values, fingerprint: Fingerprint) -> list[str]:
    """A line where a decay has a longer memory than the pool's cap, which is then what is simulated."""
    pool = fingerprint.pool
    odds = np.exp(-np.clip(logits, None, _LARGEST_LOGIT))
    days = 2.0 * (pool.chunk_period / MINUTES_PER_DAY) * np.cbrt(6.0 / (1.0 + odds)) * (1.0 + odds) / odds
    longer = [
        f"{token} ({memory:.6g} days)"
        for token, memory in zip(fingerprint.tokens, days, strict=True)
        if memory > pool.max_memory_days * (1.0 + _ROUNDING)
    ]
    if not longer:
        return []
    return [
        f"{name} of {', '.join(longer)} is above pool.max_memory_days, so {pool.max_memory_days:g} days are simulated"
    ]


def _k_per_day(params: ParamColumns, memory_days: Values) -> Values:
    if "log_k" in params:
        return np.exp2(params["log_k"])
    return params["k"] if "k" in params else params["absolute_k"] / memory_days


def _values(value: Any, tokens: tuple[str, ...], where: str) -> Values:
    if isinstance(value, Mapping):
        if set(value) != set(tokens):
            raise ParamsError(
                f"{where}: names the tokens {listed(sorted(value))}, but the pool holds {', '.join(tokens)}; "
                "give a number for each of them, or one for all"
            )
        numbers = [value[token] for token in tokens]
    else:
        numbers = [value] * len(tokens)
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ParamsError(f"{where}: {show(number)} is no number; give one number, or one per token")
    try:
        return np.array(numbers, dtype=np.float64)
    except OverflowError:
        raise ParamsError(f"{where}: a number is too large for a float; give a smaller one") from None


def _check_limits(name: str, values: Values, where: str) -> None:
    if np.isfinite(values).all() and (values >= 0).all() and (wanted := outside(name, values.tolist())):
        raise ParamsError(f"{where}: params.{name} must be {wanted}, but holds {values.tolist()}; give such numbers")


def _logit_lamb(memory_days: Values, fingerprint: Fingerprint, where: str) -> Values:
    if not (np.isfinite(memory_days) & (memory_days > 0)).all():
        raise ParamsError(
            f"{where}: params.memory_days must be finite and above 0, but holds {memory_days.tolist()}; give days"
        )
    _check_limits("memory_days", memory_days, where)
    lamb = np.asarray(memory_days_to_lamb(jnp.asarray(memory_days), fingerprint.pool.chunk_period))
    return np.log(lamb) - np.log1p(-lamb)
