"""Rules between values of a configuration (SPEC §3); those of the parameters are in `parameter_rules`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from momentum_opt.fingerprint.mistakes import Mistake, Path, choose_among
from momentum_opt.fingerprint.parameter_rules import PARAMETER_RULES
from momentum_opt.fingerprint.periods import validation_days
from momentum_opt.fingerprint.rule import Rule, rules_into
from momentum_opt.fingerprint.sections import RunConfig
from momentum_opt.units import MINUTES_PER_DAY
from momentum_opt.vocabulary.metrics import (
    METRIC_CHOICES,
    METRICS,
    NEVER_ABOVE_ZERO,
    NEVER_BELOW_ZERO,
    Cadence,
    fewest_days,
)

_FEWEST_PARENTS: Final = 2

LIMITS: Final[Path] = ("objective", "limits")

_rules: list[Rule] = []
_rule = rules_into(_rules)


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
    if aim.metrics is None:
        return
    if len(aim.metrics) == 1:
        yield Mistake("one metric is one objective", f"give objective.metric: {aim.metrics[0]} instead", at=at)
    elif aim.multi_objective:
        what = "together with multi_objective, which has three objectives of one metric"
        yield Mistake(what, "leave one of them out", at=at)
    if aim.metric != aim.metrics[0]:
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


RULES: Final[tuple[Rule, ...]] = (*_rules, *PARAMETER_RULES)


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
