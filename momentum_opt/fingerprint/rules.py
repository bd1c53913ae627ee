"""Rules between values of a configuration (SPEC §3): sections in, mistakes out.

Every rule says which values it reads, so that it is left out where one of them is already a mistake of its own.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from momentum_opt.fingerprint.mistakes import Mistake, Path, choose_among, listed
from momentum_opt.fingerprint.periods import validation_days
from momentum_opt.fingerprint.sections import PerToken, RangeOverride, RunConfig
from momentum_opt.units import MINUTES_PER_DAY
from momentum_opt.vocabulary.limits import SHORTEST_MEMORY, outside
from momentum_opt.vocabulary.metrics import (
    METRIC_CHOICES,
    METRICS,
    NEVER_ABOVE_ZERO,
    NEVER_BELOW_ZERO,
    Cadence,
    fewest_days,
)
from momentum_opt.vocabulary.rules import RULES as POOL_RULES
from momentum_opt.vocabulary.schema import OptunaRange

_FEWEST_PARENTS: Final = 2
_RELATIVE_SLACK: Final = 1e-12  # equal logits may give a softmax of 1/n less one rounding

LIMITS: Final[Path] = ("objective", "limits")

Check = Callable[[RunConfig], Iterator[Mistake]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A check and the values it reads, apart from those that it reports on one by one."""

    reads: tuple[Path, ...]
    check: Check


_rules: list[Rule] = []


def _rule(*reads: str) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        _rules.append(Rule(tuple(tuple(path.split(".")) for path in reads), check))
        return check

    return register


@_rule("window.start", "window.end")
def _end_after_start(config: RunConfig) -> Iterator[Mistake]:
    start, end = config.window.start, config.window.end
    if not start < end:
        yield Mistake("not after window.start", f"give a date after {start}", str(end), ("window", "end"))


@_rule("window.end", "window.test_end", "objective.metric", "objective.metrics")
def _test_after_end(config: RunConfig) -> Iterator[Mistake]:
    end, test_end, fewest = config.window.end, config.window.test_end, fewest_days(_longest(config))
    if test_end is not None and (test_end - end).days < fewest:
        what = f"leaves {max((test_end - end).days, 0)} days to the test, and {_needs(config)}"
        fix = f"give a date {fewest} days after {end} or later, or leave it out"
        yield Mistake(what, fix, str(test_end), ("window", "test_end"))


@_rule(
    "window.start", "window.end", "window.validation_fraction", "objective.windows", "objective.metric",
    "objective.metrics",
)  # fmt: skip
def _enough_days(config: RunConfig) -> Iterator[Mistake]:
    window, windows, fewest = config.window, config.objective.windows, fewest_days(_longest(config))
    days = (window.end - window.start).days
    if days <= 0:
        return
    validation = validation_days(days, window.validation_fraction)
    if validation < fewest and window.validation_fraction > 0:
        what = f"leaves {validation} of {days} days to validation, and {_needs(config)}"
        fix = "give a larger fraction or a longer window, or 0 for no validation"
        yield Mistake(what, fix, window.validation_fraction, ("window", "validation_fraction"))
    if days - validation < fewest * windows:
        what, fix = _too_short(days - validation, config), "take fewer windows, a longer train period or another metric"
        value, name = (windows, "objective.windows") if windows > 1 else (str(window.end), "window.end")
        yield Mistake(what, fix, value, tuple(name.split(".")))


def _needs(config: RunConfig) -> str:
    metric = _longest(config)
    return f"{metric} needs {fewest_days(metric)}"


def _longest(config: RunConfig) -> str:
    """The metric of the objective that needs most days."""
    return max(config.objective.names, key=fewest_days)


def _too_short(train: int, config: RunConfig) -> str:
    windows = config.objective.windows
    cut = f" in {windows} windows leave {train // windows} to the shortest" if windows > 1 else ""
    return f"{train} train days{cut}, and {_needs(config)}"


@_rule("objective.overfitting_penalty", "window.validation_fraction")
def _penalty_needs_validation(config: RunConfig) -> Iterator[Mistake]:
    penalty = config.objective.overfitting_penalty
    if penalty > 0 and config.window.validation_fraction == 0:
        fix = "set it to 0, or window.validation_fraction above 0"
        yield Mistake("compares with validation, and there is none", fix, penalty, ("objective", "overfitting_penalty"))


