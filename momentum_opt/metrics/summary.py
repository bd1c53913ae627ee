"""Minute metrics day by day (SPEC §10): the values and flows of one day in, the few numbers kept of it out.

A slice is whole days and a block is whole days, so most metrics need of a day only numbers that do not depend on the
slice: mean and squares of its returns, its lowest and highest value, its worst fall. Two need what came before in
their block, and carry it: the squares of the drawdowns (the running maximum), and the percentile of the returns of a
week or a month (the lowest returns so far, see `tails`). A `Track` says on which days their blocks begin; slices that
do not overlap share one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import NDArray

from momentum_opt.arrays import Array, Bool, Float, PerCandidate
from momentum_opt.metrics.blocks import lowest, percentile, returns
from momentum_opt.metrics.tails import Tail, add_to_tail, start_tail, tail_percentile
from momentum_opt.units import DAYS_PER_MONTH, DAYS_PER_WEEK
from momentum_opt.vocabulary.names import FLOWS

TailKey = tuple[int, float]
"""Days of a block, and percent of a percentile of its minute returns."""

_WEEK, _MONTH = DAYS_PER_WEEK, DAYS_PER_MONTH


@dataclass(frozen=True)
class Needs:
    """What metrics read of every day (static).

    Attributes:
        moments: mean and squares of the minute returns.
        extremes: lowest and highest value, worst fall.
        squares: squares of the drawdowns in blocks of 30 days.
        tails: percentiles of the minute returns in blocks.
        total: sum of the values.
        flows: names of `FLOWS` that are summed up.
    """

    moments: bool = False
    extremes: bool = False
    squares: bool = False
    tails: tuple[TailKey, ...] = ()
    total: bool = False
    flows: tuple[str, ...] = ()


_MOMENTS, _EXTREMES = Needs(moments=True), Needs(extremes=True)
METRIC_NEEDS = {
    "sharpe": _MOMENTS,
    **dict.fromkeys(("greatest_draw_down", "max_drawdown", "weekly_max_drawdown", "sterling", "calmar"), _EXTREMES),
    "ulcer": Needs(squares=True),
    **dict.fromkeys(("daily_var_95%", "daily_raroc", "daily_rovar"), Needs(tails=((1, 5.0),))),
    **dict.fromkeys(("weekly_var_95%", "weekly_raroc", "weekly_rovar"), Needs(tails=((_WEEK, 5.0),))),
    "daily_var_99%": Needs(tails=((1, 1.0),)),
    "weekly_var_99%": Needs(tails=((_WEEK, 1.0),)),
    "monthly_rovar": Needs(tails=((_MONTH, 5.0),)),
    "volume": Needs(total=True, flows=("traded",)),
    "fee_yield": Needs(total=True, flows=("fees",)),
    "lvr": Needs(flows=("rebalanced",)),
}
"""By minute metric; a metric that is not here reads no minute values."""


def needs_of(names: Iterable[str]) -> Needs:
    """What the metrics `names` need together."""
    each = [METRIC_NEEDS.get(name, Needs()) for name in names]
    return Needs(
        moments=any(one.moments for one in each),
        extremes=any(one.extremes for one in each),
        squares=any(one.squares for one in each),
        tails=tuple(sorted({key for one in each for key in one.tails})),
        total=any(one.total for one in each),
        flows=tuple(name for name in FLOWS if any(name in one.flows for one in each)),
    )


class Track(NamedTuple):
    """(day,) whether a block begins: of 7 days and of 30 days."""

    week: Bool[Array, "*day"]
    month: Bool[Array, "*day"]

    def of(self, days: int) -> Array:
        """The one for blocks of `days`."""
        return self.week if days == _WEEK else self.month


def track(slices: Sequence[tuple[int, int]], n_days: int) -> Track:
    """The track of slices [first, end) in days that do not overlap."""

    def begins(days: int) -> NDArray[np.bool_]:
        marks = np.zeros(n_days, bool)
        for first, end in slices:
            marks[first:end:days] = True
        return marks

    return Track(jnp.asarray(begins(_WEEK)), jnp.asarray(begins(_MONTH)))


class TrackSummary(NamedTuple):
    """What is kept of every day of the numbers that depend on where blocks begin; valid at the last day of a block."""

    squares: Float[Array, "day *batch"] | None
    """Sum of the squares of the drawdowns from the block's first bar to the day's last."""
    tails: dict[TailKey, Float[Array, "day *batch"]]
    """The percentile of the returns from the block's first bar to the day's last; blocks of several days."""


class Summary(NamedTuple):
    """What is kept of every day; None or missing where no metric needs it."""

    mean: Float[Array, "day *batch"] | None
    """Of the returns inside the day."""
    spread: Float[Array, "day *batch"] | None
    """Sum of their squared distances from it."""
    lowest: Float[Array, "day *batch"] | None
    """Lowest value."""
    highest: Float[Array, "day *batch"] | None
    """Highest value."""
    fall: Float[Array, "day *batch"] | None
    """Worst (v − running maximum)/maximum inside the day."""
    tails: dict[TailKey, Float[Array, "day *batch"]]
    """The percentile of the returns inside the day."""
    tracks: tuple[TrackSummary, ...]
    total: Float[Array, "day *batch"] | None = None
    """Sum of the values."""
    inside: dict[str, Float[Array, "day *batch"]] | None = None
    """By the names of `FLOWS`: sums over the steps between the day's bars."""
    into: dict[str, Float[Array, "day *batch"]] | None = None
    """Likewise: of the step into its first bar from the day before; 0 on the first day."""

    def part(self, first: int, end: int, number: int) -> "SliceSummary":
        """The days [first, end), of the track `number`."""
        own = self._replace(tracks=(self.tracks[number],))
        return SliceSummary(*jax.tree.map(lambda values: values[first:end], own))


