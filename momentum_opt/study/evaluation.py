"""Scoring (SPEC §11, §12): a batch of parameter sets in, objective and metrics of train and validation out.

One jitted function does simulation, slices, metrics and objective; prices, parameters, settings and penalties are
traced, so a study compiles once.
"""

import copy
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from momentum_opt.metrics.objective import less_turnover, mean_worst_steadiness, objective
from momentum_opt.metrics.ratios import LOG_FLOOR
from momentum_opt.metrics.registry import cadence_of, evaluate
from momentum_opt.metrics.summary import SliceSummary, needs_of, start_days, summarise_day, track
from momentum_opt.simulation.costs import CostPath, Reduction
from momentum_opt.simulation.engine import BoundaryPath, simulate
from momentum_opt.simulation.external_bars import external_bars
from momentum_opt.simulation.inputs import DayInputs, MarketArrays, market_arrays
from momentum_opt.simulation.minutes import MinuteInputs, MinutePath, minute_inputs, rebuild_minutes
from momentum_opt.simulation.spec import SimulationSpec, simulation_spec
from momentum_opt.simulation.trajectory import Candidates, Settings
from momentum_opt.study.block_sums import Sums, block_sums, with_counts
from momentum_opt.study.candidates import ParamColumns, ParamSet, as_columns, settings_of, stack_columns
from momentum_opt.study.slices import mean_turnover, slice_path
from momentum_opt.vocabulary.metrics import METRICS, Cadence
from momentum_opt.vocabulary.names import Aggregate

RECORDED = tuple(name for name, info in METRICS.items() if info.cadence <= Cadence.LAST_MINUTE)
"""Metrics that every trial records besides its objective's: those that need no minute values."""

MINUTE_GROUP = 8
"""Candidates whose minute values are held at once, where a metric needs them and the engine has to rebuild them."""

FEWEST_PER_THREAD = 64
"""Candidates below which a thread of its own does not pay."""


@dataclass(frozen=True)
class ScoreSpec:
    """Static description of the scoring of one simulation.

    Attributes:
        windows: train windows of the objective, in days from start.
        train: all train days.
        validation: validation days; empty where first equals last.
        metric: the objective's metric.
        names: all metrics that are returned.
        how: aggregate over the windows.
        multi_objective: return (mean, worst, −std) instead of one number.
        cadence: how much of the simulation all of it needs.
        blocks: S, blocks of train days whose sums are kept (SPEC §13).
        shares: whether the turnover needs the value shares of every bar.
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


class Penalties(NamedTuple):
    """Traced weights of the objective's penalties."""

    overfitting: Float[Array, ""]
    turnover: Float[Array, ""]


class Scores(NamedTuple):
    """What a batch is told, candidates last."""

    objectives: Float[Array, "objective *batch"]
    """One row, or (mean, worst, −std)."""
    train: dict[str, Float[Array, "*batch"]]
    validation: dict[str, Float[Array, "*batch"]]
    blocks: Float[Array, "row column *batch"] | None = None
    """`block_sums` of train, where the constant-weight pool is known."""


def score_spec(fingerprint: Fingerprint, spec: SimulationSpec) -> ScoreSpec:
    """What to compute for every trial of `fingerprint`."""
    aim, periods = fingerprint.objective, fingerprint.periods
    names = tuple(dict.fromkeys((aim.metric, *RECORDED)))
    needs_shares = aim.turnover_penalty > 0 and (spec.arb > 1 or spec.engine == "with_costs")
    return ScoreSpec(
        windows=periods.train_windows(aim.windows),
        train=periods.train,
        validation=periods.validation,
        metric=aim.metric,
        names=names,
        how=aim.aggregate,
        multi_objective=aim.multi_objective,
        cadence=Cadence.MINUTE if needs_shares else cadence_of(names),
        blocks=fingerprint.evidence.blocks,
        shares=needs_shares,
    )


