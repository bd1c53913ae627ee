"""Figures of a replay: value against the baselines, drawdown, weights; days along the x axis, period borders marked."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter
from numpy.typing import NDArray

from momentum_opt.results.report.canvas import Canvas, Plot
from momentum_opt.results.report.content import Content, finite
from momentum_opt.results.report.palette import TOKENS, light
from momentum_opt.results.report.wording import BASELINE_ROLES, percent, plain_ticks
from momentum_opt.vocabulary.names import BASELINE_LABELS

_POOL: Final = "this pool"
CURVES: Final[Mapping[str, tuple[str, str]]] = {
    **{name: (label, BASELINE_ROLES[name]) for name, label in BASELINE_LABELS.items() if name != "rebalanced"},
    "pool": (_POOL, "pool"),
}
"""Curve of a walk-forward → its label and its colour's role; the pool is drawn last, over the others."""

DASHES: Final[Mapping[str, tuple[float, ...]]] = {
    "hodl": (5.0, 2.0),
    "uniform_hodl": (1.5, 1.5),
    "constant_weight": (6.0, 1.5, 1.5, 1.5),
    "rebalanced": (3.0, 1.0),
}
DATES: Final = ["%Y", "%b", "%d %b", "%H:%M", "%H:%M", "%S"]
DATES_AT_ZERO: Final = ["", "%Y", "%b", "%d %b", "%H:%M", "%H:%M"]
"""Texts of the ticks by the step between them, and of those on a whole one of the next larger step."""

_WIDE_SPREAD: Final = 8.0
"""Largest over smallest value from which the axis is logarithmic."""

Values = NDArray[np.float64]


def path_plots(content: Content) -> list[Plot]:
    """Equity, drawdown and weights; none without a daily table."""
    if content.daily is None or len(content.daily) < 2:
        return []
    daily = content.daily
    parts = [_parts(content, daily)] if {"rebalanced_value", "fees_earned"} <= set(daily) else []
    return [_equity(content, daily), _drawdown(content, daily), *parts, _weights(content, daily)]


def _equity(content: Content, daily: pd.DataFrame) -> Plot:
    curves = _curves(daily)
    ratio = curves[_POOL] / curves["constant_weight"]

    def draw(canvas: Canvas) -> None:
        above, below = canvas.panels(
            220, 96, top=56.0 if canvas.narrow else 40.0, between=34.0, bottom=22.0, share_x=True
        )
        for name in curves:
            if name == _POOL:
                continue
            colour, label = light(BASELINE_ROLES[name]), BASELINE_LABELS[name]
            above.plot(days_of(daily), curves[name], lw=1.1, color=colour, dashes=DASHES[name], label=label)
        above.plot(days_of(daily), curves[_POOL], color=light("pool"), lw=1.8, label=_POOL)
        above.tick_params(labelbottom=False)
        if np.nanmax(curves[_POOL]) > _WIDE_SPREAD * np.nanmin(curves[_POOL]) > 0:
            above.set_yscale("log")
            above.yaxis.set_major_formatter(FuncFormatter(plain_ticks))
            above.yaxis.set_minor_formatter(NullFormatter())
        below.plot(days_of(daily), ratio, color=light("pool"), lw=1.4)
        below.axhline(1.0, color=light("constant"), lw=0.9)
        below.set_title("this pool over the constant-weight pool")
        canvas.legend(above, 2 if canvas.narrow else 5, above=22.0)
        _mark_periods(canvas, content, [above, below], daily)

    ends = ", ".join(f"{BASELINE_LABELS.get(name, name)} {percent(values[-1] - 1)}" for name, values in curves.items())
    return Plot(
        key="equity",
        title="Value of the pool and of the baselines",
        alt=f"Lines of value relative to the start. Change from first to last day: {ends}.",
        caption="Value relative to the start, day by day, in one continuous simulation; every baseline holds the same "
        "money from the first day. Below: the pool's value over the constant-weight pool's.",
        draw=draw,
    )


def _drawdown(content: Content, daily: pd.DataFrame) -> Plot:
    falls = {name: values / np.maximum.accumulate(values) - 1.0 for name, values in _curves(daily).items()}

    def draw(canvas: Canvas) -> None:
        (axes,) = canvas.panels(150, top=40.0, bottom=22.0)
        axes.fill_between(days_of(daily), falls[_POOL], 0.0, color=light("pool"), alpha=0.2, lw=0)
        for name in ("hodl", "constant_weight"):
            colour = light(BASELINE_ROLES[name])
            axes.plot(
                days_of(daily), falls[name], color=colour, dashes=DASHES[name], lw=1.0, label=BASELINE_LABELS[name]
            )
        axes.plot(days_of(daily), falls[_POOL], color=light("pool"), lw=1.4, label=_POOL)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        canvas.legend(axes, 3, above=22.0, columnspacing=0.8 if canvas.narrow else 2.0)
        _mark_periods(canvas, content, [axes], daily)

    worst = percent(float(np.nanmin(falls[_POOL])))
    return Plot(
        key="drawdown",
        title="Drawdown",
        alt=f"Falls from the highest value so far; the pool's deepest is {worst}, the constant-weight pool's "
        f"{percent(float(np.nanmin(falls['constant_weight'])))}.",
        caption=f"Fall from the highest daily value since the start; the pool's deepest is {worst}. The table's "
        "max_drawdown reads every minute and begins anew with each period.",
        draw=draw,
    )


