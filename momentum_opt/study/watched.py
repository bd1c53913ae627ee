"""Minute metrics of candidates that the kernel walks: what it is to watch, and its days as `summarise_day` has them.

The kernel carries a few numbers per candidate from bar to bar and gives them at the end of each day, which is all that
most metrics of minutes read. Percentiles of returns and squares of drawdowns over a month need the values themselves,
or what came before: those are left to XLA's loop.
"""

import jax.numpy as jnp

from momentum_opt.arrays import Array
from momentum_opt.metrics.summary import Needs, Summary, TrackSummary
from momentum_opt.simulation.minute_walk import WatchedDays
from momentum_opt.simulation.watch import Watch

_SHARES = "shares"


def watch_of(needs: Needs) -> Watch | None:
    """What the kernel watches for what metrics need; None where it cannot."""
    if needs.squares or needs.tails:
        return None
    flows = needs.total or any(name != _SHARES for name in needs.flows)
    return Watch(needs.extremes, needs.moments, flows, _SHARES in needs.flows)


def watched_summary(days: WatchedDays, needs: Needs, bars_per_day: int, n_tracks: int) -> Summary:
    """The summary of every day.

    Args:
        days: what was watched.
        needs: what is kept of it.
        bars_per_day: D.
        n_tracks: of the slices; no number that depends on where blocks begin is watched.
    """
    inside = days.inside
    # NaN where the value is: a comparison with it leaves what was there, and would hide a candidate that broke.
    broken = 0.0 * inside["value"]
    mean = spread = lowest = highest = fall = None
    if needs.moments:
        steps = max(bars_per_day - 1, 1)
        mean = inside["returns"] / steps
        spread = jnp.maximum(inside["squares"] - steps * mean * mean, 0.0) + broken
    if needs.extremes:
        lowest, highest, fall = (inside[name] + broken for name in ("lowest", "highest", "fall"))
    day, step = _flows(days, needs)
    into = {name: jnp.concatenate([jnp.zeros_like(out[:1]), out[:-1]]) for name, out in step.items()}
    tracks = (TrackSummary(None, {}),) * n_tracks
    total = inside["total"] if needs.total else None
    return Summary(mean, spread, lowest, highest, fall, {}, tracks, total, day, into)


def _flows(days: WatchedDays, needs: Needs) -> tuple[dict[str, Array], dict[str, Array]]:
    """Flows between each day's bars, and of the step out of it; V^R is watched as a product."""
    inside, after = days
    day = {name: inside[name] for name in needs.flows}
    step = {name: after[name] - inside[name] for name in needs.flows}
    if "rebalanced" in day:
        day["rebalanced"] = jnp.log(inside["rebalanced"])
        step["rebalanced"] = jnp.log(after["rebalanced"] / inside["rebalanced"])
    return day, step
