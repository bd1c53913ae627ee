"""Ranges of the search in natural units: k per day and memory in days in, ranges of log_k and logit_lamb out (SPEC §3).

They leave no trace in the fingerprint: one made from them equals one whose ranges are given in internal units.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from momentum_opt.fingerprint.fields import Interval, to_number
from momentum_opt.fingerprint.keys import look_up
from momentum_opt.fingerprint.mistakes import Mistake, Path, RefusedError
from momentum_opt.fingerprint.rule import Rule
from momentum_opt.fingerprint.sections import PerToken, Pool, RangeOverride, RunConfig, frozen_mapping
from momentum_opt.vocabulary.limits import (
    LARGEST_K_PER_DAY,
    LONGEST_MEMORY,
    SHORTEST_MEMORY,
    SMALLEST_K_PER_DAY,
)
from momentum_opt.vocabulary.memory import logit_of_memory_days
from momentum_opt.vocabulary.rules import NATURAL_NAMES
from momentum_opt.vocabulary.rules import RULES as POOL_RULES

PARAMETERS: Final[Path] = ("search", "parameters")

_LIMITS: Final[Mapping[str, Interval]] = {
    "k_per_day": Interval(at_least=SMALLEST_K_PER_DAY, at_most=LARGEST_K_PER_DAY),
    "memory_days": Interval(at_least=SHORTEST_MEMORY, at_most=LONGEST_MEMORY),
}
EXAMPLES: Final[Mapping[str, str]] = MappingProxyType({"k_per_day": "[1, 500]", "memory_days": "[2, 60]"})
"""Ranges that would do, for messages and the reference."""
_ENDS: Final = ("low", "high")


@dataclass(frozen=True, slots=True)
class NaturalRange:
    """One range in natural units.

    Attributes:
        name: `k_per_day` or `memory_days`.
        token: whose; None: of all tokens.
        low, high: in these units, low < high.
    """

    name: str
    token: str | None
    low: float
    high: float

    @property
    def at(self) -> Path:
        """Where it stands in a configuration."""
        return (*PARAMETERS, self.name, *([] if self.token is None else [self.token]))

    @property
    def target(self) -> str:
        """The internal parameter."""
        return NATURAL_NAMES[self.name]

    def internal(self, pool: Pool) -> tuple[float, float]:
        """Both ends in internal units: log2 of k per day, or the logit of the decay with that memory."""
        if self.name == "k_per_day":
            return math.log2(self.low), math.log2(self.high)
        return logit_of_memory_days(self.low, pool.chunk_period), logit_of_memory_days(self.high, pool.chunk_period)


def take_natural_ranges(tree: dict[str, Any]) -> tuple[list[NaturalRange], list[Mistake]]:
    """Take the ranges in natural units out of a configuration's tree, which is changed; and what is wrong with them."""
    parameters = look_up(tree, PARAMETERS)
    ranges: list[NaturalRange] = []
    mistakes: list[Mistake] = []
    for name in NATURAL_NAMES if isinstance(parameters, dict) else ():
        entry = parameters.pop(name, {})
        for token, value in entry.items() if isinstance(entry, Mapping) else [(None, entry)]:
            try:
                ranges.append(NaturalRange(name, token, *_ends(name, value)))
            except RefusedError as refused:
                at = (*PARAMETERS, name, *([] if token is None else [token]))
                mistakes += [Mistake(one.what, one.fix, one.value, (*at, *one.at)) for one in refused.mistakes]
    return ranges, mistakes


def _ends(name: str, value: Any) -> tuple[float, float]:
    """Low and high.

    Raises:
        RefusedError: it is no list of two numbers in their order.
    """
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise RefusedError(Mistake("not a range", f"write [low, high], such as {EXAMPLES[name]}", value))
    ends: list[float] = []
    mistakes: list[Mistake] = []
    for place, end in enumerate(value):
        try:
            ends.append(to_number(end, _LIMITS[name]))
        except RefusedError as refused:
            mistakes += [Mistake(one.what, one.fix, one.value, (str(place),)) for one in refused.mistakes]
    if mistakes:
        raise RefusedError(*mistakes)
    if not ends[0] < ends[1]:
        raise RefusedError(Mistake("low is not below high", "give two numbers, the smaller one first", list(value)))
    return ends[0], ends[1]


def rules_of(ranges: Sequence[NaturalRange]) -> list[Rule]:
    """What has to hold between these ranges and the rest of the configuration."""
    names = {one.name: one for one in reversed(ranges)}
    of_names = [
        Rule(reads, partial(check, one))
        for one in names.values()
        for reads, check in (
            ((("pool", "rule"),), _has_parameter),
            (((*PARAMETERS, one.target), ("search", "force_scalar")), _one_for_all),
        )
    ]
    of_ranges = [
        Rule(reads, partial(check, one))
        for one in ranges
        for reads, check in (
            ((("tokens",),), _names_token),
            (((*PARAMETERS, one.target),), _stands_alone),
            ((("pool", "max_memory_days"),), _below_cap),
            ((("pool", "chunk_period"),), _wide_enough),
        )
    ]
    return of_names + of_ranges


