"""Replay (SPEC §15): one parameter set in, the whole simulation at every bar with all metrics of all periods out.

This is the path behind `backtest`. Its values come from the rebuilt minutes, not from the day boundaries that a tune
reads, so that comparing the two checks both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.arrays import Array, Float
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.fingerprint.periods import Days
from momentum_opt.market import Market
from momentum_opt.metrics.path import SlicePath
from momentum_opt.metrics.registry import evaluate
from momentum_opt.pool.costs import Income
from momentum_opt.simulation.external_bars import ExternalBars, external_bars
from momentum_opt.simulation.inputs import MarketArrays, market_arrays
from momentum_opt.simulation.minutes import BarFlows, MinuteInputs, MinutePath, minute_inputs, simulate_minutes
from momentum_opt.simulation.spec import SimulationSpec, simulation_spec
from momentum_opt.simulation.trajectory import Candidates, Settings
from momentum_opt.study.candidates import ParamSet, check_params, settings_of, stack
from momentum_opt.study.constant_weight import Environment, compared_weights, constant_weight_value, environment_of
from momentum_opt.study.programs import compiled, keepable, shapes_of
from momentum_opt.study.scoring import Penalties, ScoreSpec, penalties_of, score_path, score_spec
from momentum_opt.study.sharding import on_a_core
from momentum_opt.study.slices import slice_path
from momentum_opt.vocabulary.metrics import METRICS, Cadence

keepable(Income)
keepable(BarFlows)
keepable(MinutePath)

TEST = "test"
BASELINES = ("hodl", "uniform_hodl", "constant_weight", "rebalanced")
BASELINE_METRICS = ("returns", "annualised_returns", "daily_sharpe", "daily_log_sharpe", "max_drawdown")
"""What is shown of a baseline: the metrics that do not compare with a baseline themselves."""

Metrics = Mapping[str, float]


@dataclass(frozen=True)
class Replay:
    """One simulated pool, bar by bar from start to the end of the last period.

    Attributes:
        value: (time,) in the numeraire.
        weights: (time, asset) as the pool shows them.
        reserves: (time, asset) in tokens.
        fees_earned: period → `liquidity_providers` (noise traders' fees included) and `protocol`, in the numeraire.
        trades: period → outside trades `done` and `refused` by the pool; None where the run has none.
        lp_supply: (time,) pool tokens there are, as a multiple of those at minute 0; None where they never change.
        flows: `turnover` (½ Σ |Δw|), `volume` and `fees_earned` (liquidity providers', both in the numeraire) → (time,)
            of the step to each bar, of the whole pool.
        decomposition: period → the parts of its log return, see `decomposed`.
        baselines: name of `BASELINES` → (time,) value of the same first money, never re-based. With an LP supply it
            compares with `value_of_first_tokens`.
        objectives: the objective's value or values, as a tune reports them.
        metrics: period → metric → number; NaN or infinite where unavailable.
        baseline_metrics: period → baseline → metric → number; each baseline starts anew with the period, holding the
            pool's first reserves there (hodl), equal values (uniform_hodl), the initial weights (constant_weight;
            see `compared_weights`), or the pool's weights by trading on an exchange (rebalanced).
    """

    value: NDArray[np.float64]
    weights: NDArray[np.float64]
    reserves: NDArray[np.float64]
    fees_earned: Mapping[str, Mapping[str, float]]
    trades: Mapping[str, Mapping[str, int]] | None
    lp_supply: NDArray[np.float64] | None
    flows: Mapping[str, NDArray[np.float64]]
    decomposition: Mapping[str, Mapping[str, float]]
    baselines: Mapping[str, NDArray[np.float64]]
    objectives: tuple[float, ...]
    metrics: Mapping[str, Metrics]
    baseline_metrics: Mapping[str, Mapping[str, Metrics]]

    def without_test(self) -> "Replay":
        """The same without any figure of the test period; the bars stay."""

        def kept(periods: Mapping[str, Any]) -> dict[str, Any]:
            return {name: value for name, value in periods.items() if name != TEST}

        return replace(
            self,
            metrics=kept(self.metrics),
            baseline_metrics=kept(self.baseline_metrics),
            decomposition=kept(self.decomposition),
            fees_earned=kept(self.fees_earned),
            trades=None if self.trades is None else kept(self.trades),
        )

    def named(self, label: str) -> "Replay":
        """The same with its first period, the only one, called `label`."""

        def called(periods: Mapping[str, Any]) -> dict[str, Any]:
            (only,) = periods.values()
            return {label: only}

        return replace(
            self,
            metrics=called(self.metrics),
            baseline_metrics=called(self.baseline_metrics),
            decomposition=called(self.decomposition),
            fees_earned=called(self.fees_earned),
            trades=None if self.trades is None else called(self.trades),
        )

    @property
    def value_of_first_tokens(self) -> NDArray[np.float64]:
        """(time,) what the pool tokens of minute 0 are worth, which is what all metrics are about."""
        return self.value if self.lp_supply is None else self.value / self.lp_supply


@keepable
class _Outputs(NamedTuple):
    minutes: MinutePath
    baselines: dict[str, Float[Array, " time"]]
    objectives: Float[Array, " objective"]
    metrics: dict[str, dict[str, Array]]
    baseline_metrics: dict[str, dict[str, dict[str, Array]]]
    decomposition: dict[str, dict[str, Array]]


def replay(fingerprint: Fingerprint, market: Market, params: ParamSet) -> Replay:
    """Simulate `params` on `market` at every bar, in float64, on a core of the CPU.

    Raises:
        ParamsError: the pool cannot run with `params`.
        ConfigError: a period is no multiple of the market's bar.
    """
    check_params(params, fingerprint)
    spec = simulation_spec(
        fingerprint, bar_minutes=market.bar_minutes, burn_in_days=market.burn_in_days, external=market.external
    )
    external = external_bars(market, spec.n_bars)
    static = spec, replace(score_spec(fingerprint, spec), cadence=Cadence.MINUTE), _named_periods(fingerprint)
    with on_a_core():
        arguments = (
            market_arrays(market.prices, market.start_row, spec, external),
            minute_inputs(market.prices, market.start_row, spec, external),
            environment_of(external, spec),
            jnp.asarray(compared_weights(params, fingerprint)),
            settings_of(fingerprint, jnp.float64),
            penalties_of(fingerprint, jnp.float64),
            jax.tree.map(lambda column: column[:, 0], stack([params], 1, jnp.float64)),
        )
        host = _replayed(static, arguments)
    periods = [name for name, _ in _named_periods(fingerprint)]  # JAX has sorted the keys; restore the order of time
    as_float = partial(jax.tree.map, float)
    steps = host.minutes.steps
    assert steps is not None
    return Replay(
        value=np.asarray(host.minutes.value),
        weights=np.asarray(host.minutes.weights),
        reserves=np.asarray(host.minutes.reserves),
        fees_earned={
            name: _earned(host.minutes.income, days, spec.bars_per_day) for name, days in _named_periods(fingerprint)
        },
        trades=_trades(host.minutes.refused, external, fingerprint, spec),
        lp_supply=external.supply,
        flows=_flows(steps, external.supply),
        decomposition={name: as_float(host.decomposition[name]) for name in periods},
        baselines={name: np.asarray(host.baselines[name]) for name in BASELINES},
        objectives=fingerprint.objective.shown([float(value) for value in host.objectives]),
        metrics={name: {metric: float(host.metrics[name][metric]) for metric in METRICS} for name in periods},
        baseline_metrics={
            name: {baseline: as_float(host.baseline_metrics[name][baseline]) for baseline in BASELINES}
            for name in periods
        },
    )


def _earned(income: Income | None, days: Days, bars_per_day: int) -> Mapping[str, float]:
    """Sums over the bars of `days`; nothing is earned without costs."""
    if income is None:
        return dict.fromkeys(Income._fields, 0.0)
    first, end = (day * bars_per_day for day in days)
    return {name: float(np.asarray(amount)[first:end].sum()) for name, amount in income._asdict().items()}


def _flows(steps: BarFlows, supply: NDArray[np.float64] | None) -> Mapping[str, NDArray[np.float64]]:
    whole = 1.0 if supply is None else supply
    flows = {"turnover": steps.turnover, "volume": whole * steps.traded, "fees_earned": whole * steps.fees}
    return {name: np.asarray(values) for name, values in flows.items()}


def _trades(
    refused: Any, external: ExternalBars, fingerprint: Fingerprint, spec: SimulationSpec
) -> Mapping[str, Mapping[str, int]] | None:
    if refused is None or external.trades is None:
        return None
    counts: dict[str, Mapping[str, int]] = {}
    for name, days in _named_periods(fingerprint):
        first, end = (day * spec.bars_per_day for day in days)
        given = int(((external.trades.bar >= first) & (external.trades.bar < end)).sum())
        turned_away = round(float(np.asarray(refused)[first:end].sum()))
        counts[name] = {"done": given - turned_away, "refused": turned_away}
    return counts


def _named_periods(fingerprint: Fingerprint) -> tuple[tuple[str, Days], ...]:
    periods = fingerprint.periods
    named = {"train": periods.train, "validation": periods.validation, TEST: periods.test}
    return tuple((name, days) for name, days in named.items() if days is not None and days[1] > days[0])


Static = tuple[SimulationSpec, ScoreSpec, tuple[tuple[str, Days], ...]]


class _Replaying:
    """`_outputs` of arrays alone."""

    def __init__(self, static: Static) -> None:
        self._static = static
        self.identity = repr((type(self).__name__, static))

    def __call__(self, *arguments: Any) -> _Outputs:
        return _outputs(*self._static, *arguments)


_replaying = lru_cache(maxsize=32)(_Replaying)
_compiled = lru_cache(maxsize=32)(compiled)


def _replayed(static: Static, arguments: tuple[Any, ...]) -> _Outputs:
    """The outputs on the host."""
    run = _compiled(_replaying(static), *shapes_of(arguments), ())
    return jax.tree.map(np.asarray, jax.device_get(run(*arguments)))


def _outputs(
    spec: SimulationSpec,
    scoring: ScoreSpec,
    periods: tuple[tuple[str, Days], ...],
    arrays: MarketArrays,
    inputs: MinuteInputs,
    environment: Environment,
    constant_weights: Float[Array, " asset"],
    settings: Settings,
    penalties: Penalties,
    candidates: Candidates,
) -> _Outputs:
    path, minutes = simulate_minutes(spec, arrays, inputs, settings, candidates)
    prices = inputs.price.reshape(spec.n_bars, spec.n_assets)
    constant = constant_weight_value(constant_weights, prices, settings, environment, spec)
    bars = spec.bars_per_day
    constant_log = jnp.log(constant[::bars])
    kept = {"constant_weight": constant, "rebalanced": minutes.rebalanced_value}

    def held(first_bar: int) -> dict[str, Array]:
        """Values of the baselines that hold, bought at `first_bar`; (time,)."""
        uniform = minutes.value_of_first_tokens[first_bar] * jnp.mean(prices / prices[first_bar], axis=1)
        return {"hodl": prices @ minutes.reserves_of_first_tokens(first_bar), "uniform_hodl": uniform}

    decomposition: dict[str, dict[str, Array]] = {}
    metrics: dict[str, dict[str, Array]] = {}
    baseline_metrics: dict[str, dict[str, dict[str, Array]]] = {}
    for name, (first, end) in periods:
        part = slice_path(path, minutes, arrays.days, spec, (first, end), Cadence.MINUTE, constant_weight=constant_log)
        metrics[name] = evaluate(tuple(METRICS), part, bars)
        decomposition[name] = decomposed(part)
        curves = {**held(first * bars), **kept}
        # Side by side, as if they were candidates, because tracing each alone would take longer than all the rest.
        together = jnp.stack([curve[first * bars : end * bars] for curve in curves.values()], axis=-1)
        found = evaluate(BASELINE_METRICS, _curve_path(together, bars), bars)
        baseline_metrics[name] = {
            baseline: {metric: values[place] for metric, values in found.items()}
            for place, baseline in enumerate(curves)
        }
    return _Outputs(
        minutes,
        {**held(0), **kept},
        score_path(spec, scoring, arrays.days, path, minutes, penalties, constant_log).objectives,
        metrics,
        baseline_metrics,
        decomposition,
    )


def decomposed(path: SlicePath) -> dict[str, Array]:
    """The log return of a slice in parts (SPEC §10): total = hodl + weights − lvr; and fees, a part of the total.

    `hodl` holds the reserves of the slice's start; `weights` is what moving the weights on an exchange adds to it;
    `lvr` is what the pool loses to that, fees earned included. `fees` are those over the pool's mean value.
    """
    flows, last, held = path.flows, path.last, path.hodl_last
    assert flows is not None
    assert last is not None
    assert held is not None
    assert flows.rebalanced is not None
    assert flows.fees is not None
    assert flows.mean_value is not None
    first = path.daily[0]
    total, hodl = jnp.log(last / first), jnp.log(held / first)
    return {
        "total": total,
        "hodl": hodl,
        "weights": flows.rebalanced - hodl,
        "lvr": flows.rebalanced - total,
        "fees": flows.fees / flows.mean_value,
    }


def _curve_path(curves: Float[Array, "time curve"], bars_per_day: int) -> SlicePath:
    return SlicePath(daily=curves[::bars_per_day], last=curves[-1], minute=curves)
