"""Parameters and their ranges (SPEC §4): the one place where a pool's names, defaults and search ranges live.

Values are in the internal space that the pool computes with (log2 of k per day, logit of the decay). The search,
the help texts and the documentation are derived from these objects; nothing else holds a range.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from momentum_opt.errors import UnknownParameterError


@dataclass(frozen=True, slots=True)
class OptunaRange:
    """Where a search may look for one parameter.

    Args:
        low: smallest value, internal space.
        high: largest value; must be above `low`.
        log_scale: sample the logarithm uniformly; needs `low > 0`.
        scalar: one value shared by all tokens instead of one per token.

    Raises:
        ValueError: a bound is not finite, `low >= high`, or `log_scale` with `low <= 0`.
    """

    low: float
    high: float
    log_scale: bool = False
    scalar: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ValueError(f"`low` and `high` must be finite, but got low={self.low}, high={self.high}")
        if not self.low < self.high:
            raise ValueError(f"`low < high` must hold, but got low={self.low}, high={self.high}")
        if self.log_scale and self.low <= 0:
            raise ValueError(f"`low > 0` must hold with `log_scale`, but got low={self.low}")


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """What a pool says of one of its parameters.

    Args:
        initial: the value used where nothing else names one (internal space).
        optuna: the search range; None for a parameter that no search may touch.
        transform: what the pool applies to the internal value before use, for display; None = none.
        description: one line for help texts and documentation.
        trainable: False: sampled only where the search section asks for it by name.
    """

    initial: float
    optuna: OptunaRange | None = None
    transform: Callable[[Any], Any] | None = None
    description: str = ""
    trainable: bool = True


def exp2(log_k: float) -> float:
    """k per day from `log_k`."""
    return 2.0**log_k


def logistic(logit: float) -> float:
    """Decay λ from `logit_lamb`, without overflow for either sign."""
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    grown = math.exp(logit)
    return grown / (1.0 + grown)


COMMON_PARAM_SCHEMA: Final[Mapping[str, ParamSpec]] = MappingProxyType(
    {
        "initial_weights_logits": ParamSpec(
            initial=1.0,
            optuna=OptunaRange(low=-10.0, high=10.0),
            description="logits of the initial weights (softmax over the tokens)",
            trainable=False,
        ),
    }
)

MOMENTUM_PARAM_SCHEMA: Final[Mapping[str, ParamSpec]] = MappingProxyType(
    {
        "log_k": ParamSpec(
            initial=4.32,
            optuna=OptunaRange(low=-6.6, high=12.0),
            transform=exp2,
            description="log2 of k per day, the strength of the reaction to a trend",
        ),
        "logit_lamb": ParamSpec(
            initial=4.0,
            optuna=OptunaRange(low=-4.0, high=8.0),
            transform=logistic,
            description="logit of the decay λ, the memory of the trend estimate",
        ),
        "logit_delta_lamb": ParamSpec(
            initial=0.0,
            optuna=OptunaRange(low=-5.0, high=5.0),
            description="added to logit_lamb for the decay of the denominator; sampled only with use_alt_lamb",
        ),
        **COMMON_PARAM_SCHEMA,
    }
)


def get_param_value(
    name: str,
    initial_values: Mapping[str, Any],
    run_fingerprint: Mapping[str, Any],
    schema: Mapping[str, ParamSpec],
) -> Any:
    """The starting value of parameter `name`: given values first, then the fingerprint, then the schema.

    In both mappings `initial_<name>` is tried before `<name>`.

    Raises:
        UnknownParameterError: none of the three knows the name.
    """
    for source in (initial_values, run_fingerprint):
        for key in (f"initial_{name}", name):
            if key in source:
                return source[key]
    if name in schema:
        return schema[name].initial
    raise UnknownParameterError(
        f"`{name}` is in neither the initial values, the fingerprint nor the schema; "
        f"the schema knows {', '.join(sorted(schema))}"
    )


def get_optuna_range(
    name: str, run_fingerprint: Mapping[str, Any], schema: Mapping[str, ParamSpec], token: str | None = None
) -> OptunaRange | None:
    """The search range of `name`: the schema's, with the fingerprint's `parameter_config` entries on top.

    The overrides stand at `optimisation_settings.optuna_settings.parameter_config.<name>` and may hold any of `low`,
    `high`, `log_scale` and `scalar`. `low` and `high` are a number for all tokens, or a mapping from token to number;
    tokens that it leaves out keep the schema's.

    Args:
        name: the parameter.
        run_fingerprint: a fingerprint, or its mapping.
        schema: of the pool's rule.
        token: whose range; needed only where tokens have ranges of their own.

    Raises:
        UnknownParameterError: `name` is not in the schema.
        ValueError: the merged range is not a range, or tokens have ranges of their own and `token` is not given.
    """
    if name not in schema:
        raise UnknownParameterError(f"`{name}` is not in the schema; the schema knows {', '.join(sorted(schema))}")
    base = schema[name].optuna
    optuna_settings = run_fingerprint.get("optimisation_settings", {}).get("optuna_settings", {})
    override = optuna_settings.get("parameter_config", {}).get(name)
    if not override:
        return base
    entries = {key: override[key] for key in ("low", "high", "log_scale", "scalar") if key in override}
    if token is None and any(isinstance(value, Mapping) for value in entries.values()):
        raise ValueError(f"`{name}` has a range for each token, so `token` must be given")
    values = {key: value.get(token) if isinstance(value, Mapping) else value for key, value in entries.items()}
    given = {key: value for key, value in values.items() if value is not None}
    return OptunaRange(**given) if base is None else replace(base, **given)


def sample_in_range(unit: Any, optuna_range: OptunaRange) -> Any:
    """Map `unit` in [0, 1] (a number or an array) to the range; through the logarithm where `log_scale` is set.

    0 gives `low` and 1 gives `high` (the log scale to rounding).
    """
    if optuna_range.log_scale:
        return optuna_range.low * (optuna_range.high / optuna_range.low) ** unit
    return optuna_range.low + unit * (optuna_range.high - optuna_range.low)


def place_in_range(value: float, optuna_range: OptunaRange) -> float:
    """The inverse of `sample_in_range` for a value of the range: where it lies, from 0 at `low` to 1 at `high`."""
    if optuna_range.log_scale:
        return math.log(value / optuna_range.low) / math.log(optuna_range.high / optuna_range.low)
    return (value - optuna_range.low) / (optuna_range.high - optuna_range.low)
