"""Choose the starting points of a memetic batch from the finished trials, and have them improved.

A batch follows from the seed, the worker, its number and the trials finished before it alone. The first batches of a
study start from points that no result has led to, except those of a screening: each finds optima of its own. In later
ones half the islands start from the best distinct trials, recombined and mutated, so that what different batches have
found meets, and the others from fresh points, among which an elite would drown what is new. Of the islands of fresh
points every second one gives some tokens the same memory: what their prices have in common then cancels out in the
weights, and the optima that live on it are too narrow to be met by memories that only nearly agree. With costs every
second of the later batches is a refinement: its points are told as they are, scored with full costs, because the best
of an engine without costs are only nearly the best with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from momentum_opt.fingerprint import Fingerprint
from momentum_opt.study.improvement import Improved, Improver
from momentum_opt.study.samplers import sobol_numbers
from momentum_opt.study.space import SearchSpace
from momentum_opt.study.trials import POINTS, START_OF
from momentum_opt.vocabulary.schema import OptunaRange

FIRST_BATCHES: Final = 2
"""Batches of a worker that start from fresh points alone."""
ELITES: Final = 32
"""Trials that later batches breed from, at most."""
DISTANCE: Final = 0.02
"""How far apart they lie at least: the largest difference of their numbers, in units of the ranges."""
FRESH_SHARE: Final = 1 / 2
"""Part of a later batch that starts from fresh points, in whole islands where it has several."""
KEPT_SHARE: Final = 1 / 4
"""Part of a later batch's other points, at most, that are the elites as they are."""
WORST_PARENT: Final = 0.3
"""Chance of the last elite to be a parent, as a multiple of the first one's; linear in between."""
BLEND: Final = 1.5
"""A blended number lies up to (BLEND − 1)/2 beyond either parent, in units of their distance."""
MUTATION: Final = 0.05
"""Standard deviation of a mutated number, in units of its range."""
REFINEMENT: Final = 0.01
"""The same in a refinement."""
MUTATED_SHARE: Final = 0.5
"""Chance of a number to be mutated."""
TIED_SHARE: Final = 0.5
"""Chance of an island of fresh points to have tokens of the same memory."""
MEMORIES: Final = ("logit_lamb", "logit_delta_lamb")
"""Parameters whose numbers are tied then."""

Units = NDArray[np.float64]


@dataclass(frozen=True)
class Proposed:
    """A batch of points to be told.

    Attributes:
        numbers: (lane, key) numbers of the trials.
        starts: (lane, key) where each lane began.
        points: (lane,) how many points were scored for each, a share of the lanes that are not told included.
    """

    numbers: NDArray[np.float64]
    starts: NDArray[np.float64]
    points: Sequence[int]


@dataclass(frozen=True)
class Finished:
    """Finished trials, in the order in which this process came to know them.

    Attributes:
        numbers: (trial, key).
        objectives: (trial,) merits (`limits`), which are the objectives where nothing is limited; −inf where the trial
            failed.
        screened: whether it came from the screening.
    """

    numbers: NDArray[np.float64]
    objectives: NDArray[np.float64]
    screened: NDArray[np.bool_]


