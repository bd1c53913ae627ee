"""Scoring (SPEC §11): candidates in, their objective and their metrics of train and validation out.

Simulation, slices, metrics and objective as one function of arrays; prices, parameters, settings and penalties are
traced, so a study compiles once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from momentum_opt.arrays import Array, Float
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.fingerprint.periods import Days
from momentum_opt.metrics.objective import less_turnover, mean_worst_steadiness, objective
from momentum_opt.metrics.path import log_daily
from momentum_opt.metrics.registry import cadence_of, evaluate
from momentum_opt.metrics.summary import Needs, SliceSummary, needs_of, start_days, summarise_day, track
from momentum_opt.simulation.block_bars import Reduction
from momentum_opt.simulation.costs import CostPath
from momentum_opt.simulation.engine import BoundaryPath, simulate
from momentum_opt.simulation.inputs import DayInputs, MarketArrays
from momentum_opt.simulation.minutes import MinutePath
from momentum_opt.simulation.spec import SimulationSpec
from momentum_opt.simulation.trajectory import Candidates, Settings
from momentum_opt.simulation.values import daily_values
from momentum_opt.study.block_sums import block_sums
from momentum_opt.study.programs import keepable
from momentum_opt.study.slices import mean_turnover, slice_path
from momentum_opt.vocabulary.metrics import METRICS, Cadence
from momentum_opt.vocabulary.names import Aggregate

RECORDED = tuple(name for name, info in METRICS.items() if info.cadence <= Cadence.LAST_MINUTE)
"""Metrics that every trial records besides its objective's: those that need no minute values."""


@dataclass(frozen=True)
class ScoreSpec:
    """Static description of the scoring of one simulation.

    Attributes:
        windows: train windows of the objective, in days from start.
        train: all train days.
        validation: validation days; empty where first equals last.
        metric: the objective's metric; the first one of several.
        names: all metrics that are returned.
        how: aggregate over the windows.
        multi_objective: return (mean, worst, −std) of the metric instead of one number.
        cadence: how much of the simulation all of it needs.
        blocks: S, blocks of train days whose sums are kept (SPEC §13); 0: none.
        shares: whether the turnover needs the value shares of every bar.
        own_weights: whether each candidate is compared with a constant-weight pool of its own initial weights.
        metrics: return one number of each of these; empty for the metric's alone.
    """

    windows: tuple[Days, ...]
    train: Days
    validation: Days
    metric: str
    names: tuple[str, ...]
    how: Aggregate
    multi_objective: bool
    cadence: Cadence
    blocks: int
    shares: bool = False
    own_weights: bool = False
    metrics: tuple[str, ...] = ()

    @property
    def ends(self) -> tuple[int, ...]:
        """Boundaries at which slices begin or end."""
        slices = [days for days in (self.train, self.validation, *self.windows) if days[1] > days[0]]
        return tuple(sorted({boundary for days in slices for boundary in days}))


class Penalties(NamedTuple):
    """Traced weights of the objective's penalties."""

    overfitting: Float[Array, ""]
    turnover: Float[Array, ""]


@keepable
class Scores(NamedTuple):
    """What a batch is told, candidates last."""

    objectives: Float[Array, "objective *batch"]
    """One row, or (mean, worst, −std), or one of each metric."""
    train: dict[str, Float[Array, "*batch"]]
    validation: dict[str, Float[Array, "*batch"]]
    blocks: Float[Array, "row column *batch"] | None = None
    """`block_sums` of train, where they are wanted."""


