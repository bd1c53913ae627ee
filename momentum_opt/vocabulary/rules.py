"""The rules that a pool may follow (`pool.rule`): the name of each, one line for help texts, its parameters (SPEC §4).

What a rule computes is attached to these names in `momentum_opt.pool.registry`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from momentum_opt.vocabulary.schema import COMMON_PARAM_SCHEMA, MOMENTUM_PARAM_SCHEMA, OptunaRange, ParamSpec

DEFAULT_RULE: Final = "momentum"

K_NAMES: Final = ("log_k", "k", "absolute_k")
"""Names of which one gives a rule its k (SPEC §5); a schema lists the first, which is the one that is searched."""

NATURAL_NAMES: Final[Mapping[str, str]] = MappingProxyType({"k_per_day": "log_k", "memory_days": "logit_lamb"})
"""Names in the units of people → the internal parameters that they stand for."""

_TREND_NAMES: Final = frozenset({"log_k", "logit_lamb", "logit_delta_lamb"})
"""Parameters that are read as k per day, memory in days and decay."""


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """What a user reads about a rule.

    Args:
        name: as written in configurations.
        description: one line.
        schema: its parameters. A rule with `logit_lamb` has a memory, one with `log_k` a strength k.
    """

    name: str
    description: str
    schema: Mapping[str, ParamSpec]

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Every internal name under which the pool takes a parameter."""
        own = [name for name in self.schema if name not in COMMON_PARAM_SCHEMA]
        each = [K_NAMES if name == "log_k" else (name,) for name in own]
        return (*(name for names in each for name in names), *COMMON_PARAM_SCHEMA, "initial_weights")

    @property
    def readable_names(self) -> tuple[str, ...]:
        """Names that a params file may use instead: k per day, memory in days."""
        return tuple(form for form, name in NATURAL_NAMES.items() if name in self.schema)

    @property
    def plain_names(self) -> tuple[str, ...]:
        """Parameters without another form, which people read as they are."""
        return tuple(name for name in self.schema if name not in _TREND_NAMES and name not in COMMON_PARAM_SCHEMA)

    @property
    def leading_forms(self) -> tuple[str, ...]:
        """What a narrow table shows of the parameters."""
        return tuple(leading_forms((*self.readable_names, *self.plain_names, "initial_weights")))


ANTI_MOMENTUM_PARAM_SCHEMA: Final[Mapping[str, ParamSpec]] = MappingProxyType(
    {
        **MOMENTUM_PARAM_SCHEMA,
        "log_k": replace(
            MOMENTUM_PARAM_SCHEMA["log_k"],
            description="log2 of |k| per day, the strength of the reaction against a trend",
        ),
    }
)

CONSTANT_WEIGHT_PARAM_SCHEMA: Final[Mapping[str, ParamSpec]] = MappingProxyType(
    {
        # Softmax sees differences alone. Wider ranges would mostly draw weights below the default floor of 0.1/n.
        "initial_weights_logits": replace(
            COMMON_PARAM_SCHEMA["initial_weights_logits"],
            optuna=OptunaRange(low=-2.0, high=2.0),
            trainable=True,
            description="logits of the weights that the pool keeps (softmax over the tokens)",
        ),
    }
)


def _table(*rows: tuple[str, str, Mapping[str, ParamSpec]]) -> Mapping[str, RuleInfo]:
    """Rules by name, each with the parameters that all pools have and its own do not name."""

    def whole(schema: Mapping[str, ParamSpec]) -> Mapping[str, ParamSpec]:
        common = {name: spec for name, spec in COMMON_PARAM_SCHEMA.items() if name not in schema}
        return MappingProxyType({**schema, **common})

    return MappingProxyType({name: RuleInfo(name, words, whole(schema)) for name, words, schema in rows})


RULES: Final[Mapping[str, RuleInfo]] = _table(
    ("momentum", "weight moves towards tokens whose price trends upward", MOMENTUM_PARAM_SCHEMA),
    ("anti_momentum", "weight moves away from tokens whose price trends upward", ANTI_MOMENTUM_PARAM_SCHEMA),
    ("constant_weight", "weights stay as they are; only the weights are searched", CONSTANT_WEIGHT_PARAM_SCHEMA),
)

FORM_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "k_per_day": "k per day",
        "memory_days": "memory (days)",
        "lamb": "decay λ",
        "initial_weights": "initial weight",
    }
)
"""Headings of the readable forms of parameters; a rule's other parameters stand under their own names."""


def leading_forms(forms: Collection[str]) -> list[str]:
    """Of a document's readable forms those that a narrow table shows: no start, and no decay beside the memory."""
    return [name for name in forms if name not in ("lamb", "initial_weights")] or list(forms)