@_rule("pool.chunk_period")
def _chunk_fits_days(config: RunConfig) -> Iterator[Mistake]:
    chunk = config.pool.chunk_period
    if MINUTES_PER_DAY % chunk and chunk % MINUTES_PER_DAY:
        below = max(divisor for divisor in range(1, min(chunk, MINUTES_PER_DAY) + 1) if MINUTES_PER_DAY % divisor == 0)
        what = f"neither divides a day of {MINUTES_PER_DAY} minutes nor is whole days"
        yield Mistake(what, f"give for example {below}", chunk, ("pool", "chunk_period"))


@_rule("pool.weight_interpolation_period", "pool.chunk_period")
def _interpolation_fits_chunk(config: RunConfig) -> Iterator[Mistake]:
    pool = config.pool
    if pool.weight_interpolation_period > pool.chunk_period:
        fix = f"give at most {pool.chunk_period}, or leave it out"
        at = ("pool", "weight_interpolation_period")
        yield Mistake("longer than pool.chunk_period", fix, pool.weight_interpolation_period, at)


@_rule("pool.minimum_weight", "tokens")
def _floor_fits_tokens(config: RunConfig) -> Iterator[Mistake]:
    n, floor = len(config.tokens), config.pool.minimum_weight
    if floor > 1 / n:
        fix = f"give at most 1/{n}; {0.1 / n:.6g} is the default"
        yield Mistake(f"{n} tokens cannot each hold as much", fix, floor, ("pool", "minimum_weight"))


@_rule("objective.multi_objective", "objective.windows")
def _several_need_windows(config: RunConfig) -> Iterator[Mistake]:
    if config.objective.multi_objective and config.objective.windows < 2:
        what = "multi_objective compares windows of train, and there is one"
        yield Mistake(what, "set objective.windows to 2 or more", config.objective.windows, ("objective", "windows"))


@_rule("objective.metric", "objective.metrics", "objective.multi_objective")
def _metrics_are_the_objectives(config: RunConfig) -> Iterator[Mistake]:
    aim, at = config.objective, ("objective", "metrics")
    if len(aim.metrics) == 1:
        yield Mistake("one metric is one objective", f"give objective.metric: {aim.metrics[0]} instead", at=at)
    elif aim.metrics and aim.multi_objective:
        what = "together with multi_objective, which has three objectives of one metric"
        yield Mistake(what, "leave one of them out", at=at)
    if aim.metrics and aim.metric != aim.metrics[0]:
        what = "together with objective.metrics, of which it is not the first"
        yield Mistake(what, "leave one of them out", aim.metric, ("objective", "metric"))


@_rule("search.sampler", "objective.multi_objective", "objective.metrics")
def _sampler_can_rank(config: RunConfig) -> Iterator[Mistake]:
    if config.objective.several and config.search.sampler == "cmaes":
        fix = "take nsga2, or leave search.sampler out"
        yield Mistake("cannot search for several objectives", fix, "cmaes", ("search", "sampler"))


@_rule("search.sampler", "objective", "costs.arb_frequency")
def _memetic_can_climb(config: RunConfig) -> Iterator[Mistake]:
    if config.search.sampler != "memetic":
        return
    aim = config.objective
    fix, at = "take nsga2, or leave search.sampler out", ("search", "sampler")
    if aim.several:
        yield Mistake("cannot search for several objectives", fix, "memetic", at)
    elif METRICS[aim.metric].cadence == Cadence.MINUTE:
        yield Mistake(f"cannot climb {aim.metric}, which needs every minute's value", fix, "memetic", at)
    elif aim.turnover_penalty > 0 and config.costs.arb_frequency > 1:
        yield Mistake("cannot climb with a turnover_penalty where arb_frequency is not 1", fix, "memetic", at)
    minutes = [name for name in aim.limits if name in METRICS and METRICS[name].cadence == Cadence.MINUTE]
    if minutes:
        yield Mistake(f"cannot keep a limit of {minutes[0]}, which needs every minute's value", fix, "memetic", at)


@_rule("objective.metric", "objective.metrics", "costs.fees")
def _fees_to_earn(config: RunConfig) -> Iterator[Mistake]:
    if "fee_yield" in config.objective.names and config.costs.fees == 0:
        fix = "give costs.fees above 0, or another metric"
        at = ("objective", "metrics" if config.objective.metrics else "metric")
        yield Mistake("is 0 for every pool where nothing is paid for a swap", fix, "fee_yield", at)