def score_spec(
    fingerprint: Fingerprint,
    spec: SimulationSpec,
    *,
    sums: bool = False,
    own_weights: bool = False,
    recorded: Sequence[str] = RECORDED,
) -> ScoreSpec:
    """What to compute for every trial of `fingerprint`.

    Args:
        fingerprint: the run.
        spec: its simulation.
        sums: whether to keep those of blocks of train days, too.
        own_weights: whether initial weights may be others than the configuration's.
        recorded: metrics besides the objective's and the limited ones.
    """
    aim, periods = fingerprint.objective, fingerprint.periods
    names = tuple(dict.fromkeys((*aim.names, *recorded, *aim.limits)))
    needs_shares = aim.turnover_penalty > 0 and (spec.arb > 1 or spec.engine == "with_costs")
    return ScoreSpec(
        windows=periods.train_windows(aim.windows),
        train=periods.train,
        validation=periods.validation,
        metric=aim.metric,
        names=names,
        how=aim.aggregate,
        multi_objective=aim.multi_objective,
        cadence=cadence_needed(names, shares=needs_shares),
        blocks=fingerprint.evidence.blocks if sums else 0,
        shares=needs_shares,
        own_weights=own_weights,
        metrics=aim.metrics or (),
    )


def cadence_needed(names: Iterable[str], *, shares: bool) -> Cadence:
    """How much of the simulation metrics need, and the value shares of every bar besides."""
    return Cadence.MINUTE if shares else cadence_of(names)


def penalties_of(fingerprint: Fingerprint, dtype: Any) -> Penalties:
    """The traced penalties of the objective."""
    aim = fingerprint.objective
    return Penalties(jnp.asarray(aim.overfitting_penalty, dtype), jnp.asarray(aim.turnover_penalty, dtype))


def needs_of_score(scoring: ScoreSpec) -> Needs:
    """What is kept of the minute values: what the metrics need, and the changes of the value shares."""
    needs = needs_of(scoring.names)
    return replace(needs, flows=(*needs.flows, "shares")) if scoring.shares else needs


def score(
    spec: SimulationSpec,
    scoring: ScoreSpec,
    arrays: MarketArrays,
    settings: Settings,
    penalties: Penalties,
    candidates: Candidates,
) -> Scores:
    """Simulate and score candidates; minute values are reduced day by day."""
    reduction = _reduction(spec, scoring) if scoring.cadence == Cadence.MINUTE else None
    path = simulate(spec, arrays, settings, candidates, scoring.cadence, reduction, scoring.ends)
    constant = compared_growth(spec, scoring, arrays, settings, candidates)
    return score_path(spec, scoring, arrays.days, path, None, penalties, constant)


def compared_growth(
    spec: SimulationSpec, scoring: ScoreSpec, arrays: MarketArrays, settings: Settings, candidates: Candidates
) -> Float[Array, "day ..."] | None:
    """log growth of the constant-weight pool that candidates are compared with, at each day's first bar.

    One for all of them, unless each has initial weights of its own. None where no metric reads it.
    """
    if "information_ratio" not in scoring.names:
        return None
    if not scoring.own_weights:
        return arrays.days.constant_weight
    days, weights = arrays.days, candidates.initial_weights
    if spec.engine == "with_costs":
        still = replace(spec, rule="constant_weight")
        path = simulate(still, arrays, settings, candidates, Cadence.DAILY)
        return jnp.log(daily_values(path, days, spec))
    arb_price = days.arb_price[:-1]  # perfect arbitrage: log V moves by Σ w Δ log p
    held = jnp.tensordot(days.price[:-1] / arb_price, weights, axes=1)
    return jnp.tensordot(jnp.log(arb_price / arb_price[0]), weights, axes=1) + jnp.log(held)


def _reduction(spec: SimulationSpec, scoring: ScoreSpec) -> Reduction:
    """What is kept of the minute values, on a track for the periods and one for the windows."""
    needs = needs_of_score(scoring)
    marks = tuple(track(slices, spec.n_days) for slices in tracks_of(scoring))
    return Reduction(
        start=lambda like: start_days(like, needs, len(marks), spec.bars_per_day),
        day=lambda state, values, flows, marked: summarise_day(state, values, flows.inside, flows.into, marked, needs),
        marks=marks,
        flows=needs.flows,
    )


