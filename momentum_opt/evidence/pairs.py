"""Score a map over any two numbers of a winner, and a line through it along each, beyond the ends of the ranges too."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from momentum_opt.errors import UsageError
from momentum_opt.evidence.range_ends import natural_values
from momentum_opt.fingerprint import Fingerprint, choose_among
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.space import SearchSpace
from momentum_opt.vocabulary.schema import OptunaRange, sample_in_range

BEYOND: Final = 0.08
"""How far a side goes beyond each end of its range, as a share of the range."""
SIDE: Final = 41
"""Points along a side, the ones beyond the range included, and besides them the winner's."""

_NAMES: Final = {
    "k": ("log_k", "k", "absolute_k"),
    "k_per_day": ("log_k", "k", "absolute_k"),
    "memory": ("logit_lamb",),
    "memory_days": ("logit_lamb",),
    "lamb": ("logit_lamb",),
    "initial_weights": ("initial_weights_logits",),
}
"""What a user may call a parameter → the internal names that it may have."""

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """One number of a candidate and the values that it is tried at.

    Attributes:
        key: its internal name, such as `log_k_BTC`.
        values: ascending, in natural units where it has any (k per day, memory in days).
        low: lower end of the range that was searched, in the same units.
        high: upper end.
        winner: the winner's.
        logarithmic: whether its axis is.
    """

    key: str
    values: Rows
    low: float
    high: float
    winner: float
    logarithmic: bool


@dataclass(frozen=True)
class Slice:
    """The objective along one number, everything else as the winner has it."""

    side: Side
    objective: Rows


@dataclass(frozen=True)
class PairMap:
    """What is known of two numbers around a winner.

    Attributes:
        across: the first.
        up: the second.
        objective: (up, across) the (first) objective on train; NaN where a candidate failed.
        slices: along every number of the search, through the winner.
        winner: its objective.
    """

    across: Side
    up: Side
    objective: Rows
    slices: tuple[Slice, ...]
    winner: float


def pair_keys(names: Sequence[str], space: SearchSpace) -> tuple[str, str]:
    """The two numbers of a search that names such as `k_BTC`, `memory_days_ETH` or `log_k` stand for.

    Raises:
        UsageError: one of them is not searched, or both are the same.
    """
    first, second = (_key_of(name, space) for name in names)
    if first == second:
        raise UsageError(f"--pair: {' and '.join(names)} are the same number; name two different ones")
    return first, second


def score_pair(
    evaluator: Evaluator, space: SearchSpace, winner: Rows, pair: tuple[str, str], count: int = SIDE
) -> PairMap:
    """Score the map and the slices in one go.

    Args:
        evaluator: as the trials are scored.
        space: what was searched.
        winner: (number,) of the candidate in the middle, in the order of the space's ranges.
        pair: two of its keys.
        count: points along a side, without the winner's.
    """
    fingerprint = evaluator.fingerprint
    keys = [*space.ranges]
    ranges = dict(zip(keys, (bounds for one in space.sampled for bounds in one.whole), strict=True))
    names = {key: one.name for one in space.sampled for key in one.keys}
    tried = {key: _tried(ranges[key], count, winner[place]) for place, key in enumerate(keys)}
    sides = {
        key: _side(key, names[key], tried[key], ranges[key], winner[place], fingerprint)
        for place, key in enumerate(keys)
    }
    kept = {key: internal for key, (_, internal) in sides.items()}
    first, second = (kept[key] for key in pair)
    rows = [np.tile(winner, (len(first) * len(second), 1)), winner[None]]
    rows[0][:, keys.index(pair[0])] = np.tile(first, len(second))
    rows[0][:, keys.index(pair[1])] = np.repeat(second, len(first))
    for key in keys:
        line = np.tile(winner, (len(kept[key]), 1))
        line[:, keys.index(key)] = kept[key]
        rows.append(line)
    found = evaluator.score_columns(space.columns(np.concatenate(rows))).objectives
    shown = np.where(np.isfinite(found).all(axis=1), found[:, 0], np.nan) * fingerprint.objective.signs[0]
    area, own, *lines = np.split(shown, np.cumsum([len(one) for one in rows])[:-1])
    return PairMap(
        across=sides[pair[0]][0],
        up=sides[pair[1]][0],
        objective=area.reshape(len(second), len(first)),
        slices=tuple(Slice(sides[key][0], line) for key, line in zip(keys, lines, strict=True)),
        winner=float(own[0]),
    )


def _key_of(name: str, space: SearchSpace) -> str:
    keys = [*space.ranges]
    own = [one.name for one in space.sampled]
    for spoken in sorted((*_NAMES, *own), key=len, reverse=True):
        if name != spoken and not name.startswith(f"{spoken}_"):
            continue
        for internal in (*_NAMES.get(spoken, ()), spoken):
            # One number for all tokens is meant by the name alone, and by that of any token.
            found = [key for key in (f"{internal}{name.removeprefix(spoken)}", internal) if key in keys]
            if found:
                return found[0]
    raise UsageError(f"--pair: {name} is no number of this search; {choose_among(name, keys)}")


def _tried(bounds: OptunaRange, count: int, winner: float) -> Rows:
    """Values from beyond the lower end to beyond the upper one, evenly in the range's own scale; and the winner's."""
    values = np.union1d(sample_in_range(np.linspace(-BEYOND, 1.0 + BEYOND, count), bounds), [winner])
    return values[values > 0] if bounds.low > 0 else values


def _side(
    key: str, name: str, tried: Rows, bounds: OptunaRange, winner: float, fingerprint: Fingerprint
) -> tuple[Side, Rows]:
    """A side, and its values in internal form: without those that a cap makes the same as the one before."""
    natural = natural_values(name, np.concatenate([tried, [bounds.low, bounds.high, winner]]), fingerprint)
    values = np.concatenate([tried, [bounds.low, bounds.high, winner]]) if natural is None else natural[1]
    *_, low, high, own = values.tolist()
    along = values[: len(tried)]
    grows = np.concatenate([[True], np.diff(np.maximum.accumulate(along)) > 1e-9 * np.abs(along[1:])])
    logarithmic = bounds.log_scale or natural is not None
    return Side(key, along[grows], low, high, own, logarithmic), tried[grows]