def _has_parameter(one: NaturalRange, config: RunConfig) -> Iterator[Mistake]:
    if one.target not in POOL_RULES[config.pool.rule].schema:
        yield Mistake(f"no parameter of the {config.pool.rule} rule", "leave it out", at=(*PARAMETERS, one.name))


def _one_for_all(one: NaturalRange, config: RunConfig) -> Iterator[Mistake]:
    override = config.search.parameters.get(one.target)
    if one.token is not None and (config.search.force_scalar or (override is not None and override.scalar)):
        cause = "search.force_scalar" if config.search.force_scalar else f"search.parameters.{one.target}.scalar"
        fix = f"write one range for all tokens, such as {EXAMPLES[one.name]}, or set {cause} to false"
        yield Mistake("a range per token, and one number serves all tokens", fix, at=(*PARAMETERS, one.name))


def _names_token(one: NaturalRange, config: RunConfig) -> Iterator[Mistake]:
    if one.token is not None and one.token not in config.tokens:
        fix = f"write {EXAMPLES[one.name]} for all tokens, or such a range for some of {', '.join(config.tokens)}"
        yield Mistake("not among the tokens", fix, at=one.at)


def _stands_alone(one: NaturalRange, config: RunConfig) -> Iterator[Mistake]:
    """The same range in internal units is not given as well; `scalar` alone says nothing about a range."""
    override = config.search.parameters.get(one.target)
    if override is None:
        return
    if override.around is not None or override.log_scale:
        other = "around" if override.around is not None else "log_scale"
        yield Mistake(f"stands beside {one.target}.{other}", "keep one of the two", at=one.at)
    elif any(_covers(value, one.token) for value in (override.low, override.high)):
        whose = "" if one.token is None else f" of {one.token}"
        yield Mistake(f"{one.target} gives the same range{whose}", "keep one of the two", at=one.at)


def _covers(value: PerToken | None, token: str | None) -> bool:
    """Whether an end of a range, given in internal units, is that of `token`, or of one of all tokens."""
    return token is None or token in value if isinstance(value, Mapping) else value is not None


def _below_cap(one: NaturalRange, config: RunConfig) -> Iterator[Mistake]:
    cap = config.pool.max_memory_days
    if one.name == "memory_days" and one.high > cap:
        fix = f"give at most {cap:.10g}, or a larger pool.max_memory_days"
        yield Mistake("above pool.max_memory_days", fix, one.high, (*one.at, "1"))


def _wide_enough(one: NaturalRange, config: RunConfig) -> Iterator[Mistake]:
    low, high = one.internal(config.pool)
    if not low < high:
        what = f"{one.target} is {low:.6g} at both ends, to all digits"
        yield Mistake(what, "give ends that lie further apart", [one.low, one.high], one.at)


def with_natural_ranges(config: RunConfig, ranges: Sequence[NaturalRange]) -> RunConfig:
    """The configuration with `ranges` in internal units, where their rules hold.

    Ends given token by token that are the same for all of them become one number, so that runs that mean the same have
    one digest.
    """
    parameters = dict(config.search.parameters)
    for one in ranges:
        override = parameters.get(one.target, RangeOverride())
        ends: dict[str, Any] = dict(zip(_ENDS, one.internal(config.pool), strict=True))
        if one.token is not None:
            ends = {end: {**(getattr(override, end) or {}), one.token: value} for end, value in ends.items()}
        parameters[one.target] = override.model_copy(update=ends)
    parameters = {
        name: override.model_copy(update={end: _joined(getattr(override, end), config.tokens) for end in _ENDS})
        for name, override in parameters.items()
    }
    search = config.search.model_copy(update={"parameters": frozen_mapping(parameters)})
    return config.model_copy(update={"search": search})


def _joined(value: PerToken | None, tokens: Sequence[str]) -> PerToken | None:
    if not isinstance(value, Mapping):
        return value
    values = set(value.values())
    if len(values) == 1 and len(value) == len(tokens):
        return values.pop()
    return frozen_mapping(value) if value else None


def drop_replaced_ranges(tree: Mapping[str, Any], given: Collection[Path]) -> None:
    """Take out of a resolved configuration's tree the ranges that overrides at `given` replace by natural ones."""
    parameters = look_up(tree, PARAMETERS)
    for name, target in NATURAL_NAMES.items() if isinstance(parameters, dict) else ():
        at = (*PARAMETERS, name)
        if any(path[: len(at)] == at for path in given) and isinstance(parameters.get(target), dict):
            for end in _ENDS:
                if not any(path[:4] == (*PARAMETERS, target, end) for path in given):
                    parameters[target].pop(end, None)