class SliceSummary(Summary):
    """The days of one slice, with the one track that has its blocks."""


class DayState(NamedTuple):
    """What is carried from day to day."""

    last: PerCandidate
    """Value at the day's last bar."""
    tracks: tuple["_TrackState", ...]


class _TrackState(NamedTuple):
    peak: PerCandidate
    squares: PerCandidate
    tails: dict[TailKey, Tail]


def start_days(like: PerCandidate, needs: Needs, n_tracks: int, bars_per_day: int) -> DayState:
    """The state before the first day; `like` has the candidates' shape."""
    zero = jnp.zeros_like(like)
    long = [key for key in needs.tails if key[0] > 1]
    own = _TrackState(
        zero, zero, {(days, percent): start_tail(zero, days * bars_per_day - 1, percent) for days, percent in long}
    )
    return DayState(zero, (own,) * n_tracks)


def summarise_day(
    state: DayState,
    values: Float[Array, "bar *batch"],
    inside: dict[str, PerCandidate],
    into: dict[str, PerCandidate],
    marks: tuple[Track, ...],
    needs: Needs,
) -> tuple[DayState, Summary]:
    """One day more.

    Args:
        state: after the day before.
        values: at the day's bars.
        inside: flows between them.
        into: flows of the step to the first of them.
        marks: per track, whether a block begins on this day.
        needs: what to keep.
    """
    steps = returns(values)
    crossing = values[:1] / state.last - 1.0
    mean = spread = None
    if needs.moments:
        mean = jnp.mean(steps, axis=0) if steps.shape[0] else jnp.zeros_like(state.last)
        spread = jnp.sum((steps - mean) ** 2, axis=0)
    low = high = fall = None
    if needs.extremes:
        low, high, fall = lowest(values), jnp.max(values, axis=0), _falls(values, values[0])[1]
    tails = {key: percentile(steps, key[1]) for key in needs.tails if key[0] == 1}
    moved = [
        _move_track(own, values, crossing, steps, mark, needs) for own, mark in zip(state.tracks, marks, strict=True)
    ]
    after = DayState(values[-1], tuple(own for own, _ in moved))
    total = jnp.sum(values, axis=0) if needs.total else None
    return after, Summary(mean, spread, low, high, fall, tails, tuple(kept for _, kept in moved), total, inside, into)


def _move_track(
    own: _TrackState,
    values: Float[Array, "bar *batch"],
    crossing: Float[Array, "one *batch"],
    steps: Float[Array, "step *batch"],
    mark: Track,
    needs: Needs,
) -> tuple[_TrackState, TrackSummary]:
    peak, squares = own.peak, own.squares
    if needs.squares:
        begins = mark.of(_MONTH)
        peak, _, more = _falls(values, jnp.where(begins, values[0], peak))
        squares = jnp.where(begins, 0.0, squares) + more
    tails: dict[TailKey, Tail] = {}
    for key, tail in own.tails.items():
        begins = mark.of(key[0])
        empty = jax.tree.map(lambda new, old, begins=begins: jnp.where(begins, new, old), tail.empty(), tail)
        first = jnp.where(begins, jnp.inf, crossing)  # the step into a block is not one of its returns
        tails[key] = add_to_tail(empty, jnp.concatenate([first, steps]))
    bars = values.shape[0]
    kept = {key: tail_percentile(tail, key[0] * bars - 1, key[1]) for key, tail in tails.items()}
    return _TrackState(peak, squares, tails), TrackSummary(squares if needs.squares else None, kept)


def _falls(values: Float[Array, "bar *batch"], peak: PerCandidate) -> tuple[PerCandidate, PerCandidate, PerCandidate]:
    """Running maximum at the end, worst drawdown and sum of the squared ones, from the maximum `peak` before."""

    def step(bar: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        peak, worst, squares = carry
        value = lax.dynamic_index_in_dim(values, bar, axis=0, keepdims=False)
        peak = jnp.maximum(peak, value)
        fall = (value - peak) / peak
        return peak, jnp.minimum(worst, fall), squares + fall * fall

    zero = jnp.zeros_like(peak)
    return lax.fori_loop(0, values.shape[0], step, (peak, zero, zero))
