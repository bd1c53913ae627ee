"""Candidates to compare a winner with (SPEC §13): a search space in; random sets, clouds and grids out, and scored.

A row of numbers is one candidate, in the order of the space's distributions.
"""

from dataclasses import dataclass
from typing import Final

import jax
import numpy as np
from numpy.typing import NDArray

from momentum_opt.evidence.effort import JOINT_FACTOR, RADII
from momentum_opt.fingerprint.sections import Evidence
from momentum_opt.study.evaluation import BatchScores, Evaluator
from momentum_opt.study.space import SearchSpace
from momentum_opt.study.trials import TrialRecord
from momentum_opt.vocabulary.schema import OptunaRange, sample_in_range

JOINT: Final = "joint"
Rows = NDArray[np.float64]


@dataclass(frozen=True)
class CloudRows:
    """Candidates around a winner: the number that was moved, or `joint`; how far at most; the candidates."""

    parameter: str
    radius: float
    rows: Rows


@dataclass(frozen=True)
class GridRows:
    """A grid over k and memory of one token: `log_k` and `logit_lamb` along the sides, memory-major candidates."""

    token: str
    token_place: int
    log_k: Rows
    logit_lamb: Rows
    rows: Rows


@dataclass(frozen=True)
class Neighbourhood:
    """The clouds and grids around a winner, scored.

    Attributes:
        trial: number of the winner.
        clouds: around it.
        grids: through it.
        numbers: (candidate, number) of the winner, then of all clouds, then of all grids.
        scores: of the same.
    """

    trial: int
    clouds: tuple[CloudRows, ...]
    grids: tuple[GridRows, ...]
    numbers: Rows
    scores: BatchScores

    @property
    def without_winner(self) -> BatchScores:
        """The scores of clouds and grids alone."""
        return jax.tree.map(lambda values: values[1:], self.scores)

    @property
    def objectives(self) -> Rows:
        """(candidate,) the first objective; NaN where a candidate failed."""
        return np.where(np.isfinite(self.scores.objectives).all(axis=1), self.scores.objectives[:, 0], np.nan)


def score_neighbourhood(
    evaluator: Evaluator, space: SearchSpace, winner: TrialRecord, settings: Evidence | None = None
) -> Neighbourhood | None:
    """The neighbourhood of a trial as `settings` ask for it, else the `evidence` section; None where they ask for none.

    It follows from seed, trial and configuration alone: whoever scores it again finds the same.
    """
    settings, seed = settings or evaluator.fingerprint.evidence, evaluator.fingerprint.search.seed
    if not settings.plateau_draws and not settings.heat_map:
        return None
    (numbers,) = space.lifted(np.array([[winner.numbers[key] for key in keys_of(space)]]))
    around = clouds(space, numbers, settings.plateau_draws, np.random.default_rng([seed, winner.number, 1]))
    maps = grids(space, numbers, settings.heat_map, evaluator.fingerprint.tokens) if settings.heat_map else []
    rows = np.concatenate([numbers[None], *(one.rows for one in (*around, *maps))])
    return Neighbourhood(winner.number, tuple(around), tuple(maps), rows, evaluator.score_columns(space.columns(rows)))


def keys_of(space: SearchSpace) -> tuple[str, ...]:
    """Names of the numbers of a candidate."""
    return tuple(space.distributions)


def random_rows(space: SearchSpace, count: int, rng: np.random.Generator) -> Rows:
    """(candidate, number) drawn evenly from the search ranges."""
    return _at(space, rng.random((count, len(keys_of(space)))))


def clouds(space: SearchSpace, winner: Rows, draws: int, rng: np.random.Generator) -> list[CloudRows]:
    """Candidates around `winner`: each number moved alone, then all at once, within each radius and the ranges."""
    place = _place_of(space, winner)
    found: list[CloudRows] = []
    for radius in RADII:
        low, high = np.maximum(place - radius, 0.0), np.minimum(place + radius, 1.0)
        for column, key in enumerate(keys_of(space)):
            units = np.tile(place, (draws, 1))
            units[:, column] = rng.uniform(low[column], high[column], draws)
            found.append(CloudRows(key, radius, _at(space, units)))
        units = rng.uniform(low, high, (JOINT_FACTOR * draws, len(place)))
        found.append(CloudRows(JOINT, radius, _at(space, units)))
    return found


def grids(space: SearchSpace, winner: Rows, side: int, tokens: tuple[str, ...]) -> list[GridRows]:
    """For each token a grid over its k and memory, everything else as in `winner`; one grid where both are shared.

    None where the rule has not both.
    """
    ranges = {one.name: one for one in space.sampled}
    if not {"log_k", "logit_lamb"} <= ranges.keys():
        return []
    k, memory = ranges["log_k"], ranges["logit_lamb"]
    keys = keys_of(space)
    shared = len(k.keys) == 1 and len(memory.keys) == 1
    steps = np.linspace(0.0, 1.0, side)
    found: list[GridRows] = []
    for place, token in enumerate(("all",) if shared else tokens):
        log_k, logit = (_along(one.whole[place % len(one.whole)], steps) for one in (k, memory))
        rows = np.tile(winner, (side * side, 1))
        rows[:, keys.index(k.keys[place % len(k.keys)])] = np.tile(log_k, side)
        rows[:, keys.index(memory.keys[place % len(memory.keys)])] = np.repeat(logit, side)
        found.append(GridRows(token, place, log_k, logit, rows))
    return found


def _ranges(space: SearchSpace) -> list[OptunaRange]:
    return [bounds for one in space.sampled for bounds in one.whole]


def _at(space: SearchSpace, units: Rows) -> Rows:
    """Places in [0, 1] as numbers."""
    columns = [_along(one, units[:, column]) for column, one in enumerate(_ranges(space))]
    return np.stack(columns, axis=1)


def _along(one: OptunaRange, units: Rows) -> Rows:
    return np.asarray(sample_in_range(units, one))


def _place_of(space: SearchSpace, row: Rows) -> Rows:
    """The inverse of `_at` for one candidate."""
    places: list[float] = []
    for value, one in zip(row, _ranges(space), strict=True):
        low, high, at = (np.log(x) if one.log_scale else x for x in (one.low, one.high, value))
        places.append(float(np.clip((at - low) / (high - low), 0.0, 1.0)))
    return np.array(places)
