"""What a fingerprint means: digest, engine and why, periods in days and dates. A fingerprint in, plain values out."""

from datetime import timedelta
from typing import Any

from momentum_opt.fingerprint.engine import choose_engine
from momentum_opt.fingerprint.periods import Days
from momentum_opt.fingerprint.ranges import effective_ranges, shown_ranges
from momentum_opt.fingerprint.run_fingerprint import Fingerprint
from momentum_opt.fingerprint.sections import Initial, Pool
from momentum_opt.vocabulary.rules import RULES


def explain(fingerprint: Fingerprint, bar_minutes: int = 1) -> dict[str, Any]:
    """What `config show` prints besides the values.

    Returns:
        `digest`; `engine` {name, reason}; `periods` {train, validation, test: {days, start, end (exclusive)} or
        None}; `ranges`, what is searched in both units, after the clip; `notes`, one sentence each.
    """
    choice = choose_engine(fingerprint, bar_minutes)
    periods = fingerprint.periods
    named = {"train": periods.train, "validation": periods.validation, "test": periods.test}
    return {
        "digest": fingerprint.digest,
        "engine": {"name": choice.name, "reason": choice.reason},
        "periods": {name: _period(fingerprint, days) for name, days in named.items()},
        "ranges": [one.document() for one in shown_ranges(effective_ranges(fingerprint), fingerprint)],
        "notes": _notes(fingerprint),
    }


def _period(fingerprint: Fingerprint, days: Days | None) -> dict[str, Any] | None:
    if days is None or days[0] == days[1]:
        return None
    first, last = (str(fingerprint.window.start + timedelta(days=day)) for day in days)
    return {"days": days[1] - days[0], "start": first, "end": last}


def _notes(fingerprint: Fingerprint) -> list[str]:
    """Settings that are allowed and yet do nothing or only a part, and ranges that known parameters will settle."""
    costs, objective = fingerprint.costs, fingerprint.objective
    pool, initial = fingerprint.pool, fingerprint.search.initial
    idle: list[str] = []
    if not costs.has_costs and (costs.noise_trader_ratio or costs.protocol_fee_split):
        idle.append("noise_trader_ratio and protocol_fee_split act only where fees are charged")
    if objective.multi_objective and objective.overfitting_penalty:
        idle.append("overfitting_penalty does not act with multi_objective")
    if objective.metrics:
        idle.append(f"objective.metrics: evidence, walk-forward and early stopping read the first, {objective.metric}")
    if (
        "logit_lamb" not in RULES[pool.rule].schema
        and pool.max_memory_days != Pool.model_fields["max_memory_days"].default
    ):
        idle.append(
            f"pool.max_memory_days: the {pool.rule} rule has no memory, so it only says how much history is read"
        )
    if "log_k" not in RULES[pool.rule].schema and _trend_start(initial) != _trend_start(Initial()):
        idle.append(f"search.initial: of the initial values the {pool.rule} rule reads initial_weights_logits alone")
    for name, override in fingerprint.search.parameters.items():
        if override.around is not None:
            width = override.around.half_width
            idle.append(f"search.parameters.{name}.around: searched within {width:g} of the parameters of --from")
    return idle


def _trend_start(initial: Initial) -> tuple[Any, ...]:
    return initial.initial_k_per_day, initial.initial_memory_length, initial.initial_memory_length_delta
