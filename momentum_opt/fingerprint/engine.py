"""Which engine simulates a fingerprint, and whether its periods fit the bars of the prices (SPEC §2, §3, §8)."""

from dataclasses import dataclass
from typing import Literal

from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint.defaults import CLOSED_FORM_LIMIT
from momentum_opt.fingerprint.run_fingerprint import Fingerprint
from momentum_opt.units import MINUTES_PER_DAY
from momentum_opt.vocabulary.metrics import fewest_bars_per_day

EngineName = Literal["closed_form", "in_chunk", "with_costs"]


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """The engine, and in one sentence why."""

    name: EngineName
    reason: str


def choose_engine(fingerprint: Fingerprint, bar_minutes: int = 1) -> EngineChoice:
    """The engine of SPEC §8 that runs `fingerprint` on bars of `bar_minutes`."""
    costs = fingerprint.costs
    if costs.has_costs:
        charged = any(value != 0 for value in (costs.fees, costs.gas_cost, costs.arb_fees))
        cause = "trades cost something" if charged else "others trade with the pool or change its supply"
        return EngineChoice("with_costs", f"{cause}, so the arbitrages are simulated one after another")
    pool, every = fingerprint.pool, costs.arb_minutes(bar_minutes)
    if pool.weight_interpolation_method != "linear":
        return EngineChoice("in_chunk", f"{pool.weight_interpolation_method} interpolation has no closed form")
    periods = {
        "the block": min(pool.chunk_period, MINUTES_PER_DAY),
        "weight_interpolation_period": pool.weight_interpolation_period,
    }
    for name, minutes in periods.items():
        if minutes % every:
            return EngineChoice("in_chunk", f"arb_frequency {every} does not divide {name} of {minutes} minutes")
    step, limit = pool.maximum_change * every, CLOSED_FORM_LIMIT * pool.minimum_weight
    figures = f"maximum_change between two arbitrages {step:.4g}, {CLOSED_FORM_LIMIT} * minimum_weight {limit:.4g}"
    if step <= limit:
        return EngineChoice("closed_form", f"linear interpolation in small steps ({figures})")
    return EngineChoice("in_chunk", f"steps too large for the closed form ({figures})")


def check_bar(fingerprint: Fingerprint, bar_minutes: int) -> None:
    """Refuse periods that are no multiples of the prices' bar, and a metric that such bars leave undefined.

    An arb_frequency of 1 is one bar, whatever its length.

    Raises:
        ConfigError: one line per period, and one for the metric.
    """
    periods = {
        "pool.chunk_period": fingerprint.pool.chunk_period,
        "pool.weight_interpolation_period": fingerprint.pool.weight_interpolation_period,
        "costs.arb_frequency": fingerprint.costs.arb_minutes(bar_minutes),
    }
    problems = [
        f"{key}: not a multiple of the prices' bar of {bar_minutes} minutes ({minutes}); give for example "
        f"{max(bar_minutes, minutes // bar_minutes * bar_minutes)}"
        for key, minutes in periods.items()
        if minutes % bar_minutes
    ]
    aim, bars = fingerprint.objective, MINUTES_PER_DAY // bar_minutes
    problems += [
        f"objective.limits.{name}: {name} reads the returns inside a day, and bars of {bar_minutes} minutes leave "
        f"{bars - 1}; leave it out, or take prices with shorter bars"
        for name in aim.limits
        if bars < fewest_bars_per_day(name)
    ]
    problems += [
        f"objective.metric{'s' if aim.metrics else ''}: {metric} reads the returns inside a day, and bars of "
        f"{bar_minutes} minutes leave {bars - 1}; take another metric, or prices with shorter bars"
        for metric in aim.names
        if bars < fewest_bars_per_day(metric)
    ]
    if problems:
        raise ConfigError(problems)
