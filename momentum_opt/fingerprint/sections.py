"""The sections of a configuration (SPEC §3): every key, its type, default, limits and fingerprint key, written once.

The YAML form, the incumbent's mapping form, the digest and the messages are all derived from these classes.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from momentum_opt.fingerprint.fields import (
    Key,
    cost,
    day,
    flag,
    folder,
    number,
    per_token,
    storage_place,
    table_file,
    text,
    token_list,
    whole,
    word,
)
from momentum_opt.vocabulary.metrics import METRICS
from momentum_opt.vocabulary.names import (
    AGGREGATES,
    INTERPOLATIONS,
    PRECISIONS,
    SAMPLERS,
    Aggregate,
    Interpolation,
    Precision,
    Sampler,
)
from momentum_opt.vocabulary.rules import DEFAULT_RULE, RULES

DEFAULT_SAMPLER: Final[Sampler] = "nsga2"
"""The sampler of a search for one number or several (SPEC §12); docs/benchmarks.md has the comparison behind it."""

_OPTIMISATION: Final = "optimisation_settings"
_OPTUNA: Final = "optimisation_settings.optuna_settings"
_EARLY: Final = f"{_OPTUNA}.early_stopping"

PerToken = float | Mapping[str, float]
"""One number for all tokens, or one per token name."""


class Section(BaseModel):
    """A frozen section; keys that it does not name are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Data(Section):
    """Where the prices are, and how large a hole in them may be."""

    root: Annotated[Path | None, folder(), Key(in_digest=False)] = None
    max_gap_minutes: Annotated[int, whole(), Key(in_digest=False)] = 1440


class Window(Section):
    """What is simulated: [start, end) for train and validation, [end, test_end) for the test."""

    start: Annotated[date, day(), Key("startDateString", example="2022-06-01")]
    end: Annotated[date, day(), Key("endDateString", example="2023-06-01")]
    test_end: Annotated[date | None, day(), Key("endTestDateString")] = None
    validation_fraction: Annotated[float, number(at_least=0, below=1), Key(f"{_OPTIMISATION}.val_fraction")] = 0.2


class Pool(Section):
    """Settings of the pool that no search changes. Periods in minutes, maximum_change per minute."""

    rule: Annotated[str, word(tuple(RULES)), Key("rule")] = DEFAULT_RULE
    chunk_period: Annotated[int, whole(at_least=1), Key("chunk_period")] = 1440
    weight_interpolation_period: Annotated[int, whole(at_least=1), Key("weight_interpolation_period")]
    weight_interpolation_method: Annotated[Interpolation, word(INTERPOLATIONS), Key("weight_interpolation_method")] = (
        "linear"
    )
    maximum_change: Annotated[float, number(above=0, at_most=1), Key("maximum_change")] = 3e-4
    minimum_weight: Annotated[float, number(above=0, at_most=0.5), Key("minimum_weight")]
    max_memory_days: Annotated[float, number(above=0), Key("max_memory_days")] = 365.0
    use_alt_lamb: Annotated[bool, flag(), Key("use_alt_lamb")] = False
    initial_pool_value: Annotated[float, number(above=0), Key("initial_pool_value")] = 1e6


class Costs(Section):
    """What trading costs. A file in place of a number holds a cost that varies with time."""

    fees: Annotated[float | Path, cost(below=1), Key("fees", file=True)] = 0.0
    gas_cost: Annotated[float | Path, cost(), Key("gas_cost", file=True)] = 0.0
    arb_fees: Annotated[float | Path, cost(below=1), Key("arb_fees", file=True)] = 0.0
    noise_trader_ratio: Annotated[float, number(at_least=0), Key("noise_trader_ratio")] = 0.0
    protocol_fee_split: Annotated[float, number(at_least=0, at_most=1), Key("protocol_fee_split")] = 0.0
    arb_frequency: Annotated[int, whole(at_least=1), Key("arb_frequency")] = 1
    trades: Annotated[Path | None, table_file(), Key(file=True)] = None
    lp_supply: Annotated[Path | None, table_file(), Key(file=True)] = None

    def arb_minutes(self, bar_minutes: int) -> int:
        """Minutes from one arbitrage to the next on bars of `bar_minutes`: 1, the default, means at every bar."""
        return bar_minutes if self.arb_frequency == 1 else self.arb_frequency

    @property
    def files(self) -> Mapping[str, Path]:
        """The files that stand in place of numbers, and those of trades and LP supply; by key."""
        values = {name: getattr(self, name) for name in ("fees", "gas_cost", "arb_fees", "trades", "lp_supply")}
        return {name: value for name, value in values.items() if isinstance(value, Path)}

    @property
    def has_costs(self) -> bool:
        """Whether the engine with costs is needed; noise and the protocol's split alone act on nothing."""
        # A path is never equal to 0, so a file counts as a cost.
        charged = any(value != 0 for value in (self.fees, self.gas_cost, self.arb_fees))
        return charged or self.trades is not None or self.lp_supply is not None


class Objective(Section):
    """What a trial is scored by."""

    metric: Annotated[str, word(tuple(METRICS)), Key("return_val")] = "daily_log_sharpe"
    aggregate: Annotated[Aggregate, word(AGGREGATES), Key()] = "mean"
    windows: Annotated[int, whole(at_least=1), Key()] = 1
    overfitting_penalty: Annotated[float, number(at_least=0), Key(f"{_OPTUNA}.overfitting_penalty")] = 0.0
    turnover_penalty: Annotated[float, number(at_least=0), Key("turnover_penalty")] = 0.0
    multi_objective: Annotated[bool, flag(), Key(f"{_OPTUNA}.multi_objective")] = False


