"""Figures of a replay: value against the baselines, drawdown, parts of the return, weights; with periods marked."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from momentum_opt.results.baselines import coinciding, joint_label
from momentum_opt.results.report.content import Content, finite
from momentum_opt.results.report.palette import TOKENS, ink
from momentum_opt.results.report.plot import Plot
from momentum_opt.results.report.timeline import Axis, Curve, Period, Timeline
from momentum_opt.results.report.wording import BASELINE_ROLES, percent
from momentum_opt.results.tear_sheet import TearSheet, pool_values
from momentum_opt.vocabulary.names import BASELINE_LABELS

_POOL: Final = "this pool"
_WITH_DRAWDOWN: Final = frozenset({"hodl", "constant_weight"})

DASHES: Final[Mapping[str, tuple[float, ...]]] = {
    "hodl": (6.0, 3.0),
    "uniform_hodl": (2.0, 2.0),
    "constant_weight": (8.0, 2.0, 2.0, 2.0),
    "rebalanced": (4.0, 1.5),
}
PERCENT: Final = Axis(ticks=".0%", values=".2%")

_WIDE_SPREAD: Final = 8.0
"""Largest over smallest value from which the axis is logarithmic."""

Values = NDArray[np.float64]
Curves = Mapping[str, Values]


def path_plots(content: Content, sheet: TearSheet | None) -> list[Plot]:
    """Equity, drawdown, parts of the return and weights; none without a daily table and its tear sheet."""
    if content.daily is None or sheet is None:
        return []
    daily = content.daily
    curves = _curves(daily)
    parts = [] if sheet.decomposition.empty else [_parts(content, sheet.decomposition)]
    return [
        _equity(content, daily, curves),
        _ratio(content, daily, curves),
        _drawdown(content, daily, curves),
        *parts,
        _weights(content, daily),
    ]


def _equity(content: Content, daily: pd.DataFrame, curves: Curves) -> Plot:
    pool = curves[_POOL]
    wide = bool(np.nanmax(pool) > _WIDE_SPREAD * np.nanmin(pool) > 0)
    drawn = [*baseline_curves(_baselines(curves), BASELINE_LABELS), _pool_curve(pool)]
    ends = ", ".join(f"{one.label} {percent(float(one.values[-1]) - 1)}" for one in drawn)
    return Plot(
        key="equity",
        title="Value of the pool and of the baselines",
        alt=f"Lines of value relative to the start. Change from first to last day: {ends}.",
        caption="Value relative to the start, day by day, in one continuous simulation; every baseline holds the same "
        "money from the first day. Baselines that coincide share a line.",
        views=(Timeline("equity", daily["time"], drawn, Axis(log=wide), 280, marked_periods(content)).view(),),
        log=wide,
    )


def _ratio(content: Content, daily: pd.DataFrame, curves: Curves) -> Plot:
    ratio = curves[_POOL] / curves["constant_weight"]
    label = "this pool over the constant-weight pool"
    drawn = [Curve(label, ratio, ink("pool"))]
    return Plot(
        key="ratio",
        title="Value over that of the constant-weight pool",
        alt=f"A line of the pool's value over the constant-weight pool's, which ends at {ratio[-1]:.4g}.",
        caption="The pool's value over the constant-weight pool's: where it rises, moving the weights paid.",
        views=(Timeline("ratio", daily["time"], drawn, height=120, periods=marked_periods(content), level=1.0).view(),),
        log=False,
    )


def _drawdown(content: Content, daily: pd.DataFrame, curves: Curves) -> Plot:
    falls = {name: values / np.maximum.accumulate(values) - 1.0 for name, values in curves.items()}
    every = baseline_curves(_baselines(curves), BASELINE_LABELS, _baselines(falls), _WITH_DRAWDOWN)
    drawn = [*every, _pool_curve(falls[_POOL])]
    worst = percent(float(np.nanmin(falls[_POOL])))
    view = Timeline("drawdown", daily["time"], drawn, PERCENT, 180, marked_periods(content), filled=_POOL).view()
    return Plot(
        key="drawdown",
        title="Drawdown",
        alt=f"Falls from the highest value so far; the pool's deepest is {worst}, the constant-weight pool's "
        f"{percent(float(np.nanmin(falls['constant_weight'])))}.",
        caption=f"Fall from the highest daily value since the start; the pool's deepest is {worst}. The table's "
        "max_drawdown reads every minute and begins anew with each period.",
        views=(view,),
    )


def _parts(content: Content, found: pd.DataFrame) -> Plot:
    """The log return since the start in parts: HODL, moving the weights, loss versus rebalancing; and fees earned."""
    total, fees = found["total"].to_numpy(), found["fees"].to_numpy()
    parts = [
        Curve("HODL", found["hodl"].to_numpy(), ink("hodl"), DASHES["hodl"]),
        Curve("moving the weights", found["weights"].to_numpy(), ink("rebalanced"), DASHES["rebalanced"]),
        Curve("loss versus rebalancing", -found["lvr"].to_numpy(), ink("constant"), DASHES["constant_weight"]),
        *([Curve("fees earned", fees, ink("uniform"), DASHES["uniform_hodl"])] if fees.any() else []),
    ]
    ends = ", ".join(f"{one.label} {percent(float(one.values[-1]))}" for one in parts)
    drawn = [*parts, _pool_curve(total)]
    return Plot(
        key="parts",
        title="Where the return comes from",
        alt=f"Lines of the log return since the start in parts, at the end: {ends}; the pool "
        f"{percent(float(total[-1]))}.",
        caption="Log return since the first day: HODL of the first reserves, plus what trading to the pool's weights "
        "on an exchange adds, less what the pool loses to that. Fees earned reduce the loss and are shown beside, over "
        "the pool's value.",
        views=(Timeline("parts", pd.Series(found.index), drawn, PERCENT, 220, marked_periods(content)).view(),),
    )


def _weights(content: Content, daily: pd.DataFrame) -> Plot:
    weights = {token: finite(daily[f"weight_{token}"]) for token in content.tokens}
    means = ", ".join(f"{token} {percent(float(np.nanmean(row)))}" for token, row in weights.items())
    drawn = [Curve(token, row, TOKENS[place]) for place, (token, row) in enumerate(weights.items())]
    axis = Axis(ticks=".0%", values=".2%", domain=(0.0, 1.0))
    view = Timeline("weights", daily["time"], drawn, axis, 190, marked_periods(content), stacked=True).view()
    return Plot(
        key="weights",
        title="Weights over time",
        alt=f"Stacked areas of the pool's weights; on average {means}.",
        caption=f"Weights as the pool shows them at every day's start. Average: {means}.",
        views=(view,),
    )


def baseline_curves(
    values: Curves, labels: Mapping[str, str], drawn: Curves | None = None, wanted: frozenset[str] | None = None
) -> list[Curve]:
    """A line for each group of baselines that coincide, under one label for all of them.

    Args:
        values: baseline → its values along time.
        labels: baseline → its name.
        drawn: what is drawn of each in place of the values.
        wanted: baselines whose groups are drawn; None for all.
    """
    groups = [group for group in coinciding(values) if wanted is None or wanted & set(group)]
    shown = values if drawn is None else drawn
    return [
        Curve(joint_label(group, labels), shown[group[0]], ink(BASELINE_ROLES[group[0]]), DASHES[group[0]])
        for group in groups
    ]


def _baselines(curves: Curves) -> Curves:
    return {name: values for name, values in curves.items() if name != _POOL}


def _pool_curve(values: Values) -> Curve:
    return Curve(_POOL, values, ink("pool"), thick=True)


def _curves(daily: pd.DataFrame) -> dict[str, Values]:
    """Values relative to the first day, the baselines first: those that the run's version had."""
    columns = {name: f"{name}_value" for name in BASELINE_LABELS}
    values = {name: finite(daily[column]) for name, column in columns.items() if column in daily}
    values[_POOL] = pool_values(daily)
    return {name: one / one[0] for name, one in values.items()}


def marked_periods(content: Content) -> list[Period]:
    """The periods that a timeline marks."""
    return [Period(*one) for one in content.borders()]