@_rule("objective.limits")
def _limits_of_metrics(config: RunConfig) -> Iterator[Mistake]:
    for name, limit in config.objective.limits.items():
        at = (*LIMITS, name)
        if name not in METRICS:
            yield Mistake("unknown metric", choose_among(name, METRIC_CHOICES), at=at)
        elif limit.min is None and limit.max is None:
            yield Mistake("no limit", "give min, max or both", at=at)
        elif limit.min is not None and limit.max is not None and limit.min > limit.max:
            shown = f"{{min: {limit.min:g}, max: {limit.max:g}}}"
            yield Mistake("min above max", "swap them, or leave one out", shown, at)
        elif name in NEVER_ABOVE_ZERO and limit.min is not None and limit.min > 0:
            fix = f"losses are negative here: give {-limit.min:g}"
            yield Mistake(f"{name} is never above 0", fix, limit.min, (*at, "min"))
        elif name in NEVER_BELOW_ZERO and limit.max is not None and limit.max < 0:
            yield Mistake(f"{name} is never below 0", "give a number above 0", limit.max, (*at, "max"))


@_rule("objective.limits", "costs.fees")
def _limited_fees_to_earn(config: RunConfig) -> Iterator[Mistake]:
    if "fee_yield" in config.objective.limits and config.costs.fees == 0:
        fix = "give costs.fees above 0, or leave the limit out"
        yield Mistake("is 0 for every pool where nothing is paid for a swap", fix, at=(*LIMITS, "fee_yield"))


@_rule("objective.limits", "window.start", "window.end", "window.validation_fraction")
def _enough_days_for_limits(config: RunConfig) -> Iterator[Mistake]:
    window = config.window
    days = (window.end - window.start).days
    train = days - validation_days(days, window.validation_fraction) if days > 0 else 0
    yield from _short_of_days(config, train, "train has")


@_rule("objective.limits", "walk_forward", "window.validation_fraction")
def _enough_fold_days_for_limits(config: RunConfig) -> Iterator[Mistake]:
    folds = config.walk_forward
    if folds is not None:
        train = folds.train_days - validation_days(folds.train_days, config.window.validation_fraction)
        yield from _short_of_days(config, train, "train of a fold has")


def _short_of_days(config: RunConfig, train: int, has: str) -> Iterator[Mistake]:
    for name in config.objective.limits:
        if 0 < train < fewest_days(name):
            what = f"{name} needs {fewest_days(name)} days, and {has} {train}"
            yield Mistake(what, "take a longer train period, or leave the limit out", at=(*LIMITS, name))


@_rule("search.sampler", "search.batch_size")
def _a_population_of_two(config: RunConfig) -> Iterator[Mistake]:
    search = config.search
    if search.sampler == "nsga2" and search.batch_size < _FEWEST_PARENTS:
        fix = f"give {_FEWEST_PARENTS} or more, or another search.sampler"
        yield Mistake("nsga2 breeds from two trials of a batch", fix, search.batch_size, ("search", "batch_size"))


def _searchable(config: RunConfig) -> dict[str, OptunaRange]:
    """Parameters of the pool's rule that a search may touch."""
    schema = POOL_RULES[config.pool.rule].schema
    return {name: spec.optuna for name, spec in schema.items() if spec.optuna is not None}


@_rule("pool.rule")
def _known_parameters(config: RunConfig) -> Iterator[Mistake]:
    rule, own = config.pool.rule, _searchable(config)
    others = {name for info in POOL_RULES.values() for name in info.schema}
    for name in config.search.parameters:
        if name not in own:
            what = f"no parameter of the {rule} rule" if name in others else "unknown parameter"
            words = (*own, *POOL_RULES[rule].readable_names)
            yield Mistake(what, choose_among(name, words), at=("search", "parameters", name))


@_rule("pool.rule", "search.force_scalar")
def _something_to_search(config: RunConfig) -> Iterator[Mistake]:
    rule, search = config.pool.rule, config.search
    schema, weights = POOL_RULES[rule].schema, "initial_weights_logits"
    asked = [name for name in _searchable(config) if schema[name].trainable or name in search.parameters]
    override = search.parameters.get(weights)
    shared = search.force_scalar or (override is not None and override.scalar is True)
    if asked == [weights] and shared:
        at = ("search", "force_scalar") if search.force_scalar else ("search", "parameters", weights, "scalar")
        what = f"leaves the {rule} rule nothing to search: one logit for all tokens always means equal weights"
        yield Mistake(what, "set it to false, or leave it out", at=at)
    elif not asked:
        fix = f"name at least one of {', '.join(_searchable(config))} in search.parameters"
        yield Mistake("has nothing that is searched unless asked for", fix, rule, ("pool", "rule"))