def tracks_of(scoring: ScoreSpec) -> tuple[tuple[Days, ...], ...]:
    """Slices that do not overlap, together: train and validation, and the windows where there are several."""
    periods = (scoring.train, scoring.validation)
    return (periods,) if scoring.windows == (scoring.train,) else (periods, scoring.windows)


def score_path(
    spec: SimulationSpec,
    scoring: ScoreSpec,
    boundaries: DayInputs,
    path: BoundaryPath | CostPath,
    rebuilt: MinutePath | None,
    penalties: Penalties,
    constant_weight: Float[Array, "day ..."] | None,
) -> Scores:
    """Score a finished simulation, from the rebuilt minutes if they are given; `constant_weight` as in `slice_path`."""
    tracks = tracks_of(scoring)

    def measured(days: Days, names: Sequence[str]) -> dict[str, Array]:
        summary: SliceSummary | None = None
        if path.kept is not None:
            number = next(number for number, slices in enumerate(tracks) if days in slices)
            summary = path.kept.part(*days, number)
        part = slice_path(path, rebuilt, boundaries, spec, days, scoring.cadence, summary, constant_weight)
        return evaluate(names, part, spec.bars_per_day)

    def turned_over(days: Days) -> Array | None:
        return mean_turnover(path, rebuilt, spec, days)

    train = measured(scoring.train, scoring.names)
    first, end = scoring.validation
    validation = measured(scoring.validation, scoring.names) if end > first else {}
    metrics = scoring.metrics or (scoring.metric,)
    windows = [measured(days, metrics) for days in scoring.windows]
    turnovers = [turned_over(days) for days in scoring.windows]
    turnover = None if turnovers[0] is None else jnp.stack([value for value in turnovers if value is not None])
    confirmed_turnover = turned_over(scoring.validation) if validation else None

    def value_of(metric: str) -> Array:
        """The objective, or the three of them, of one metric; higher is better from here on."""
        sign = METRICS[metric].sign
        per_window = sign * jnp.stack([window[metric] for window in windows])
        if scoring.multi_objective:
            return mean_worst_steadiness(less_turnover(per_window, turnover, penalties.turnover))
        confirmed = sign * validation[metric] if validation else None
        how, weights = scoring.how, (penalties.overfitting, penalties.turnover)
        return objective(per_window, confirmed, turnover, confirmed_turnover, how, *weights)[None]

    values = jnp.concatenate([value_of(metric) for metric in metrics])
    return Scores(values, train, validation, _block_sums(spec, scoring, boundaries, path, rebuilt))


def _block_sums(
    spec: SimulationSpec,
    scoring: ScoreSpec,
    boundaries: DayInputs,
    path: BoundaryPath | CostPath,
    rebuilt: MinutePath | None,
) -> Array | None:
    if scoring.blocks == 0:
        return None
    assert boundaries.constant_weight is not None
    part = slice_path(path, rebuilt, boundaries, spec, scoring.train, Cadence.DAILY)
    first, end = scoring.train
    return block_sums(log_daily(part), boundaries.constant_weight[first:end], scoring.blocks)


def score_candidates(
    spec: SimulationSpec,
    scoring: ScoreSpec,
    arrays: MarketArrays,
    settings: Settings,
    penalties: Penalties,
    candidates: Candidates,
    group: int | None = None,
) -> Scores:
    """`score` of a batch, or where a group is given `group` candidates at a time, to bound the memory."""

    def run(some: Candidates) -> Scores:
        return score(spec, scoring, arrays, settings, penalties, some)

    if group is None:
        return run(candidates)
    groups = jax.tree.map(lambda x: jnp.moveaxis(x.reshape(*x.shape[:-1], -1, group), -2, 0), candidates)
    found: Scores = jax.lax.map(run, groups)
    return jax.tree.map(lambda x: jnp.moveaxis(x, 0, -2).reshape(*x.shape[1:-1], -1), found)
