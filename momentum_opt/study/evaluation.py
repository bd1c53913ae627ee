"""Score batches of parameter sets with one compiled program, sharded over the devices worth using (SPEC §12)."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.arrays import Array
from momentum_opt.cores import available_cores
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.metrics.summary import Needs
from momentum_opt.simulation.costs import CostPath
from momentum_opt.simulation.engine import BoundaryPath
from momentum_opt.simulation.external_bars import external_bars
from momentum_opt.simulation.free_walk import bars_of, free_kernel_serves, free_kernel_works, walk_without_costs
from momentum_opt.simulation.inputs import MarketArrays, market_arrays
from momentum_opt.simulation.minute_gpu import Choice, Walker, choose_walker, pallas_serves
from momentum_opt.simulation.minute_kernel import LANES
from momentum_opt.simulation.minute_walk import kernel_serves, kernel_works, walk_with_costs
from momentum_opt.simulation.spec import SimulationSpec, simulation_spec
from momentum_opt.simulation.trajectory import Candidates, Settings
from momentum_opt.simulation.values import daily_values
from momentum_opt.simulation.watch import NOTHING
from momentum_opt.study.block_sums import Sums, with_counts
from momentum_opt.study.candidates import ParamColumns, ParamSet, as_columns, settings_of, stack_columns
from momentum_opt.study.constant_weight import compares_with_own_weights, constant_weight_log_growth
from momentum_opt.study.limits import excesses, limits_of, violation_of
from momentum_opt.study.packing import Layout, pack
from momentum_opt.study.scoring import (
    RECORDED,
    Penalties,
    Scores,
    ScoreSpec,
    compared_growth,
    needs_of_score,
    penalties_of,
    score_candidates,
    score_path,
    score_spec,
    tracks_of,
)
from momentum_opt.study.sharding import choose_devices, on_all, run_shares
from momentum_opt.study.trials import not_finite
from momentum_opt.study.watched import watch_of, watched_summary
from momentum_opt.study.width import most_per_device
from momentum_opt.units import counted
from momentum_opt.vocabulary.metrics import Cadence

FEWEST_PER_DEVICE = 64
"""Candidates below which a device of its own does not pay; the kernel's are `LANES`."""

MINUTE_GROUP = 64
"""Candidates whose bars a core goes through at once, where a metric reads minutes and nothing is walked one by one.

More would not stay in the cache between the steps of a block.
"""

score_walked = partial(jax.jit, static_argnums=(0, 1))(score_path)
"""The scores of a simulation that the kernel has done."""


class _PackedScoring:
    """`score_candidates`, packed at both ends. The second result has the layout of the first, and no candidates."""

    def __init__(self, spec: SimulationSpec, scoring: ScoreSpec, candidates: Layout, group: int | None) -> None:
        self._static = spec, scoring
        self._group = group
        self._candidates = candidates
        self.identity = repr((type(self).__name__, spec, scoring, candidates, group))

    def __call__(self, inputs: tuple[Any, ...], rows: Array) -> tuple[Array, Scores]:
        arrays, settings, penalties = inputs
        candidates = self._candidates.unpack(rows)
        scores = score_candidates(*self._static, arrays, settings, penalties, candidates, self._group)
        return pack(scores), jax.tree.map(lambda x: x[..., :0], scores)


packed_scoring = lru_cache(maxsize=64)(_PackedScoring)
"""Always the same one for the same static values, so that it is compiled once."""


class BatchScores(NamedTuple):
    """Scores of a batch on the host, one row per candidate in the order given."""

    objectives: NDArray[np.float64]
    """(candidate, objective); not finite where the candidate failed."""
    train: dict[str, NDArray[np.float64]]
    validation: dict[str, NDArray[np.float64]]
    blocks: Sums | None = None
    """(candidate, row, column) sums of train, where the constant-weight pool is known."""
    excesses: dict[str, NDArray[np.float64]] | None = None
    """Limited metric → (candidate,) by how much it breaks its limit (`limits`); None where nothing is limited."""

    @property
    def violations(self) -> NDArray[np.float64]:
        """(candidate,) the sum of the excesses; not finite where a limited metric is not."""
        return violation_of(self.excesses or {}) + np.zeros(len(self.objectives))

    def problem(self, row: int) -> str | None:
        """Why the candidate in a row fails; None where it does not."""
        if not np.isfinite(self.objectives[row]).all():
            return not_finite(self.objectives[row])
        missing = [name for name, values in (self.excesses or {}).items() if not np.isfinite(values[row])]
        return f"{missing[0]} is not finite ({self.train[missing[0]][row]:g}), and has a limit" if missing else None

    def excesses_of(self, row: int) -> dict[str, float]:
        """Limited metric → excess of the candidate in a row."""
        return {name: float(values[row]) for name, values in (self.excesses or {}).items()}