def penalties_of(fingerprint: Fingerprint, dtype: Any) -> Penalties:
    """The traced penalties of the objective."""
    aim = fingerprint.objective
    return Penalties(jnp.asarray(aim.overfitting_penalty, dtype), jnp.asarray(aim.turnover_penalty, dtype))


def score(
    spec: SimulationSpec,
    scoring: ScoreSpec,
    arrays: MarketArrays,
    minutes: MinuteInputs | None,
    settings: Settings,
    penalties: Penalties,
    candidates: Candidates,
) -> Scores:
    """Simulate and score candidates.

    `minutes` is needed where the cadence is MINUTE and the engine the one without costs, which rebuilds them; the loop
    with costs has them anyway, and reduces them day by day.
    """
    reduction = _reduction(spec, scoring) if spec.engine == "with_costs" and scoring.cadence == Cadence.MINUTE else None
    path = simulate(spec, arrays, settings, candidates, scoring.cadence, reduction)
    rebuilt = None
    if scoring.cadence == Cadence.MINUTE and reduction is None:
        assert isinstance(path, BoundaryPath)
        assert path.blocks is not None
        assert minutes is not None
        rebuilt = rebuild_minutes(path.blocks, minutes, spec)
    return score_path(spec, scoring, arrays.days, path, rebuilt, penalties)


def _reduction(spec: SimulationSpec, scoring: ScoreSpec) -> Reduction:
    """What is kept of the minute values: what the metrics need, on a track for the periods and one for the windows."""
    needs = needs_of(scoring.names)
    marks = tuple(track(slices, spec.n_days) for slices in _tracks(scoring))
    return Reduction(
        start=lambda like: start_days(like, needs, len(marks), spec.bars_per_day),
        day=lambda state, values, marked: summarise_day(state, values, marked, needs),
        marks=marks,
        turnover=scoring.shares,
    )


def _tracks(scoring: ScoreSpec) -> tuple[tuple[Days, ...], ...]:
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
) -> Scores:
    """Score a finished simulation; from the rebuilt minutes where they are given."""
    tracks = _tracks(scoring)

    def measured(days: Days, names: Sequence[str]) -> dict[str, Array]:
        summary: SliceSummary | None = None
        if isinstance(path, CostPath) and path.kept is not None:
            number = next(number for number, slices in enumerate(tracks) if days in slices)
            summary = path.kept.part(*days, number)
        part = slice_path(path, rebuilt, boundaries, spec, days, scoring.cadence, summary)
        return evaluate(names, part, spec.bars_per_day)

    def turned_over(days: Days) -> Array | None:
        return mean_turnover(path, rebuilt, boundaries, spec, days)

    train = measured(scoring.train, scoring.names)
    first, end = scoring.validation
    validation = measured(scoring.validation, scoring.names) if end > first else {}
    per_window = jnp.stack([measured(days, [scoring.metric])[scoring.metric] for days in scoring.windows])
    turnovers = [turned_over(days) for days in scoring.windows]
    turnover = None if turnovers[0] is None else jnp.stack([value for value in turnovers if value is not None])
    if scoring.multi_objective:
        values = mean_worst_steadiness(less_turnover(per_window, turnover, penalties.turnover))
    else:
        values = objective(
            per_window,
            validation.get(scoring.metric),
            turnover,
            turned_over(scoring.validation) if validation else None,
            scoring.how,
            penalties.overfitting,
            penalties.turnover,
        )[None]
    return Scores(values, train, validation, _block_sums(spec, scoring, boundaries, path, rebuilt))


def _block_sums(
    spec: SimulationSpec,
    scoring: ScoreSpec,
    boundaries: DayInputs,
    path: BoundaryPath | CostPath,
    rebuilt: MinutePath | None,
) -> Array | None:
    if boundaries.constant_weight is None:
        return None
    part = slice_path(path, rebuilt, boundaries, spec, scoring.train, Cadence.DAILY)
    first, end = scoring.train
    # The same logarithm as the daily Sharpe ratio's, so that it is taken once.
    return block_sums(jnp.log(part.daily + LOG_FLOOR), boundaries.constant_weight[first:end], scoring.blocks)