class Memetic:
    """Propose batches by evolution with gradient ascent.

    Args:
        space: what is searched.
        improver: how starting points are improved; None: every point is told as it is.
        batch_size: trials of a batch, where nothing is improved.
        seed: of the study.
        worker: which process this is; each has random streams of its own.
        refines: whether trials are scored otherwise than the improver scores, so that refinements are needed.
    """

    def __init__(
        self, space: SearchSpace, improver: Improver | None, batch_size: int, seed: int, worker: int, *, refines: bool
    ) -> None:
        self._ranges = tuple(space.ranges.values())
        self._groups = _alike(space)
        self._bounds = dict(space.ranges)
        self._improver = improver
        self._width = batch_size if improver is None else improver.width
        self._island = self._width if improver is None else improver.island
        self._seed = seed
        self._worker = worker
        self._refines = refines

    def propose(self, finished: Finished, number: int, total: int, size: int, known: Units) -> Proposed:
        """The next batch: the known points as they are, then what the search proposes.

        Args:
            finished: all trials that are known.
            number: how many batches this worker has had before.
            total: trials finished before the batch, without screened ones.
            size: trials that are wanted; of more lanes the best are taken.
            known: (point, key) numbers that are told as they are, and start lanes besides.
        """
        found = self._found(finished, number, total, size - len(known), known)
        return Proposed(
            np.concatenate([known, found.numbers]),
            np.concatenate([known, found.starts]),
            [1] * len(known) + list(found.points),
        )

    def _found(self, finished: Finished, number: int, total: int, size: int, known: Units) -> Proposed:
        rng = np.random.default_rng([self._seed, self._worker, number, total])
        width = self._width
        elites = self._elites(finished) if number >= FIRST_BATCHES else np.zeros((0, len(self._ranges)))
        if len(elites) >= 2 and self._refines and (number - FIRST_BATCHES) % 2:
            numbers = self._numbers(_bred(elites, size, rng, REFINEMENT))
            return Proposed(numbers, numbers, [1] * size)
        fresh = self._n_fresh if len(elites) >= 2 else width
        bred = self._descendants(elites, width - fresh, rng) if fresh < width else elites[:0]
        drawn = self._fresh(finished, number, fresh, rng)
        starts = np.concatenate([self._units(known), bred, drawn])[:width]
        apart_from = width - fresh if self._island < width else width
        starts = starts[np.concatenate([rng.permutation(apart_from), apart_from + rng.permutation(width - apart_from)])]
        if self._improver is None:
            numbers = self._numbers(starts[:size])
            return Proposed(numbers, numbers, [1] * size)
        ties = self._ties(width - fresh, rng)
        starts = np.take_along_axis(starts, ties, axis=1)
        improved = self._improver.improve(np.ascontiguousarray(starts.T), ties.T, rng)
        lanes = _told(improved, size)
        scored = self._improver.effort.points * width
        points = [scored // size + (place < scored % size) for place in range(size)]
        return Proposed(self._numbers(improved.units.T[lanes]), self._numbers(starts[lanes]), points)

    @property
    def _n_fresh(self) -> int:
        islands = self._width // self._island
        return round(FRESH_SHARE * islands) * self._island if islands > 1 else round(FRESH_SHARE * self._width)

    def _ties(self, bred: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """(lane, key) whose number each is a copy of; islands that hold one of the first `bred` lanes are free."""
        ties = np.tile(np.arange(len(self._ranges)), (self._width, 1))
        for first in range(-(-bred // self._island) * self._island, self._width, self._island):
            if rng.random() < TIED_SHARE:
                for group in self._groups:
                    members = rng.permutation(group)[: rng.integers(2, len(group) + 1)]
                    ties[first : first + self._island, members] = members[0]
        return ties

    def _elites(self, finished: Finished) -> Units:
        """The best trials that lie apart, the best first, in units."""
        order = np.argsort(-finished.objectives, kind="stable")
        order = order[np.isfinite(finished.objectives[order])]
        units = self._units(finished.numbers[order])
        return units[apart(units, DISTANCE, ELITES)]

    def _descendants(self, elites: Units, count: int, rng: np.random.Generator) -> Units:
        own = elites[: min(len(elites), round(KEPT_SHARE * count))]
        return np.concatenate([own, _bred(elites, count - len(own), rng, MUTATION)])

    def _fresh(self, finished: Finished, number: int, count: int, rng: np.random.Generator) -> Units:
        """Points that no trial has led to: in turn the best of a screening that no batch has taken, and random ones.

        The best of a screening lie in few regions, and the best optimum need not lie in one of them.
        """
        first = number // 2 * self._width
        screened = np.flatnonzero(finished.screened & (number % 2 == 0))
        ranked = screened[np.argsort(-finished.objectives[screened], kind="stable")][first : first + count]
        lacking = count - len(ranked)
        drawn = sobol_numbers(int(rng.integers(2**32)), 0, lacking, self._bounds) if lacking else self._none()
        return np.concatenate([self._units(finished.numbers[ranked]), self._units(drawn)])

    def _none(self) -> NDArray[np.float64]:
        return np.zeros((0, len(self._ranges)))

    def _units(self, numbers: NDArray[np.float64]) -> Units:
        """(point, key) numbers in units of the ranges."""
        columns = [_place(column, bounds) for column, bounds in zip(numbers.T, self._ranges, strict=True)]
        return np.clip(np.stack(columns, axis=1), 0.0, 1.0) if len(numbers) else numbers

    def _numbers(self, units: Units) -> NDArray[np.float64]:
        columns = [_drawn(column, bounds) for column, bounds in zip(units.T, self._ranges, strict=True)]
        return np.stack(columns, axis=1)


def _alike(space: SearchSpace) -> list[list[int]]:
    """Places of numbers that may be tied: memories of one parameter that have the same range, two at least."""
    groups: dict[tuple[str, OptunaRange], list[int]] = {}
    places = {key: place for place, key in enumerate(space.ranges)}
    for one in space.sampled:
        for key in one.keys:
            if one.name in MEMORIES:
                groups.setdefault((one.name, space.ranges[key]), []).append(places[key])
    return [group for group in groups.values() if len(group) > 1]


def apart(units: Units, distance: float, most: int) -> list[int]:
    """Rows that lie at least `distance` apart, each the first of its neighbourhood, `most` at the most."""
    kept: list[int] = []
    for row, point in enumerate(units):
        if len(kept) == most:
            break
        if not kept or np.abs(units[kept] - point).max(axis=1).min() > distance:
            kept.append(row)
    return kept


def _told(improved: Improved, size: int) -> NDArray[np.intp]:
    """Lanes that become trials, in their order: the best of those that lie apart, then the best of the others."""
    order = np.argsort(-improved.objectives, kind="stable")
    distinct = apart(improved.units.T[order], DISTANCE, size)
    others = np.setdiff1d(np.arange(len(order)), distinct)[: size - len(distinct)]
    return np.sort(order[np.concatenate([np.array(distinct, np.intp), others])])


def _bred(elites: Units, count: int, rng: np.random.Generator, mutation: float) -> Units:
    """Children of two elites each, which better ones are more often: numbers of either, or blended; then mutated."""
    chance = np.linspace(1.0, WORST_PARENT, len(elites))
    one, other = (elites[rng.choice(len(elites), count, p=chance / chance.sum())] for _ in range(2))
    shape = one.shape
    mixed = np.where(rng.random(shape) < 0.5, one, other)
    blended = one + (rng.random(shape) * BLEND - (BLEND - 1.0) / 2.0) * (other - one)
    children = np.where(rng.random((count, 1)) < 0.5, mixed, blended)
    moved = mutation * rng.standard_normal(shape) * (rng.random(shape) < MUTATED_SHARE)
    return np.clip(children + moved, 0.0, 1.0)


def _place(numbers: NDArray[np.float64], bounds: OptunaRange) -> Units:
    if bounds.log_scale:
        return np.log(numbers / bounds.low) / np.log(bounds.high / bounds.low)
    return (numbers - bounds.low) / (bounds.high - bounds.low)


def _drawn(units: Units, bounds: OptunaRange) -> NDArray[np.float64]:
    """Numbers inside the range, against rounding too."""
    if bounds.log_scale:
        return np.clip(bounds.low * (bounds.high / bounds.low) ** units, bounds.low, bounds.high)
    return np.clip(bounds.low + units * (bounds.high - bounds.low), bounds.low, bounds.high)


def finished_of(rows: Sequence[tuple[Sequence[float], float, bool]], keys: int) -> Finished:
    """Finished trials from their rows (numbers, objective, whether it was screened)."""
    numbers = np.array([row[0] for row in rows], np.float64).reshape(-1, keys)
    return Finished(numbers, np.array([row[1] for row in rows]), np.array([row[2] for row in rows], np.bool_))


def memetic_of(fingerprint: Fingerprint, space: SearchSpace, improver: Improver | None, worker: int) -> Memetic:
    """That of a study; refinements are needed where its proposals are scored without costs and its trials with them."""
    search = fingerprint.search
    refines = fingerprint.proposes_without_costs
    return Memetic(space, improver, search.batch_size, search.seed, worker, refines=refines)


def notes(keys: Sequence[str], start: Sequence[float], points: int) -> dict[str, float | int]:
    """What a trial notes of its improvement, as flat attributes: where it started, and how many points were scored."""
    return {POINTS: points, **{f"{START_OF}{key}": value for key, value in zip(keys, start, strict=True)}}