def _parts(content: Content, daily: pd.DataFrame) -> Plot:
    """The log return since the start in parts: HODL, moving the weights, loss versus rebalancing; and fees earned."""
    curves = _curves(daily)
    total, hodl, rebalanced = (np.log(curves[name]) for name in (_POOL, "hodl", "rebalanced"))
    fees = np.cumsum(finite(daily["fees_earned"]) / finite(daily["value"]))
    parts = {
        "HODL": (hodl, "hodl", DASHES["hodl"]),
        "moving the weights": (rebalanced - hodl, "rebalanced", DASHES["rebalanced"]),
        "loss versus rebalancing": (total - rebalanced, "constant", DASHES["constant_weight"]),
        **({"fees earned": (fees, "uniform", DASHES["uniform_hodl"])} if fees.any() else {}),
    }

    def draw(canvas: Canvas) -> None:
        (axes,) = canvas.panels(180, top=56.0 if canvas.narrow else 40.0, bottom=22.0)
        for label, (values, role, dashes) in parts.items():
            axes.plot(days_of(daily), values, color=light(role), dashes=dashes, lw=1.2, label=label)
        axes.plot(days_of(daily), total, color=light("pool"), lw=1.8, label=_POOL)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        canvas.legend(axes, 2 if canvas.narrow else 5, above=22.0)
        _mark_periods(canvas, content, [axes], daily)

    ends = ", ".join(f"{label} {percent(float(values[-1]))}" for label, (values, _, _) in parts.items())
    whole = percent(float(total[-1]))
    return Plot(
        key="parts",
        title="Where the return comes from",
        alt=f"Lines of the log return since the start in parts, at the end: {ends}; the pool {whole}.",
        caption="Log return since the first day: HODL of the first reserves, plus what trading to the pool's weights "
        "on an exchange adds, less what the pool loses to that. Fees earned reduce the loss and are shown beside, over "
        "the pool's value.",
        draw=draw,
    )


def _weights(content: Content, daily: pd.DataFrame) -> Plot:
    weights = np.stack([finite(daily[f"weight_{token}"]) for token in content.tokens])

    def draw(canvas: Canvas) -> None:
        columns = 4 if canvas.narrow else 8
        rows = -(-len(content.tokens) // columns)
        (axes,) = canvas.panels(160, top=10.0 + 15.0 * rows, bottom=22.0)
        axes.stackplot(
            days_of(daily), weights, colors=TOKENS[: len(weights)], labels=content.tokens, lw=0, edgecolor="none"
        )
        axes.set_ylim(0.0, 1.0)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        canvas.legend(axes, columns, handlelength=1.0, columnspacing=1.2)
        _mark_periods(canvas, content, [axes], daily, label=False)

    means = ", ".join(
        f"{token} {percent(float(np.nanmean(row)))}" for token, row in zip(content.tokens, weights, strict=True)
    )
    return Plot(
        key="weights",
        title="Weights over time",
        alt=f"Stacked areas of the pool's weights; on average {means}.",
        caption=f"Weights as the pool shows them at every day's start. Average: {means}.",
        draw=draw,
    )


def _curves(daily: pd.DataFrame) -> dict[str, Values]:
    """Values relative to the first day, the baselines first: those that the run's version had."""
    columns = {**{name: f"{name}_value" for name in BASELINE_LABELS}, _POOL: "value"}
    values = {name: finite(daily[column]) for name, column in columns.items() if column in daily}
    return {name: one / one[0] for name, one in values.items()}


def days_of(daily: pd.DataFrame) -> Values:
    """Times as matplotlib counts them."""
    return np.asarray(date2num(daily["time"].dt.tz_convert(None).to_numpy()))


def _mark_periods(
    canvas: Canvas, content: Content, panels: list[Axes], daily: pd.DataFrame, *, label: bool = True
) -> None:
    """A line at each border and the periods' names above the first panel."""
    days = days_of(daily)
    first, last = float(days[0]), float(days[-1])
    date_axis(canvas, panels, days)
    room = (panels[0].get_position().width * canvas.width) / (last - first)  # points per day
    for name, begin, end in content.borders():
        left, right = (float(date2num(when.tz_convert(None).to_datetime64())) for when in (begin, end))
        for axes in panels:
            if left > first:
                axes.axvline(left, color=light("muted"), lw=0.9, dashes=(3.0, 3.0))
        short = {"validation": "valid."}.get(name, name)
        fits = next((text for text in (name, short) if 6.0 * len(text) < room * (right - left)), "")
        if label:
            panels[0].text(
                (left + right) / 2,
                1.015,
                fits,
                transform=panels[0].get_xaxis_transform(),
                ha="center",
                va="bottom",
                color=light("muted"),
                fontsize=10.0,
            )


def date_axis(canvas: Canvas, panels: Sequence[Axes], days: Values) -> None:
    """Dates along x, as many as there is room for."""
    locator = AutoDateLocator(minticks=3, maxticks=4 if canvas.narrow else 8)
    for axes in panels:
        axes.set_xlim(float(days[0]), float(days[-1]))
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(
            ConciseDateFormatter(locator, formats=DATES, zero_formats=DATES_AT_ZERO, show_offset=False)
        )
        axes.grid(visible=False, axis="x")