def _score_batch(
    spec: SimulationSpec,
    scoring: ScoreSpec,
    arrays: MarketArrays,
    minutes: MinuteInputs | None,
    settings: Settings,
    penalties: Penalties,
    candidates: Candidates,
) -> Scores:
    """`score` of a batch; where minute values are rebuilt, a few candidates at a time, so that memory stays bounded."""

    def run(some: Candidates) -> Scores:
        return score(spec, scoring, arrays, minutes, settings, penalties, some)

    if scoring.cadence < Cadence.MINUTE or spec.engine == "with_costs":
        return run(candidates)
    return _in_groups(run, candidates)


def _in_groups(run: Callable[[Any], Scores], lanes: Any) -> Scores:
    """`run` on `MINUTE_GROUP` candidates at a time; candidates are the last axis of everything in `lanes`."""
    groups = jax.tree.map(lambda x: jnp.moveaxis(x.reshape(*x.shape[:-1], -1, MINUTE_GROUP), -2, 0), lanes)
    scores = jax.lax.map(run, groups)
    return jax.tree.map(lambda x: jnp.moveaxis(x, 0, -2).reshape(*x.shape[1:-1], -1), scores)


score_batch = partial(jax.jit, static_argnums=(0, 1))(_score_batch)
"""The batch of `score`, compiled."""

score_batch_with_costs = partial(jax.jit, static_argnums=(0, 1), compiler_options={"xla_cpu_prefer_vector_width": 512})(
    _score_batch
)
"""The same for the loop over the minutes, which on a CPU that has them runs almost twice as fast in wide registers."""


@lru_cache(maxsize=16)
def compiled_with_costs(
    spec: SimulationSpec, scoring: ScoreSpec, structure: Any, shapes: tuple[jax.ShapeDtypeStruct, ...]
) -> Any:
    """`score_batch_with_costs` compiled for arguments of these shapes, before threads share it and race to compile.

    Kept for all evaluators, so that a sweep over fees compiles once.
    """
    return score_batch_with_costs.lower(spec, scoring, *jax.tree.unflatten(structure, shapes)).compile()


