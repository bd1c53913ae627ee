"""Rules between the parameters that a configuration searches, their ranges and their initial values (SPEC §§3, 4)."""

import math
from collections.abc import Iterator, Mapping
from typing import Final

from momentum_opt.fingerprint.mistakes import Mistake, Path, choose_among, listed
from momentum_opt.fingerprint.rule import Rule, rules_into
from momentum_opt.fingerprint.sections import PerToken, RangeOverride, RunConfig
from momentum_opt.vocabulary.limits import SHORTEST_MEMORY, outside
from momentum_opt.vocabulary.rules import RULES as POOL_RULES
from momentum_opt.vocabulary.schema import OptunaRange

_RELATIVE_SLACK: Final = 1e-12  # equal logits may give a softmax of 1/n less one rounding

_rules: list[Rule] = []
_rule = rules_into(_rules)


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


PARAMETER_RULES: Final[tuple[Rule, ...]] = tuple(_rules)
