"""Improve whole batches of starting points by differential evolution and gradient ascent, in one compiled call.

The lanes of a batch form islands, populations of `ISLAND` lanes that evolve apart from each other, on a ring. Each lane
keeps the best point that it has scored. A generation proposes for every lane, in units of the search ranges,

    t = x + F (x_best − x) + F (x_r1 − x_r2), each number taken from t with probability CR, else from x,

where x_best is the best and x_r1, x_r2 are any of the lanes at most `NEIGHBOURS` places away (the local model of Das,
Abraham, Chakraborty and Konar, IEEE Transactions on Evolutionary Computation 13(3), 2009), and a proposal replaces its
lane where it scores better. A good point spreads slowly round the ring, so an island goes on looking in many places;
that finds narrow optima which a population that all follows its best lanes passes by. An island may be tied: some of
its numbers are copies of others in every lane, so it searches a part of the space of fewer dimensions. F and CR adapt
as in JADE (Zhang and Sanderson, ibid. 13(5), 2009). Then Adam (Kingma and Ba, 2015) climbs from every lane along the
exact gradient of the objective, with steps that shrink by a cosine. Where metrics have limits, lanes are compared by
Deb's rules (`limits`), and one that breaks a limit descends its violation instead. Both halves act on all lanes at
once, so the engine's vectors stay full.

Improvement is done in single precision, which doubles its speed: what it finds is scored anew before it is told. With
limits it is done in double, because a point on the edge of a limit must lie on its right side, and with approx_optimal
weights, which lose a hundredth of the objective to rounding in single precision.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.arrays import Array, Float
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.simulation.spec import SimulationSpec
from momentum_opt.simulation.trajectory import Candidates
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.gradients import differentiable_scores, objective_alone
from momentum_opt.study.limits import INFEASIBLE, Limits, excesses, infeasible_merit, limits_of, violation_of
from momentum_opt.study.scoring import Scores, ScoreSpec, score
from momentum_opt.study.sharding import choose_devices, on_all, run_shares
from momentum_opt.study.space import SearchSpace

LANES_PER_TRIAL: Final = 8
"""Lanes that are improved for every trial of a batch; the best are told."""
ISLAND: Final = 128
"""Lanes of a population; a batch is made up of whole ones, and of one smaller one where it has fewer lanes."""
NEIGHBOURS: Final = 4
"""How many places away on the ring a lane looks, to either side."""
ADAPTATION: Final = 0.1
"""Share by which the means of F and CR move towards those of the generation's successful proposals."""
SPREAD: Final = 0.1
"""Scale of the Cauchy draws of F and of the normal ones of CR about their means."""
SMALLEST_STEP: Final = 0.05
"""F at least; also the last step of the ascent as a share of its first."""
FIRST_STEP: Final = 0.02
"""Step of the ascent at its beginning, in units of the ranges."""
MOMENTUM: Final = 0.9
MEAN_SQUARE: Final = 0.99
"""Decays of Adam's averages of the gradient and of its square."""

_DRAWS: Final = 5
"""Rows of random numbers that a generation needs besides one per sampled number."""

Units = NDArray[np.float64]
Population = Float[Array, "key island lane"]
Fitness = Float[Array, "island lane"]


class Bounds(NamedTuple):
    """What units are turned into, traced: ranges may be narrowed without compiling anew."""

    low: Float[Array, "key 1"]
    high: Float[Array, "key 1"]
    start: dict[str, Float[Array, "asset 1"]]
    """Values of the parameters that are not sampled."""


