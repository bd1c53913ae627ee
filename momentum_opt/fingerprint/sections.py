"""The sections of a configuration (SPEC §3): every key, its type, default, limits and fingerprint key, written once.

The YAML form, quantammsim's mapping form, the digest and the messages are all derived from these classes.
"""

from collections.abc import Mapping, Sequence
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
    word_list,
)
from momentum_opt.vocabulary.limits import (
    LARGEST_GAS,
    LARGEST_K_PER_DAY,
    LARGEST_VALUE,
    LONGEST_MEMORY,
    SHORTEST_MEMORY,
    SMALLEST_K_PER_DAY,
)
from momentum_opt.vocabulary.metrics import METRIC_CHOICES, METRICS
from momentum_opt.vocabulary.names import (
    AGGREGATES,
    INTERPOLATIONS,
    PRECISIONS,
    PROPOSALS,
    SAMPLERS,
    Aggregate,
    Interpolation,
    Precision,
    Proposals,
    Sampler,
)
from momentum_opt.vocabulary.rules import DEFAULT_RULE, RULES

MOST_MINUTES: Final = 5_256_000
"""Ten years: the longest period, and the longest gap."""

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
    """Folder of the price files; a relative path starts at the configuration's folder, in --set at the current one."""
    max_gap_minutes: Annotated[int, whole(at_most=MOST_MINUTES), Key(in_digest=False, unit="minutes")] = 1440
    """Longest gap that is filled with the last close before it; a longer one is refused."""


class Window(Section):
    """What is simulated: [start, end) for train and validation, [end, test_end) for the test."""

    start: Annotated[date, day(), Key("startDateString", example="2022-06-01")]
    """First day that is simulated; minute 0 is its midnight."""
    end: Annotated[date, day(), Key("endDateString", example="2023-06-01")]
    """Day after the last one of train and validation."""
    test_end: Annotated[date | None, day(), Key("endTestDateString")] = None
    """Day after the last one of the test; none without it."""
    validation_fraction: Annotated[
        float, number(at_least=0, below=1), Key(f"{_OPTIMISATION}.val_fraction", unit="share of days")
    ] = 0.2
    """Part of [start, end), taken from its end, that validates and is never tuned on."""


class Pool(Section):
    """Settings of the pool that no search changes. Periods in minutes, maximum_change per minute."""

    rule: Annotated[str, word(tuple(RULES)), Key("rule")] = DEFAULT_RULE
    """How prices move the weights."""
    chunk_period: Annotated[int, whole(at_least=1, at_most=MOST_MINUTES), Key("chunk_period", unit="minutes")] = 1440
    """Time from one update of the weights to the next; divides a day or is whole days."""
    weight_interpolation_period: Annotated[
        int, whole(at_least=1, at_most=MOST_MINUTES), Key("weight_interpolation_period", unit="minutes")
    ]
    """How long the weights take to their new place after an update; at most chunk_period, which is the default."""
    weight_interpolation_method: Annotated[Interpolation, word(INTERPOLATIONS), Key("weight_interpolation_method")] = (
        "linear"
    )
    """The path between two places: a straight line, or the normalised sum of it and a geometric path."""
    maximum_change: Annotated[
        float, number(at_least=1e-12, at_most=1), Key("maximum_change", unit="weight per minute")
    ] = 3e-4
    """Speed limit: the largest step of any weight."""
    minimum_weight: Annotated[float, number(at_least=1e-6, at_most=0.5), Key("minimum_weight", unit="weight")]
    """Floor of every weight, at most 1/n; the ceiling is 1 − (n − 1) · floor. 0.1/n unless given, n tokens."""
    max_memory_days: Annotated[
        float, number(at_least=1e-3, at_most=LONGEST_MEMORY), Key("max_memory_days", unit="days")
    ] = 365.0
    """Cap of the memory, and the history that is read before start."""
    use_alt_lamb: Annotated[bool, flag(), Key("use_alt_lamb")] = False
    """Whether the average in the signal's denominator has a decay of its own."""
    initial_pool_value: Annotated[
        float, number(at_least=1e-3, at_most=LARGEST_VALUE), Key("initial_pool_value", unit="numeraire")
    ] = 1e6
    """Value of the pool at minute 0."""