class Evaluator:
    """Scores batches of one fingerprint on one market.

    Args:
        fingerprint: what to simulate and how to score it.
        market: prices from the burn-in to the end of the last period.
        batch_size: the compiled width, unless `most` is smaller; shorter batches are padded to it and longer ones cut
            into it. It is rounded up to equal shares for the devices, and in them to whole groups.
        precision: of the simulation; the host side is always float64.
        constant_weight: (day,) from `constant_weight_log_growth`; with it the scores hold sums per block of train days.
        own_weights: whether the initial weights may be others than the configuration's; then each candidate is compared
            with a constant-weight pool of its own. None: where the search samples them.
        recorded: metrics besides the objective's and the limited ones.
    """

    def __init__(
        self,
        fingerprint: Fingerprint,
        market: Market,
        *,
        batch_size: int,
        precision: str = "float64",
        constant_weight: NDArray[np.float64] | None = None,
        own_weights: bool | None = None,
        recorded: Sequence[str] = RECORDED,
    ) -> None:
        self.fingerprint = fingerprint
        spec = simulation_spec(
            fingerprint,
            bar_minutes=market.bar_minutes,
            burn_in_days=market.burn_in_days,
            external=market.external,
        )
        own = compares_with_own_weights(fingerprint) if own_weights is None else own_weights
        self.scoring = score_spec(
            fingerprint, spec, sums=constant_weight is not None, own_weights=own, recorded=recorded
        )
        self._dtype = jnp.dtype(precision)
        minutes = self.scoring.cadence == Cadence.MINUTE
        self.spec = replace(spec, every_bar=spec.every_bar or (minutes and spec.arb > 1))
        self._needs = needs_of_score(self.scoring) if minutes else Needs()
        watch = watch_of(self._needs)
        self._watch = watch or NOTHING
        serves = kernel_serves(self.spec, self.scoring.cadence, self._dtype, watch)
        free = free_kernel_serves(self.spec, self.scoring.cadence, self._dtype, watch)
        rebuilds = free and free_kernel_works(self.spec, self._watch)
        self._walks = rebuilds or (serves and kernel_works(self.spec, self._watch))
        self._bars = bars_of(market, self.spec) if rebuilds else None
        self._chooses = pallas_serves(self.spec, self.scoring.cadence, self._dtype)
        self.choice: Choice | None = None
        """What walks the minutes on a GPU, and why; None before the first batch, and where there is no choice."""
        external = external_bars(market, self.spec.n_bars)
        arrays = market_arrays(market.prices, market.start_row, self.spec, external, bars=minutes and not self._walks)
        if constant_weight is None and not own and "information_ratio" in self.scoring.names:
            constant_weight = constant_weight_log_growth(fingerprint, market)
        if constant_weight is not None:
            arrays = arrays._replace(days=arrays.days._replace(constant_weight=jnp.asarray(constant_weight)))
        self._arrays = self._cast(arrays)
        self._settings = settings_of(fingerprint, self._dtype)
        self._penalties = penalties_of(fingerprint, self._dtype)
        self._limits = limits_of(fingerprint.objective)
        self._set_width(batch_size)

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

    @property
    def inputs(self) -> tuple[MarketArrays, Settings, Penalties]:
        """What the engine reads besides the candidates."""
        return self._arrays, self._settings, self._penalties

    @property
    def most(self) -> int:
        """Candidates of the widest batch: `device.batch_limit`, else what the devices hold and are fastest with."""
        limit = self.fingerprint.device.batch_limit
        if limit is not None:
            return limit
        return sum(most_per_device(self.spec, self.scoring, one, self._dtype.itemsize) for one in jax.local_devices())

    @property
    def plan(self) -> str:
        """How many candidates are scored at a time, in a line for the user."""
        parts = self._threads if self._walks else len(self._devices)
        unit = "core" if self._walks or jax.default_backend() == "cpu" else "device"
        where = f" on {counted(parts, unit)}"
        limit = "device.batch_limit" if self.fingerprint.device.batch_limit is not None else ""
        return f"batch of {self.width:,}{where} ({self.most:,} {f'allowed by {limit}' if limit else 'would fit'})"

    def _set_width(self, batch_size: int) -> None:
        width = min(batch_size, self.most)
        self._threads = max(1, min(available_cores(), width // LANES))
        if self._walks:
            self.width = -(-width // self._threads) * self._threads
            return
        self._devices = choose_devices(width, FEWEST_PER_DEVICE)
        reads_bars = self.scoring.cadence == Cadence.MINUTE and self.spec.engine != "with_costs"
        self._group = MINUTE_GROUP if reads_bars and width > MINUTE_GROUP * len(self._devices) else None
        unit = len(self._devices) * (self._group or 1)
        self.width = -(-width // unit) * unit
        self._placed = on_all((self._arrays, self._settings, self._penalties), self._devices)

    def _score_piece(self, columns: ParamColumns) -> BatchScores:
        count = next(iter(columns.values())).shape[1]
        scores: Scores = self._run(stack_columns(columns, self.width, self._dtype))
        host = jax.tree.map(lambda x: np.asarray(x, np.float64)[..., :count], scores)
        blocks = None if host.blocks is None else with_counts(host.blocks, self._observations)
        broken = excesses(host.train, self._limits) if self._limits else None
        return BatchScores(host.objectives.T, host.train, host.validation, blocks, broken)

    @property
    def _observations(self) -> int:
        first, end = self.scoring.train
        return end - first - 1

    def _run(self, candidates: Candidates) -> Scores:
        """Scores of candidates on the host, there too."""
        walker = self._walker_for(candidates)
        if walker == "numba":
            some = jax.tree.map(jnp.asarray, candidates)
            path = self._walked(some)
            if path.kept is not None:
                tracks = len(tracks_of(self.scoring))
                days = watched_summary(path.kept, self._needs, self.spec.bars_per_day, tracks)
                path = path._replace(kept=days)
            constant = self._compared_growth(some)
            scores = score_walked(self.spec, self.scoring, self._arrays.days, path, None, self._penalties, constant)
            return jax.device_get(scores)
        spec = replace(self.spec, minute_loop=walker)
        scoring = packed_scoring(spec, self.scoring, Layout.of(candidates), self._group)
        wide = self.spec.engine == "with_costs" and jax.default_backend() == "cpu"
        packed, layout = run_shares(scoring, self._devices, self._placed, pack(candidates), wide_registers=wide)
        return Layout.of(layout).unpack(packed)

    def _walked(self, candidates: Candidates) -> BoundaryPath | CostPath:
        """The simulation, whose minutes a kernel walks."""
        inputs, how = (self._settings, candidates), (self._threads, self._watch)
        if self._bars is not None:
            return walk_without_costs(self.spec, self._arrays, self._bars, *inputs, *how)
        return walk_with_costs(self.spec, self._arrays, *inputs, *how)

    def _compared_growth(self, candidates: Candidates) -> Array | None:
        """As the function of the same name, for candidates whose minutes a kernel walks."""
        if self._bars is not None:
            return compared_growth(self.spec, self.scoring, self._arrays, self._settings, candidates)
        if not self.scoring.own_weights:
            return self._arrays.days.constant_weight
        still = replace(self.spec, rule="constant_weight")
        path = walk_with_costs(still, self._arrays, self._settings, candidates, self._threads)
        return jnp.log(daily_values(path, self._arrays.days, still))

    def _walker_for(self, candidates: Candidates) -> Walker:
        if not self._chooses:
            return "numba" if self._walks else "xla"
        self.choice = choose_walker(self.spec, self._arrays, self._settings, candidates)
        return self.choice.walker

    def _cast(self, tree: Any) -> Any:
        def cast(x: Array) -> Array:
            return x.astype(self._dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x

        return jax.tree.map(cast, tree)