@dataclass(frozen=True)
class Layout:
    """Where the parameters stand among the sampled numbers; hashable.

    Attributes:
        names: the sampled parameters, in order.
        counts: how many numbers each has, one per token or one for all of them.
        logs: for each number whether its range is logarithmic.
        n_assets: tokens.
    """

    names: tuple[str, ...]
    counts: tuple[int, ...]
    logs: tuple[bool, ...]
    n_assets: int

    @classmethod
    def of(cls, space: SearchSpace, n_assets: int) -> "Layout":
        """That of a search space."""
        return cls(
            tuple(one.name for one in space.sampled),
            tuple(len(one.keys) for one in space.sampled),
            tuple(bounds.log_scale for bounds in space.ranges.values()),
            n_assets,
        )

    def numbers(self, units: Float[Array, "key lane"], bounds: Bounds) -> Float[Array, "key lane"]:
        """Units of the ranges as numbers of a trial, as `sample_in_range` has them."""
        linear = bounds.low + units * (bounds.high - bounds.low)
        if not any(self.logs):
            return linear
        logs = np.array(self.logs)[:, None]
        low = jnp.where(logs, bounds.low, 1.0)
        return jnp.where(logs, low * (jnp.where(logs, bounds.high, 1.0) / low) ** units, linear)

    def candidates(self, units: Float[Array, "key lane"], bounds: Bounds, floor: Float[Array, ""]) -> Candidates:
        """The parameter sets that the units stand for."""
        numbers, lanes = self.numbers(units, bounds), units.shape[1]
        shape = (self.n_assets, lanes)
        params = {name: jnp.broadcast_to(value, shape) for name, value in bounds.start.items()}
        first = 0
        for name, count in zip(self.names, self.counts, strict=True):
            params[name] = jnp.broadcast_to(numbers[first : first + count], shape)
            first += count
        weights = params.pop("initial_weights", None)
        logits = params.pop("initial_weights_logits", None)
        if weights is None:
            assert logits is not None
            weights = jax.nn.softmax(logits, axis=0)
            if "initial_weights_logits" in self.names:
                weights = nearest_weights(weights, floor)
        return Candidates(weights, params)


def nearest_weights(weights: Float[Array, "asset lane"], floor: Float[Array, ""]) -> Float[Array, "asset lane"]:
    """The weights nearest to `weights` (which sum to one) of which none is below `floor`: max(w − θ, floor), Σ = 1."""
    n = weights.shape[0]
    above = jnp.sort(weights - floor, axis=0)[::-1]
    free = 1.0 - n * floor
    counts = jnp.arange(1, n + 1)[:, None]
    thresholds = (jnp.cumsum(above, axis=0) - free) / counts
    kept = jnp.sum(above > thresholds, axis=0, keepdims=True)
    threshold = jnp.take_along_axis(thresholds, kept - 1, axis=0)
    return jnp.maximum(weights - floor - threshold, 0.0) + floor


@dataclass(frozen=True)
class Effort:
    """How long a batch is improved.

    Attributes:
        generations: of the evolution.
        steps: of the ascent that follows.
    """

    generations: int
    steps: int

    @property
    def points(self) -> int:
        """Points that are scored in each lane: the start, every generation's, and the ascent's."""
        return 1 + self.generations + (self.steps + 1 if self.steps else 0)


class Improved(NamedTuple):
    """A batch after its improvement, on the host; lanes last."""

    units: Units
    """(key, lane) the best point of each lane, in units of the ranges."""
    objectives: NDArray[np.float64]
    """(lane,) their merits as the engine of the proposals scores them; −inf where none could be scored."""


class _Evolving(NamedTuple):
    units: Population
    fitness: Fitness
    mean_f: Float[Array, " island"]
    mean_cr: Float[Array, " island"]


class _Climbing(NamedTuple):
    units: Float[Array, "key lane"]
    momentum: Float[Array, "key lane"]
    square: Float[Array, "key lane"]
    best: Float[Array, "key lane"]
    fitness: Float[Array, " lane"]


class _Scored(NamedTuple):
    """What the lanes climb, and what they are compared by."""

    climbed: Float[Array, " lane"]
    """The objective; minus the violation where a limit is broken; −inf where there is none."""
    fitness: Float[Array, " lane"]
    """The merit (`limits`); −inf where there is none."""