class Costs(Section):
    """What trading costs. A file in place of a number holds a cost that varies with time."""

    fees: Annotated[float | Path, cost(below=1), Key("fees", file=True, unit="share")] = 0.0
    """Swap fee, fraction of the input amount."""
    gas_cost: Annotated[float | Path, cost(at_most=LARGEST_GAS), Key("gas_cost", file=True, unit="numeraire")] = 0.0
    """Price of one arbitrage, whatever its size."""
    arb_fees: Annotated[float | Path, cost(below=1), Key("arb_fees", file=True, unit="share")] = 0.0
    """Arbitrageur's external cost, fraction of notional."""
    noise_trader_ratio: Annotated[
        float, number(at_least=0, at_most=1e4), Key("noise_trader_ratio", unit="multiple")
    ] = 0.0
    """Trades of others per arbitrage, as a multiple of its inflow."""
    protocol_fee_split: Annotated[float, number(at_least=0, at_most=1), Key("protocol_fee_split", unit="share")] = 0.0
    """Share of the fees that leaves the pool."""
    arb_frequency: Annotated[int, whole(at_least=1, at_most=MOST_MINUTES), Key("arb_frequency", unit="minutes")] = 1
    """Time from one arbitrage to the next; 1 means at every bar."""
    trades: Annotated[Path | None, table_file(), Key(file=True)] = None
    """File of swaps by outside traders."""
    lp_supply: Annotated[Path | None, table_file(), Key(file=True)] = None
    """File of the pool tokens there are over time."""

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


class Baselines(Section):
    """What the pool is compared with."""

    exchange_cost: Annotated[float, number(at_least=0, below=1), Key(added=True, unit="share")] = 0.0
    """What the rebalanced baseline, and the metric lvr, pay on the exchange, as a share of the value traded."""


class MetricLimit(Section):
    """The values that a metric may have on train; one side or both."""

    min: Annotated[float | None, number(at_least=-1e30, at_most=1e30)] = None
    """Smallest value."""
    max: Annotated[float | None, number(at_least=-1e30, at_most=1e30)] = None
    """Largest value."""