class EarlyStopping(Section):
    """Stop when the best objective has not risen by min_improvement · |best| within `patience` trials."""

    patience: Annotated[int, whole(at_least=1), Key(f"{_EARLY}.patience", in_digest=False, example=200)]
    min_improvement: Annotated[float, number(at_least=0), Key(f"{_EARLY}.min_improvement", in_digest=False)] = 0.0


class Around(Section):
    """A range centred on the values of a warm start."""

    half_width: Annotated[float, number(above=0), Key(example=1.0)]


class RangeOverride(Section):
    """What a configuration changes of one parameter's search range; None leaves the schema's value."""

    low: Annotated[float | None, number()] = None
    high: Annotated[float | None, number()] = None
    log_scale: Annotated[bool | None, flag()] = None
    scalar: Annotated[bool | None, flag()] = None
    around: Around | None = None


class Initial(Section):
    """Readable starting values: k per day, memory in days, logits of the first weights."""

    initial_k_per_day: Annotated[PerToken, per_token(above=0), Key("initial_k_per_day")] = 20.0
    initial_memory_length: Annotated[PerToken, per_token(above=0), Key("initial_memory_length")] = 10.0
    initial_memory_length_delta: Annotated[PerToken, per_token(), Key("initial_memory_length_delta")] = 0.0
    initial_weights_logits: Annotated[PerToken, per_token(), Key("initial_weights_logits")] = 1.0


def _frozen(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(sorted(value.items())))


class Search(Section):
    """How the study looks for the best parameters."""

    n_trials: Annotated[int, whole(at_least=1), Key(f"{_OPTUNA}.n_trials", in_digest=False)] = 1000
    batch_size: Annotated[int, whole(at_least=1), Key(f"{_OPTUNA}.batch_size")] = 64
    sampler: Annotated[Sampler, word(SAMPLERS), Key(f"{_OPTUNA}.sampler")]
    seed: Annotated[int, whole(at_most=2**32 - 1), Key(f"{_OPTUNA}.seed")] = 0
    timeout: Annotated[float | None, number(above=0), Key(f"{_OPTUNA}.timeout", in_digest=False)] = None
    screen: Annotated[int, whole(), Key(f"{_OPTUNA}.screen")] = 0
    screen_keep: Annotated[int, whole(at_least=1), Key(f"{_OPTUNA}.screen_keep")] = 256
    early_stopping: EarlyStopping | None = None
    storage: Annotated[str, storage_place(), Key(f"{_OPTUNA}.storage", in_digest=False)] = "journal"
    study_name: Annotated[str | None, text(), Key(f"{_OPTUNA}.study_name", in_digest=False)] = None
    clip_to_effective: Annotated[bool, flag(), Key()] = True
    parameters: Annotated[Mapping[str, RangeOverride], AfterValidator(_frozen), Key(f"{_OPTUNA}.parameter_config")] = (
        Field(default_factory=lambda: MappingProxyType(dict[str, RangeOverride]()))
    )
    force_scalar: Annotated[bool, flag(), Key(f"{_OPTIMISATION}.force_scalar")] = False
    initial: Initial = Initial()


class Device(Section):
    """Number format, and the largest batch to put on the device at once (None: from its memory)."""

    precision: Annotated[Precision, word(PRECISIONS), Key()] = "float64"
    batch_limit: Annotated[int | None, whole(at_least=1), Key(in_digest=False)] = None


class WalkForward(Section):
    """Folds of the walk-forward, in days; `anchored` keeps every fold's start at the first one's."""

    train_days: Annotated[int, whole(at_least=2), Key(in_digest=False, example=180)]
    test_days: Annotated[int, whole(at_least=2), Key(in_digest=False, example=60)]
    step_days: Annotated[int, whole(at_least=1), Key(in_digest=False, example=60)]
    anchored: Annotated[bool, flag(), Key(in_digest=False)] = False


class Verdict(Section):
    """What the verdict asks for (SPEC §13): at least, at most, and at least.

    A deflated Sharpe ratio, a probability of overfitting, a share of neighbours that keep 90 % of the gain.
    """

    min_deflated_sharpe: Annotated[float, number(at_least=0, at_most=1), Key(in_digest=False)] = 0.95
    max_overfitting: Annotated[float, number(at_least=0, at_most=1), Key(in_digest=False)] = 0.2
    min_plateau: Annotated[float, number(at_least=0, at_most=1), Key(in_digest=False)] = 0.5


class Evidence(Section):
    """Sizes of the luck-or-skill statistics (SPEC §13); `enabled: false` leaves them out.

    `plateau_draws` are neighbours per parameter and radius, `heat_map` points per side; with costs, where a candidate
    takes long to score, both default to fewer.
    """

    enabled: Annotated[bool, flag(), Key(in_digest=False)] = True
    blocks: Annotated[int, whole(at_least=2, at_most=24), Key(in_digest=False)] = 16
    bootstrap_draws: Annotated[int, whole(at_least=1), Key(in_digest=False)] = 2000
    random_baselines: Annotated[int, whole(at_least=1), Key(in_digest=False)] = 1000
    plateau_draws: Annotated[int, whole(), Key(in_digest=False)]
    heat_map: Annotated[int, whole(), Key(in_digest=False)]
    verdict: Verdict = Verdict()


class RunConfig(Section):
    """A whole configuration, every default filled in."""

    data: Data = Data()
    tokens: Annotated[tuple[str, ...], token_list(), Key("tokens", example=["BTC", "ETH"])]
    window: Window
    pool: Pool
    costs: Costs = Costs()
    objective: Objective = Objective()
    search: Search
    device: Device = Device()
    walk_forward: WalkForward | None = None
    evidence: Evidence