def _scored(scores: Scores, limits: Limits) -> _Scored:
    objective = scores.objectives[0]
    if not limits:
        fitness = jnp.where(jnp.isfinite(objective), objective, -jnp.inf)
        return _Scored(fitness, fitness)
    violation = violation_of(excesses(scores.train, limits))
    broken, known = violation > 0.0, jnp.isfinite(objective) & jnp.isfinite(violation)
    climbed = jnp.where(broken, -violation, objective)
    fitness = jnp.where(broken, infeasible_merit(violation), objective)
    return _Scored(jnp.where(known, climbed, -jnp.inf), jnp.where(known, fitness, -jnp.inf))


class _Improvement:
    """The compiled program: units and random numbers of whole islands in one array, their best points in another."""

    def __init__(self, spec: SimulationSpec, scoring: ScoreSpec, layout: Layout, effort: Effort, island: int) -> None:
        self._static = spec, scoring
        self._layout = layout
        self._effort = effort
        self._island = island
        self.identity = repr((type(self).__name__, spec, scoring, layout, effort, island))
        self.facts: None = None

    def __call__(self, inputs: tuple[Any, ...], rows: Array) -> Array:
        arrays, settings, penalties, bounds, limits = inputs

        def scored_by(compute: Any) -> Any:
            def scored(units: Float[Array, "key lane"]) -> _Scored:
                candidates = self._layout.candidates(units, bounds, settings.minimum_weight)
                return _scored(compute(*self._static, arrays, settings, penalties, candidates), limits)

            return scored

        def objective(units: Float[Array, "key lane"]) -> Float[Array, " lane"]:
            return scored_by(score)(units).fitness

        keys, lanes = len(self._layout.logs), rows.shape[1]
        shape = keys, lanes // self._island, self._island
        units, ties = rows[:keys], rows[keys : 2 * keys].astype(jnp.int32)
        draws = rows[2 * keys :].reshape(self._effort.generations, _DRAWS + keys, *shape[1:])
        fitness = objective(units)
        start = units.reshape(shape), fitness.reshape(shape[1:])
        units, fitness = _evolved(objective, *start, ties.reshape(shape), draws)
        best, found = units.reshape(keys, lanes), fitness.reshape(lanes)
        if self._effort.steps:
            best, found = _climbed(scored_by(differentiable_scores), best, found, self._effort.steps)
        return jnp.concatenate([best, found[None]])


_improvement = lru_cache(maxsize=8)(_Improvement)
"""Always the same one for the same static values, so that it is compiled once."""


def _evolved(
    objective: Any, units: Population, fitness: Fitness, ties: Array, draws: Float[Array, "generation row island lane"]
) -> tuple[Population, Fitness]:
    """The islands after as many generations as there are draws; `ties` is (key, island, lane)."""
    keys, islands, lanes = units.shape

    def generation(state: _Evolving, drawn: Float[Array, "row island lane"]) -> tuple[_Evolving, None]:
        f = jnp.clip(state.mean_f[:, None] + SPREAD * drawn[0], SMALLEST_STEP, 1.0)
        cr = jnp.clip(state.mean_cr[:, None] + SPREAD * drawn[1], 0.0, 1.0)
        proposed = jnp.take_along_axis(_proposals(state, f, cr, drawn[2:]), ties, axis=0)
        values = objective(proposed.reshape(keys, -1)).reshape(islands, lanes)
        better = values > state.fitness
        mean_f, mean_cr = _adapted(state, f, cr, better, values)
        return _Evolving(
            jnp.where(better, proposed, state.units), jnp.where(better, values, state.fitness), mean_f, mean_cr
        ), None

    middle = jnp.full(islands, 0.5, units.dtype)
    state, _ = jax.lax.scan(generation, _Evolving(units, fitness, middle, middle), draws)
    return state.units, state.fitness