def frozen_mapping(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """A copy by name that cannot be changed."""
    return MappingProxyType(dict(sorted(value.items())))


class Objective(Section):
    """What a trial is scored by."""

    metric: Annotated[str, word(METRIC_CHOICES), Key("return_val")] = "daily_log_sharpe"
    """What is optimised: maximised, or minimised where lower is better; with metrics the first of them."""
    metrics: Annotated[tuple[str, ...] | None, word_list(METRIC_CHOICES, "metric"), Key(added=True)] = None
    """Several metrics in place of one, each an objective in its own direction, aggregated alike."""
    aggregate: Annotated[Aggregate, word(AGGREGATES), Key()] = "mean"
    """How the windows become one number; mean_minus_std subtracts their standard deviation."""
    windows: Annotated[int, whole(at_least=1, at_most=10**5), Key()] = 1
    """Slices of train, whole days each, on which the metric is taken."""
    overfitting_penalty: Annotated[
        float, number(at_least=0, at_most=1e12), Key(f"{_OPTUNA}.overfitting_penalty", unit="per unit of metric")
    ] = 0.0
    """Subtracted for every unit that the objective stands above validation."""
    turnover_penalty: Annotated[
        float, number(at_least=0, at_most=1e12), Key("turnover_penalty", unit="per unit of turnover")
    ] = 0.0
    """Subtracted for the mean change of the value shares per minute."""
    multi_objective: Annotated[bool, flag(), Key(f"{_OPTUNA}.multi_objective")] = False
    """Optimise mean, worst and steadiness over the windows, as three objectives."""
    limits: Annotated[Mapping[str, MetricLimit], AfterValidator(frozen_mapping), Key(added=True)] = Field(
        default_factory=lambda: MappingProxyType(dict[str, MetricLimit]())
    )
    """Metric → min, max or both on train; a trial that breaks one wins only where none keeps them all."""

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics that it is about."""
        return self.metrics or (self.metric,)

    @property
    def several(self) -> bool:
        """Whether a study has several objectives."""
        return self.multi_objective or len(self.names) > 1

    @property
    def parts(self) -> tuple[str, ...]:
        """What the objectives are: `mean`, `worst` and `steadiness` of the metric, or the metrics."""
        return ("mean", "worst", "steadiness") if self.multi_objective else self.names

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its values in tables of trials."""
        return tuple(f"objective_{part}" for part in self.parts) if self.several else ("objective",)

    @property
    def signs(self) -> tuple[int, ...]:
        """What each value that a study maximises is multiplied by to be shown: −1 where less is better."""
        signs = tuple(METRICS[name].sign for name in self.names)
        return (*signs, *signs, 1) if self.multi_objective else signs

    def shown(self, objectives: Sequence[float]) -> tuple[float, ...]:
        """Objectives in the metric's own sign, from those that a study maximises; or those from these."""
        return tuple(sign * value for sign, value in zip(self.signs, objectives, strict=True))


class EarlyStopping(Section):
    """Stop when the best objective has not risen by min_improvement · |best| within `patience` trials."""

    patience: Annotated[
        int, whole(at_least=1, at_most=10**9), Key(f"{_EARLY}.patience", in_digest=False, example=200, unit="trials")
    ]
    """Trials without a rise after which the search stops."""
    min_improvement: Annotated[
        float, number(at_least=0, at_most=1e6), Key(f"{_EARLY}.min_improvement", in_digest=False, unit="share")
    ] = 0.0
    """Rise that counts, as a share of the best objective."""


class Around(Section):
    """A range centred on the values of a warm start."""

    half_width: Annotated[float, number(at_least=1e-9, at_most=200), Key(example=1.0, unit="internal")]
    """Distance to either side of the known values, inside the schema's range."""


class RangeOverride(Section):
    """What a configuration changes of one parameter's search range; None leaves the schema's value.

    Tokens that a mapping leaves out keep the schema's value.
    """

    low: Annotated[PerToken | None, per_token(), Key(unit="internal")] = None
    """Smallest value."""
    high: Annotated[PerToken | None, per_token(), Key(unit="internal")] = None
    """Largest value."""
    log_scale: Annotated[bool | None, flag()] = None
    """Sample the logarithm uniformly; needs low > 0."""
    scalar: Annotated[bool | None, flag()] = None
    """One value for all tokens instead of one per token."""
    around: Around | None = None


class Initial(Section):
    """Readable starting values: k per day, memory in days, logits of the first weights."""

    initial_k_per_day: Annotated[
        PerToken,
        per_token(at_least=SMALLEST_K_PER_DAY, at_most=LARGEST_K_PER_DAY),
        Key("initial_k_per_day", unit="per day"),
    ] = 20.0
    """k of the first trial, the strength of the reaction to a trend."""
    initial_memory_length: Annotated[
        PerToken, per_token(at_least=SHORTEST_MEMORY, at_most=LONGEST_MEMORY), Key("initial_memory_length", unit="days")
    ] = 10.0
    """Memory of the first trial."""
    initial_memory_length_delta: Annotated[
        PerToken,
        per_token(at_least=-LONGEST_MEMORY, at_most=LONGEST_MEMORY),
        Key("initial_memory_length_delta", unit="days"),
    ] = 0.0
    """Added to the memory for the denominator's own average, with use_alt_lamb."""
    initial_weights_logits: Annotated[
        PerToken, per_token(at_least=-100, at_most=100), Key("initial_weights_logits", unit="logit")
    ] = 1.0
    """Logits of the first weights; softmax over the tokens makes them weights."""


class Search(Section):
    """How the study looks for the best parameters."""

    n_trials: Annotated[
        int, whole(at_least=1, at_most=10**9), Key(f"{_OPTUNA}.n_trials", in_digest=False, unit="trials")
    ] = 1000
    """Size of the study: the total of all workers and all resumptions."""
    batch_size: Annotated[int, whole(at_least=1, at_most=10**6), Key(f"{_OPTUNA}.batch_size", unit="trials")]
    """Candidates that are asked for, simulated and told at once; 128 for memetic and 64 for others unless given."""
    sampler: Annotated[Sampler, word(SAMPLERS), Key(f"{_OPTUNA}.sampler")]
    """Who chooses the next candidates; memetic unless given, and nsga2 where that cannot serve."""
    generations: Annotated[
        int, whole(at_least=1, at_most=10**6), Key(f"{_OPTUNA}.generations", unit="generations", added=True)
    ] = 100
    """Of memetic: proposals that each lane of a batch evolves through; 220 with the closed form unless given."""
    steps: Annotated[int, whole(at_most=10**6), Key(f"{_OPTUNA}.steps", unit="steps", added=True)] = 8
    """Of memetic: steps of gradient ascent that follow them; 0 leaves the ascent out."""
    proposals: Annotated[Proposals, word(PROPOSALS), Key(f"{_OPTUNA}.proposals", added=True)] = "auto"
    """Engine of screening and memetic where trading costs something: auto takes that without costs."""
    seed: Annotated[int, whole(at_most=2**32 - 1), Key(f"{_OPTUNA}.seed")] = 0
    """Seed of everything random in the search."""
    timeout: Annotated[
        float | None, number(above=0, at_most=1e9), Key(f"{_OPTUNA}.timeout", in_digest=False, unit="seconds")
    ] = None
    """Time after which no further batch begins; screening counts."""
    screen: Annotated[int, whole(at_most=10**9), Key(f"{_OPTUNA}.screen", unit="candidates")]
    """Quasi-random candidates scored before the sampler begins; 4096 for memetic or with limits, 0 for others."""
    screen_keep: Annotated[int, whole(at_least=1, at_most=10**6), Key(f"{_OPTUNA}.screen_keep", unit="candidates")]
    """The best screened ones, which enter the study; 256, or 64 for memetic with costs, unless given."""
    early_stopping: EarlyStopping | None = None
    storage: Annotated[str, storage_place(), Key(f"{_OPTUNA}.storage", in_digest=False)] = "journal"
    """Where trials are kept: the run folder's journal, another one, or a database."""
    study_name: Annotated[str | None, text(), Key(f"{_OPTUNA}.study_name", in_digest=False)] = None
    """Name of the study; that of the run folder, or of the configuration in a shared storage, unless given."""
    clip_to_effective: Annotated[bool, flag(), Key()] = True
    """Search logit_lamb only up to the cap of max_memory_days, above which nothing changes."""
    parameters: Annotated[
        Mapping[str, RangeOverride], AfterValidator(frozen_mapping), Key(f"{_OPTUNA}.parameter_config")
    ] = Field(default_factory=lambda: MappingProxyType(dict[str, RangeOverride]()))
    """Parameter → what differs of its range, see below; naming initial_weights_logits is what samples it."""
    force_scalar: Annotated[bool, flag(), Key(f"{_OPTIMISATION}.force_scalar")] = False
    """One value for all tokens, of every parameter."""
    initial: Initial = Initial()


class Device(Section):
    """Number format, and the largest batch to put on the device at once (None: from its memory)."""

    precision: Annotated[Precision, word(PRECISIONS), Key()] = "float64"
    """Format of the numbers in the search; replays are always float64."""
    batch_limit: Annotated[int | None, whole(at_least=1, at_most=10**9), Key(in_digest=False, unit="candidates")] = None
    """Largest batch to put on the device at once; from its memory unless given."""


class WalkForward(Section):
    """Folds of the walk-forward, in days; `anchored` keeps every fold's start at the first one's."""

    train_days: Annotated[int, whole(at_least=2, at_most=10**5), Key(in_digest=False, example=180, unit="days")]
    """Days that each fold tunes on, validation included."""
    test_days: Annotated[int, whole(at_least=2, at_most=10**5), Key(in_digest=False, example=60, unit="days")]
    """Days that follow and judge the fold's winner."""
    step_days: Annotated[int, whole(at_least=1, at_most=10**5), Key(in_digest=False, example=60, unit="days")]
    """Days from one fold to the next; test_days unless given."""
    anchored: Annotated[bool, flag(), Key(in_digest=False)] = False
    """Whether every fold begins at window.start."""


class Verdict(Section):
    """What the verdict asks for (SPEC §13): at least, at most, and at least.

    A deflated Sharpe ratio, a probability of backtest overfitting, a share of neighbours that keep 90 % of the gain.
    """

    min_deflated_sharpe: Annotated[float, number(at_least=0, at_most=1), Key(in_digest=False, unit="probability")] = (
        0.95
    )
    """Deflated Sharpe ratio that counts as more than luck."""
    max_overfitting: Annotated[float, number(at_least=0, at_most=1), Key(in_digest=False, unit="probability")] = 0.2
    """Probability of overfitting that is still accepted."""
    min_plateau: Annotated[float, number(at_least=0, at_most=1), Key(in_digest=False, unit="share")] = 0.5
    """Share of neighbours that must keep 90 % of the gain."""


class Evidence(Section):
    """Sizes of the luck-or-skill statistics (SPEC §13); `enabled: false` leaves them out.

    `plateau_draws` are neighbours per parameter and radius, `heat_map` points per side; with costs, where a candidate
    takes long to score, both default to fewer.
    """

    enabled: Annotated[bool, flag(), Key(in_digest=False)] = True
    """Whether a tune ends with evidence."""
    quick: Annotated[bool | None, flag(), Key(in_digest=False, added=True)] = None
    """Fewer random candidates, no heat maps; null: with costs, where full evidence would score more than the search."""
    blocks: Annotated[int, whole(at_least=2, at_most=24), Key(in_digest=False)] = 16
    """Blocks of train days that are halved in every way; even."""
    bootstrap_draws: Annotated[int, whole(at_least=1, at_most=10**6), Key(in_digest=False, unit="draws")] = 2000
    """Resamplings behind the interval of the Sharpe ratio."""
    random_baselines: Annotated[int, whole(at_least=1, at_most=10**6), Key(in_digest=False, unit="candidates")] = 1000
    """Random parameter sets that the winner is compared with, where nothing was screened."""
    plateau_draws: Annotated[int, whole(at_most=10**5), Key(in_digest=False, unit="candidates")]
    """Neighbours per parameter and radius; 0 leaves them out. 32 unless given, 8 with costs."""
    heat_map: Annotated[int, whole(at_most=1000), Key(in_digest=False, unit="points")]
    """Points per side of a heat map; 0 leaves them out. 25 unless given, 9 with costs."""
    verdict: Verdict = Verdict()


class RunConfig(Section):
    """A whole configuration, every default filled in."""

    data: Data = Data()
    tokens: Annotated[tuple[str, ...], token_list(), Key("tokens", example=["BTC", "ETH"])]
    """What the pool holds; order means nothing."""
    window: Window
    pool: Pool
    costs: Costs = Costs()
    baselines: Baselines = Baselines()
    objective: Objective = Field(default_factory=Objective)
    search: Search
    device: Device = Device()
    walk_forward: WalkForward | None = None
    evidence: Evidence