@_rule("pool.rule")
def _alt_lamb_needs_memory(config: RunConfig) -> Iterator[Mistake]:
    if config.pool.use_alt_lamb and "logit_delta_lamb" not in _searchable(config):
        what = f"the {config.pool.rule} rule has no second memory"
        yield Mistake(what, "set it to false, or leave it out", True, ("pool", "use_alt_lamb"))


@_rule("pool.use_alt_lamb", "pool.rule")
def _delta_needs_alt_lamb(config: RunConfig) -> Iterator[Mistake]:
    name = "logit_delta_lamb"
    if name in config.search.parameters and name in _searchable(config) and not config.pool.use_alt_lamb:
        at = ("search", "parameters", name)
        yield Mistake("acts only with use_alt_lamb", "set pool.use_alt_lamb: true, or leave it out", at=at)


@_rule("pool.rule")
def _ranges(config: RunConfig) -> Iterator[Mistake]:
    searchable = _searchable(config)
    for name, override in config.search.parameters.items():
        base, at = searchable.get(name), ("search", "parameters", name)
        if override.around is not None:
            for other in ("low", "high", "log_scale"):
                if getattr(override, other) is not None:
                    yield Mistake("stands beside around, which sets the range", "keep one of the two", at=(*at, other))
        elif base is not None and not _by_token(override):
            yield from _unmergeable(base, override, None, at)


@_rule("pool.rule", "tokens")
def _ranges_by_token(config: RunConfig) -> Iterator[Mistake]:
    searchable = _searchable(config)
    for name, override in config.search.parameters.items():
        base = searchable.get(name)
        if base is not None and override.around is None and _by_token(override):
            for token in config.tokens:
                yield from _unmergeable(base, override, token, ("search", "parameters", name))


def _by_token(override: RangeOverride) -> bool:
    return any(isinstance(end, Mapping) for end in (override.low, override.high))


def _unmergeable(base: OptunaRange, override: RangeOverride, token: str | None, at: Path) -> Iterator[Mistake]:
    try:
        OptunaRange(
            low=_of_token(override.low, token, base.low),
            high=_of_token(override.high, token, base.high),
            log_scale=base.log_scale if override.log_scale is None else override.log_scale,
        )
    except ValueError as error:
        whose = "" if token is None else f" of {token}"
        what = f"not a range{whose} after merging with the schema: {error}"
        yield Mistake(what, "mend low, high or log_scale", at=at)


@_rule()
def _range_limits(config: RunConfig) -> Iterator[Mistake]:
    for name, override in config.search.parameters.items():
        for end in ("low", "high"):
            given = getattr(override, end)
            for token, value in given.items() if isinstance(given, Mapping) else [(None, given)]:
                wanted = None if value is None else outside(name, [value])
                if wanted:
                    at = ("search", "parameters", name, end, *([] if token is None else [token]))
                    yield Mistake("out of range", f"give a number {wanted}", value, at)


@_rule("tokens", "search.force_scalar")
def _ranges_of_tokens(config: RunConfig) -> Iterator[Mistake]:
    for name, override in config.search.parameters.items():
        for end in ("low", "high"):
            given, at = getattr(override, end), ("search", "parameters", name, end)
            if not isinstance(given, Mapping):
                continue
            foreign = sorted(set(given) - set(config.tokens))
            if foreign:
                fix = f"give numbers for some of {', '.join(config.tokens)}, or one number for all"
                yield Mistake(f"names {listed(foreign)}", fix, at=at)
            elif given and (config.search.force_scalar or override.scalar):
                cause = "search.force_scalar" if config.search.force_scalar else f"search.parameters.{name}.scalar"
                fix = f"give one number, or set {cause} to false"
                yield Mistake("a number per token, and one number serves all tokens", fix, at=at)


@_rule("tokens")
def _initial_names_tokens(config: RunConfig) -> Iterator[Mistake]:
    for name in type(config.search.initial).model_fields:
        value = getattr(config.search.initial, name)
        if isinstance(value, Mapping) and set(value) != set(config.tokens):
            missing = [token for token in config.tokens if token not in value]
            foreign = sorted(set(value) - set(config.tokens))
            faults = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"names {listed(foreign)}"] * bool(foreign)
            fix = f"give a number for each of {', '.join(config.tokens)}, or one number for all"
            yield Mistake(" and ".join(faults), fix, at=("search", "initial", name))