def _proposals(state: _Evolving, f: Fitness, cr: Fitness, drawn: Float[Array, "row island lane"]) -> Population:
    """One proposal per lane, inside the ranges: what would leave them stops half-way."""
    units = state.units
    keys, _, lanes = units.shape
    reach = min(NEIGHBOURS, (lanes - 1) // 2)
    own = jnp.arange(lanes)

    def lanes_at(away: Array) -> Population:
        places = (own + away - reach) % lanes
        return jnp.take_along_axis(units, jnp.broadcast_to(places, (keys, *places.shape)), axis=2)

    near = jnp.stack([jnp.roll(state.fitness, reach - away, axis=1) for away in range(2 * reach + 1)])
    one, other = (lanes_at(_index(row, 2 * reach + 1)) for row in drawn[:2])
    moved = units + f * (lanes_at(jnp.argmax(near, axis=0)) - units) + f * (one - other)
    moved = jnp.where(moved < 0.0, units / 2.0, jnp.where(moved > 1.0, (1.0 + units) / 2.0, moved))
    always = jnp.arange(keys)[:, None, None] == _index(drawn[2], keys)
    return jnp.where(always | (drawn[3:] < cr), moved, units)


def _index(unit: Float[Array, "*shape"], count: int) -> Array:
    """A number in [0, 1) as one of `count` places."""
    return jnp.minimum((unit * count).astype(jnp.int32), count - 1)


def _adapted(state: _Evolving, f: Fitness, cr: Fitness, better: Array, values: Fitness) -> tuple[Array, Array]:
    """The means of F (Lehmer's) and CR moved towards those of the proposals that were better, weighted by gain.

    What improves on a lane without an objective, or on one that breaks a limit, counts as a gain of one.
    """
    known = state.fitness > -INFEASIBLE
    gain = jnp.where(better, jnp.where(known, values - jnp.where(known, state.fitness, 0.0), 1.0), 0.0)
    total = jnp.sum(gain, axis=1)
    some = total > 0.0
    weight = gain / jnp.where(some, total, 1.0)[:, None]
    first = jnp.sum(weight * f, axis=1)
    lehmer = jnp.sum(weight * f * f, axis=1) / jnp.where(some, first, 1.0)

    def moved(mean: Array, towards: Array) -> Array:
        return jnp.where(some, mean + ADAPTATION * (towards - mean), mean)

    return moved(state.mean_f, lehmer), moved(state.mean_cr, jnp.sum(weight * cr, axis=1))


def _climbed(
    scored: Any, units: Float[Array, "key lane"], fitness: Float[Array, " lane"], steps: int
) -> tuple[Float[Array, "key lane"], Float[Array, " lane"]]:
    """The best point of every lane after `steps` of ascent, and its fitness."""

    def total(units: Float[Array, "key lane"]) -> tuple[Array, Array]:
        climbed, fitness = scored(units)
        return jnp.sum(jnp.where(jnp.isfinite(climbed), climbed, 0.0)), fitness

    def kept(state: _Climbing, values: Float[Array, " lane"]) -> _Climbing:
        better = values > state.fitness
        return state._replace(
            best=jnp.where(better, state.units, state.best), fitness=jnp.where(better, values, state.fitness)
        )

    def step(state: _Climbing, number: Float[Array, ""]) -> tuple[_Climbing, None]:
        slope, values = jax.grad(total, has_aux=True)(state.units)
        slope = jnp.where(jnp.isfinite(slope), slope, 0.0)
        state = kept(state, values)
        momentum = MOMENTUM * state.momentum + (1.0 - MOMENTUM) * slope
        square = MEAN_SQUARE * state.square + (1.0 - MEAN_SQUARE) * slope * slope
        scaled = (momentum / (1.0 - MOMENTUM ** (number + 1.0))) / (
            jnp.sqrt(square / (1.0 - MEAN_SQUARE ** (number + 1.0))) + 1e-12
        )
        share = SMALLEST_STEP + (1.0 - SMALLEST_STEP) * 0.5 * (1.0 + jnp.cos(jnp.pi * number / steps))
        units = jnp.clip(state.units + FIRST_STEP * share * scaled, 0.0, 1.0)
        return state._replace(units=units, momentum=momentum, square=square), None

    still = jnp.zeros_like(units)
    start = _Climbing(units, still, still, units, fitness)
    end, _ = jax.lax.scan(step, start, jnp.arange(steps, dtype=units.dtype))
    end = kept(end, scored(end.units).fitness)
    return end.best, end.fitness


class Improver:
    """Improve batches of starting points on the engine of an evaluator.

    Args:
        evaluator: whose objective is climbed; its engine must not have costs, and its metric must not need minutes.
        space: what the units stand for.
        batch_size: trials of a batch.
        effort: how long each lane is improved.

    Attributes:
        island: lanes of a population.
        width: lanes of a batch.
        keys: sampled numbers.
    """

    def __init__(self, evaluator: Evaluator, space: SearchSpace, batch_size: int, effort: Effort) -> None:
        self.effort = effort
        lanes = LANES_PER_TRIAL * batch_size
        self.island = min(ISLAND, lanes)
        self.width = -(-lanes // self.island) * self.island
        self.keys = len(space.ranges)
        aim = evaluator.fingerprint.objective
        scoring = objective_alone(evaluator.scoring, aim.limits)
        if aim.overfitting_penalty == 0:
            # Validation does not enter then; where its metric is undefined it would take the slopes with it.
            scoring = replace(scoring, validation=(scoring.validation[0],) * 2)
        layout = Layout.of(space, evaluator.spec.n_assets)
        self._program = _improvement(evaluator.spec, scoring, layout, effort, self.island)
        self._devices = _sharing(self.width // self.island)
        exact = bool(aim.limits) or evaluator.spec.method != "linear"
        self._dtype = jnp.dtype("float64" if exact else "float32")
        inputs = *evaluator.inputs, _bounds(space), limits_of(aim)
        self._placed = on_all(jax.tree.map(self._cast, inputs), self._devices)

    def improve(self, starts: Units, ties: NDArray[np.intp], rng: np.random.Generator) -> Improved:
        """The best point of every lane.

        Args:
            starts: (key, lane) in units of the ranges, as many as the width.
            ties: (key, lane) the key whose number each number is a copy of, itself where it is free; the same for all
                lanes of an island. The ascent at the end is free.
            rng: of the batch.
        """
        rows = np.concatenate([starts, ties, self._draws(rng)])
        found = run_shares(self._program, self._devices, self._placed, rows.astype(self._dtype)).astype(np.float64)
        return Improved(found[:-1], found[-1])

    def _cast(self, value: Any) -> Array:
        array = jnp.asarray(value)
        return array.astype(self._dtype) if jnp.issubdtype(array.dtype, jnp.floating) else array

    def _draws(self, rng: np.random.Generator) -> Units:
        """Rows of a generation: for F, CR, r1, r2, the number that is always taken, and then for each crossover."""
        shape = self.effort.generations, 1, self.width
        cauchy, normal = rng.standard_cauchy(shape), rng.standard_normal(shape)
        uniform = rng.random((self.effort.generations, _DRAWS - 2 + self.keys, self.width))
        return np.concatenate([cauchy, normal, uniform], axis=1).reshape(-1, self.width)


def _sharing(islands: int) -> tuple[Any, ...]:
    """The local devices that share the islands evenly: as many as possible."""
    devices = choose_devices(islands, 1)
    count = max(count for count in range(1, len(devices) + 1) if islands % count == 0)
    return devices[:count]


def _bounds(space: SearchSpace) -> Bounds:
    low, high = space.bounds
    sampled = {one.name for one in space.sampled}
    fixed = {name: np.asarray(values)[:, None] for name, values in space.start.items() if name not in sampled}
    columns = jnp.asarray(low)[:, None], jnp.asarray(high)[:, None]
    return Bounds(*columns, {name: jnp.asarray(values) for name, values in fixed.items()})


def improver_of(fingerprint: Fingerprint, space: SearchSpace, evaluator: Evaluator) -> Improver | None:
    """That of a study whose sampler is memetic; None for the others, and where the proposals cost what trials do."""
    search = fingerprint.search
    if search.sampler != "memetic" or evaluator.spec.engine == "with_costs":
        return None
    return Improver(evaluator, space, search.batch_size, Effort(search.generations, search.steps))