def _threads(spec: SimulationSpec, batch_size: int) -> int:
    """Cores that share a batch of the loop over the minutes; one where the batch is small, or on an accelerator."""
    if spec.engine != "with_costs" or jax.default_backend() != "cpu":
        return 1
    return max(1, min(_cores(), batch_size // FEWEST_PER_THREAD))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class BatchScores(NamedTuple):
    """Scores of a batch on the host, one row per candidate in the order given."""

    objectives: NDArray[np.float64]
    """(candidate, objective); not finite where the candidate failed."""
    train: dict[str, NDArray[np.float64]]
    validation: dict[str, NDArray[np.float64]]
    blocks: Sums | None = None
    """(candidate, row, column) sums of train, where the constant-weight pool is known."""


class Evaluator:
    """Scores batches of one fingerprint on one market.

    Args:
        fingerprint: what to simulate and how to score it.
        market: prices from the burn-in to the end of the last period.
        batch_size: the compiled width, unless the fingerprint's `batch_limit` is smaller; shorter batches are padded to
            it and longer ones cut into it. Where minute values are rebuilt it is rounded up to whole `MINUTE_GROUP`s.
        precision: of the simulation; the host side is always float64.
        constant_weight: (day,) from `constant_weight_log_growth`; with it the scores hold sums per block of train days.
    """

    def __init__(
        self,
        fingerprint: Fingerprint,
        market: Market,
        *,
        batch_size: int,
        precision: str = "float64",
        constant_weight: NDArray[np.float64] | None = None,
    ) -> None:
        self.fingerprint = fingerprint
        spec = simulation_spec(
            fingerprint,
            bar_minutes=market.bar_minutes,
            burn_in_days=market.burn_in_days,
            external=market.external,
        )
        self.scoring = score_spec(fingerprint, spec)
        self._dtype = jnp.dtype(precision)
        needs_minutes = self.scoring.cadence == Cadence.MINUTE
        self.spec = replace(spec, every_bar=spec.every_bar or needs_minutes)
        self._rebuilds = needs_minutes and spec.engine != "with_costs"
        self._set_width(batch_size)
        external = external_bars(market, self.spec.n_bars)
        arrays = market_arrays(market.prices, market.start_row, self.spec, external)
        if constant_weight is not None:
            arrays = arrays._replace(days=arrays.days._replace(constant_weight=jnp.asarray(constant_weight)))
        self._arrays = self._cast(arrays)
        inputs = minute_inputs(market.prices, market.start_row, self.spec) if self._rebuilds else None
        self._minutes = self._cast(inputs)
        self._settings = settings_of(fingerprint, self._dtype)
        self._penalties = penalties_of(fingerprint, self._dtype)

    @property
    def callers(self) -> int:
        """How many threads may call `score` at once with profit: a batch without costs keeps one core of a CPU busy."""
        return _cores() if self.spec.engine != "with_costs" and jax.default_backend() == "cpu" else 1

    def of_width(self, batch_size: int) -> "Evaluator":
        """The same evaluator, its inputs shared, compiled for batches of another size."""
        other = copy.copy(self)
        other._set_width(batch_size)
        return other

    def score(self, sets: Sequence[ParamSet]) -> BatchScores:
        """Score parameter sets: one call and one transfer back for every `width` of them."""
        return self.score_columns(as_columns(sets))

    def score_columns(self, columns: ParamColumns) -> BatchScores:
        """The same for candidates that lie side by side already."""
        count = next(iter(columns.values())).shape[1]
        pieces = [
            self._score_piece({name: values[:, first : first + self.width] for name, values in columns.items()})
            for first in range(0, count, self.width)
        ]
        return jax.tree.map(lambda *parts: np.concatenate(parts), *pieces)

    def _set_width(self, batch_size: int) -> None:
        width = min(batch_size, self.fingerprint.device.batch_limit or batch_size)
        self._threads = _threads(self.spec, width)
        unit = self._threads * (MINUTE_GROUP if self._rebuilds else 1)
        self.width = -(-width // unit) * unit

    def _score_piece(self, columns: ParamColumns) -> BatchScores:
        count = next(iter(columns.values())).shape[1]
        candidates = stack_columns(columns, self.width, self._dtype)
        scores = self._run_with_costs(candidates) if self.spec.engine == "with_costs" else self._run(candidates)
        host = jax.tree.map(lambda x: np.asarray(x, np.float64)[..., :count], jax.device_get(scores))
        blocks = None if host.blocks is None else with_counts(host.blocks, self._observations)
        return BatchScores(host.objectives.T, host.train, host.validation, blocks)

    @property
    def _observations(self) -> int:
        first, end = self.scoring.train
        return end - first - 1

    def _run(self, candidates: Candidates) -> Scores:
        return score_batch(
            self.spec, self.scoring, self._arrays, self._minutes, self._settings, self._penalties, candidates
        )

    def _run_with_costs(self, candidates: Candidates) -> Scores:
        """One thread per core, each with its share of the candidates: XLA itself uses one core of a loop like this."""
        inputs = (self._arrays, self._minutes, self._settings, self._penalties)
        share = self.width // self._threads
        parts = [
            jax.tree.map(lambda x, first=first: x[:, first : first + share], candidates)
            for first in range(0, self.width, share)
        ]
        leaves, structure = jax.tree.flatten((*inputs, parts[0]))
        shapes = tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves)
        compiled = compiled_with_costs(self.spec, self.scoring, structure, shapes)
        with ThreadPoolExecutor(self._threads) as pool:
            scores = list(pool.map(lambda part: jax.device_get(compiled(*inputs, part)), parts))
        return jax.tree.map(lambda *each: np.concatenate(each, axis=-1), *scores)

    def _cast(self, tree: Any) -> Any:
        def cast(x: Array) -> Array:
            return x.astype(self._dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x

        return jax.tree.map(cast, tree)