@_rule("search.initial", "tokens")
def _initial_memories(config: RunConfig) -> Iterator[Mistake]:
    memory, delta = config.search.initial.initial_memory_length, config.search.initial.initial_memory_length_delta
    for token in config.tokens:
        total = _of_token(memory, token, math.inf) + _of_token(delta, token, 0.0)
        if total < SHORTEST_MEMORY:
            what = f"initial_memory_length plus this is not above 0 for {token}"
            yield Mistake(what, "give a larger number", total, ("search", "initial", "initial_memory_length_delta"))
            return


@_rule("search.initial.initial_weights_logits", "pool.minimum_weight", "tokens")
def _initial_weights_above_floor(config: RunConfig) -> Iterator[Mistake]:
    logits, floor = config.search.initial.initial_weights_logits, config.pool.minimum_weight
    if isinstance(logits, Mapping) and set(logits) != set(config.tokens):
        return
    values = {token: _of_token(logits, token, 0.0) for token in config.tokens}
    highest = max(values.values())
    powers = {token: math.exp(value - highest) for token, value in values.items()}
    weights = {token: power / sum(powers.values()) for token, power in powers.items()}
    lowest = min(weights, key=lambda token: weights[token])
    # A floor above 1/n is its own mistake; equal weights cannot mend it.
    if weights[lowest] < floor * (1 - _RELATIVE_SLACK) and floor <= 1 / len(weights):
        what = f"softmax gives {lowest} a weight of {weights[lowest]:.6g}, below pool.minimum_weight {floor:.6g}"
        yield Mistake(what, "bring the logits closer together", at=("search", "initial", "initial_weights_logits"))


def _of_token(value: PerToken | None, token: str | None, otherwise: float) -> float:
    """The number of `token`; `otherwise` where it has none."""
    if isinstance(value, Mapping):
        return value.get(token or "", otherwise)
    return otherwise if value is None else value


@_rule("walk_forward", "window.start", "window.end", "window.test_end")
def _folds_fit(config: RunConfig) -> Iterator[Mistake]:
    folds, window = config.walk_forward, config.window
    days = ((window.test_end or window.end) - window.start).days
    if folds is not None and 0 < days < folds.train_days + folds.test_days:
        what = f"a fold of {folds.train_days} + {folds.test_days} days does not fit in the window's {days}"
        yield Mistake(what, "shorten the fold or lengthen the window", at=("walk_forward", "train_days"))


@_rule("walk_forward", "window.validation_fraction", "objective.windows", "objective.metric", "objective.metrics")
def _folds_are_measured(config: RunConfig) -> Iterator[Mistake]:
    folds, window, fewest = config.walk_forward, config.window, fewest_days(_longest(config))
    if folds is None:
        return
    if folds.test_days < fewest:
        fix = f"give {fewest} or more, or another metric"
        yield Mistake(f"{_needs(config)} days", fix, folds.test_days, ("walk_forward", "test_days"))
    validation = validation_days(folds.train_days, window.validation_fraction)
    at, fix = ("walk_forward", "train_days"), "give more days, or another metric"
    if validation < fewest and window.validation_fraction > 0:
        what = f"window.validation_fraction leaves {validation} days of a fold to validation, and {_needs(config)}"
        yield Mistake(what, fix, folds.train_days, at)
    if folds.train_days - validation < fewest * config.objective.windows:
        what = f"a fold's {_too_short(folds.train_days - validation, config)}"
        yield Mistake(what, fix, folds.train_days, at)


@_rule("evidence.blocks")
def _even_blocks(config: RunConfig) -> Iterator[Mistake]:
    if config.evidence.blocks % 2:
        yield Mistake(
            "not even, so it has no halves", "give an even number", config.evidence.blocks, ("evidence", "blocks")
        )


RULES: Final[tuple[Rule, ...]] = tuple(_rules)


def broken_rules(config: RunConfig, bad: set[Path], more: Sequence[Rule] = ()) -> list[Mistake]:
    """What the rules and `more` find, leaving out what comes from a value in `bad` or a section that holds one."""

    def is_bad(path: Path) -> bool:
        return any(_touches(path, other) for other in bad)

    found = [
        replace(mistake, reads=rule.reads)
        for rule in (*RULES, *more)
        if not any(map(is_bad, rule.reads))
        for mistake in rule.check(config)
    ]
    return [mistake for mistake in found if not is_bad(mistake.at)]


def _touches(one: Path, other: Path) -> bool:
    return all(a == b for a, b in zip(one, other, strict=False))
