"""Where the search looks, parameter by parameter and token by token, and the same in natural units (SPEC §3 to §5)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from momentum_opt.fingerprint.run_fingerprint import Fingerprint
from momentum_opt.fingerprint.sections import Pool
from momentum_opt.vocabulary.memory import logit_of_memory_days, memory_days_of_logit
from momentum_opt.vocabulary.rules import RULES
from momentum_opt.vocabulary.schema import OptunaRange, exp2, get_optuna_range, logistic

Ranges = Mapping[str, Sequence[OptunaRange]]
"""Parameter → the range of each token, or a single one where one number serves all tokens."""


def search_ranges(fingerprint: Fingerprint) -> dict[str, tuple[OptunaRange, ...]]:
    """The ranges of what a study samples, before the clip to effective values and any `around`."""
    search, pool = fingerprint.search, fingerprint.pool
    schema = RULES[pool.rule].schema
    found: dict[str, tuple[OptunaRange, ...]] = {}
    for name, spec in schema.items():
        idle = name == "logit_delta_lamb" and not pool.use_alt_lamb
        if idle or spec.optuna is None or not (spec.trainable or name in search.parameters):
            continue
        ranges = [get_optuna_range(name, fingerprint, schema, token) for token in fingerprint.tokens]
        bounds = tuple(one for one in ranges if one is not None)
        found[name] = bounds[:1] if search.force_scalar or bounds[0].scalar else bounds
    return found


def clipped(bounds: OptunaRange, limit: float) -> OptunaRange:
    """A range of logit_lamb, cut off at the logit of the longest memory, above which nothing changes.

    One that lies above it as a whole stays as it is.
    """
    if bounds.high <= limit or math.isclose(bounds.high, limit) or bounds.low >= limit:
        return bounds
    return OptunaRange(bounds.low, limit, bounds.log_scale, bounds.scalar)


def effective_ranges(fingerprint: Fingerprint) -> dict[str, tuple[OptunaRange, ...]]:
    """`search_ranges` after the clip; what a study without known parameters searches, to rounding."""
    found, pool = search_ranges(fingerprint), fingerprint.pool
    if "logit_lamb" in found and fingerprint.search.clip_to_effective:
        limit = logit_of_memory_days(pool.max_memory_days, pool.chunk_period)
        found["logit_lamb"] = tuple(clipped(bounds, limit) for bounds in found["logit_lamb"])
    return found


@dataclass(frozen=True, slots=True)
class ShownRange:
    """One range in both units.

    Attributes:
        parameter: its internal name.
        tokens: whose; empty where one number serves all tokens.
        low, high: in internal units.
        natural: `k_per_day`, or `memory_days` and `lamb` (up to the cap) → low and high; empty of other parameters.
        log_scale: whether the logarithm is sampled evenly.
    """

    parameter: str
    tokens: tuple[str, ...]
    low: float
    high: float
    natural: Mapping[str, tuple[float, float]]
    log_scale: bool

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        natural = {name: list(ends) for name, ends in self.natural.items()}
        own = {"parameter": self.parameter, "tokens": list(self.tokens), "low": self.low, "high": self.high}
        return {**own, **natural, "log_scale": self.log_scale}

    def words(self, tokens: Sequence[str]) -> str:
        """`k per day 1 to 500 (log_k 0 to 8.966)`; token names where not all of `tokens` have it."""
        internal = f"{self.parameter} {self.low:.4g} to {self.high:.4g}"
        shown = {name: f"{low:.4g} to {high:.4g}" for name, (low, high) in self.natural.items()}
        words = internal
        if "k_per_day" in shown:
            words = f"k per day {shown['k_per_day']} ({internal})"
        elif "memory_days" in shown:
            words = f"memory {shown['memory_days']} days (λ {shown['lamb']}, {internal})"
        whose = "" if not self.tokens or len(self.tokens) == len(tokens) else f"{', '.join(self.tokens)}: "
        notes = [*(["one number for all tokens"] * (not self.tokens)), *(["log scale"] * self.log_scale)]
        return f"{whose}{', '.join([words, *notes])}"


def range_lines(ranges: Ranges, fingerprint: Fingerprint) -> list[str]:
    """A line for each range, in both units."""
    return [one.words(fingerprint.tokens) for one in shown_ranges(ranges, fingerprint)]


def shown_ranges(ranges: Ranges, fingerprint: Fingerprint) -> list[ShownRange]:
    """Ranges in both units; tokens with the same one share an entry."""
    return [one for name, bounds in ranges.items() for one in _shown(name, bounds, fingerprint)]


def _shown(name: str, bounds: Sequence[OptunaRange], fingerprint: Fingerprint) -> Iterator[ShownRange]:
    for one in dict.fromkeys(bounds):
        tokens = (
            ()
            if len(bounds) == 1
            else tuple(token for token, own in zip(fingerprint.tokens, bounds, strict=True) if own == one)
        )
        yield ShownRange(name, tokens, one.low, one.high, _natural(name, one, fingerprint.pool), one.log_scale)


def _natural(name: str, bounds: OptunaRange, pool: Pool) -> dict[str, tuple[float, float]]:
    if name == "log_k":
        return {"k_per_day": (exp2(bounds.low), exp2(bounds.high))}
    if name != "logit_lamb":
        return {}
    cap = logit_of_memory_days(pool.max_memory_days, pool.chunk_period)
    low, high = min(bounds.low, cap), min(bounds.high, cap)
    period, longest = pool.chunk_period, pool.max_memory_days
    memory = [min(memory_days_of_logit(logit, period), longest) for logit in (low, high)]
    return {"memory_days": (memory[0], memory[1]), "lamb": (logistic(low), logistic(high))}
