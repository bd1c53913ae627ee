"""The tear sheet on a page: monthly returns, ratios, rolling figures, drawdowns, spread of the days, flows."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from momentum_opt.evidence.findings import Histogram
from momentum_opt.results.report.histogram import histogram_bars
from momentum_opt.results.report.palette import ink
from momentum_opt.results.report.plot import Plot, Spec, quantity, scale_of, shown
from momentum_opt.results.report.tables import Table, table
from momentum_opt.results.report.timeline import Axis, Curve, Period, Timeline
from momentum_opt.results.report.wording import ABSENT, FEWEST_TO_ANNUALISE, TOO_SHORT, number, percent
from momentum_opt.results.tear_sheet import WHOLE, TearSheet

_DRAWDOWNS: Final = 10
"""Rows of the table of drawdowns on a page."""
_SHARES: Final = (
    "volatility",
    "tracking_error",
    "alpha",
    "var_95",
    "cvar_95",
    "best_day",
    "worst_day",
    "positive_days",
)
_LABELS: Final[Mapping[str, str]] = {
    "sharpe": "Sharpe ratio, annual",
    "volatility": "volatility, annual",
    "information_ratio": "information ratio, annual",
    "tracking_error": "tracking error, annual",
    "alpha": "alpha, annual",
    "beta": "beta",
    "correlation": "correlation",
    "var_95": "value at risk of a day (5th percentile)",
    "cvar_95": "expected shortfall of a day (mean below it)",
    "best_day": "best day",
    "worst_day": "worst day",
    "positive_days": "days with a gain",
}
_FLOWS: Final[Mapping[str, tuple[str, str, Axis]]] = {
    "fees_earned": ("fees earned", "uniform", Axis(ticks="~s", values=",.0f", title="numeraire")),
    "turnover": ("turnover of the weights", "pool", Axis(values=".3f", title="times")),
    "volume": ("volume", "rebalanced", Axis(ticks="~s", values=",.0f", title="numeraire")),
}
"""Sum over time → its label, colour and axis."""
_PERCENT: Final = Axis(ticks=".0%", values=".1%")


def tear_parts(sheet: TearSheet, periods: Sequence[Period]) -> tuple[Plot | Table, ...]:
    """Everything that a tear sheet holds and a page does not show elsewhere."""
    return (
        monthly_table(sheet),
        statistics_table(sheet),
        *_rolling(sheet, periods),
        *_drawdowns(sheet),
        *_spread(sheet),
        *_flows(sheet, periods),
    )


def monthly_table(sheet: TearSheet) -> Table:
    """Years below each other, months beside each other."""
    rows = [
        (str(year), *(ABSENT if np.isnan(value) else f"{100 * value:,.1f}".replace("-", "−") for value in values))
        for year, values in zip(sheet.monthly.index, sheet.monthly.to_numpy(), strict=True)
    ]
    note = "In percent, compounded, by calendar months in UTC; the first and the last month as far as the days go."
    return table("Monthly returns", ("year", *map(str, sheet.monthly.columns)), rows, note)


def statistics_table(sheet: TearSheet) -> Table:
    """Ratios and risk per period, and of all days."""
    columns = [*(name for name in map(str, sheet.statistics) if name != WHOLE), WHOLE]
    figures = {
        str(name): values.tolist()
        for name, values in zip(sheet.statistics.index, sheet.statistics[columns].to_numpy(np.float64), strict=True)
    }
    short = [days < FEWEST_TO_ANNUALISE for days in figures["days"]]
    rows = [
        (
            label,
            *(
                f"{_figure(name, value)}{'*' if few and 'annual' in label and np.isfinite(value) else ''}"
                for value, few in zip(figures[name], short, strict=True)
            ),
        )
        for name, label in _LABELS.items()
    ]
    note = (
        "Information ratio, tracking error, alpha, beta and correlation are against the constant-weight pool of the "
        "same tokens and costs. Ratios and deviations read daily log returns; alpha, beta and the days daily returns."
        f"{f' {TOO_SHORT}.' if any(short) else ''}"
    )
    heads = (f"{name} days" if name == WHOLE else name for name in columns)
    return table("Risk and return against constant weights", ("", *heads), rows, note)


def _figure(name: str, value: float) -> str:
    return percent(value) if name in _SHARES else number(value, 3)


def _rolling(sheet: TearSheet, periods: Sequence[Period]) -> list[Plot]:
    rolling = sheet.rolling
    if len(rolling) < 2:
        return []
    time, plots = pd.Series(rolling.index), list[Plot]()
    for name, what, axis in (
        ("sharpe", "Sharpe ratio", Axis(values=".2f")),
        ("volatility", "volatility", _PERCENT),
    ):
        own = rolling[name].to_numpy()
        drawn = [
            Curve("constant-weight pool", rolling[f"constant_weight_{name}"].to_numpy(), ink("constant"), (8.0, 2.0)),
            Curve("this pool", own, ink("pool"), thick=True),
        ]
        last, low, high = (
            number(float(value), 3) if name == "sharpe" else percent(float(value))
            for value in (own[-1], np.nanmin(own) if np.isfinite(own).any() else np.nan, _largest(own))
        )
        view = Timeline(
            f"rolling_{name}", time, drawn, axis, 150, periods, level=0.0 if name == "sharpe" else None
        ).view()
        plots.append(
            Plot(
                key=f"rolling_{name}",
                title=f"Rolling {what}",
                alt=f"Lines of the {what} of the last {sheet.window} days: the pool's from {low} to {high}, {last} "
                "at the end.",
                caption=f"Annual {what} of the daily log returns of the {sheet.window} days up to each day.",
                views=(view,),
            )
        )
    return plots


def _drawdowns(sheet: TearSheet) -> list[Table]:
    found = sheet.drawdowns
    shown = found.head(_DRAWDOWNS)
    dates = (shown[name].dt.strftime("%Y-%m-%d").fillna(ABSENT) for name in ("start", "trough", "recovery"))
    rows = [*zip(*dates, map(percent, shown["depth"]), map("{:,}".format, shown["days"]), strict=True)]
    beyond = f" The deepest {_DRAWDOWNS} of {len(found):,}." if len(found) > _DRAWDOWNS else ""
    note = (
        f"From the day of the high to the day on which it is reached again ({ABSENT}: not yet; the days are counted to "
        f"the last one), of daily values.{beyond}"
    )
    header = ("high", "trough", "recovery", "depth", "days")
    return [table("Drawdowns", header, rows, note)] if rows else []


def _spread(sheet: TearSheet) -> list[Plot]:
    bars = sheet.histogram
    risk, shortfall = sheet.statistics.loc[["var_95", "cvar_95"], WHOLE].to_numpy(np.float64).tolist()
    if not np.isfinite([risk, shortfall]).all():
        return []
    edges = (*bars["low"].tolist(), float(bars["high"].iloc[-1]))
    histogram = Histogram(edges, tuple(bars["count"].tolist()))
    days = int(bars["count"].sum())
    words = f"value at risk {percent(risk)}, expected shortfall {percent(shortfall)}"
    view = {
        "height": 170,
        "layer": [histogram_bars(histogram, "return of a day", form=".2%"), _marked(risk, shortfall)],
    }
    return [
        Plot(
            key="days",
            title="Returns of single days",
            alt=f"Histogram of {days:,} daily returns; {words}.",
            caption=f"Daily returns of all {days:,} days. On one day in twenty the pool returned the value at risk or "
            f"less; the expected shortfall is the mean of those days: {words}.",
            views=(view,),
        )
    ]


def _marked(risk: float, shortfall: float) -> Spec:
    looks = {"value at risk, 95 %": ink("hodl"), "expected shortfall": ink("constant")}
    rows = [{"at": at, "what": name} for name, at in zip(looks, (risk, shortfall), strict=True)]
    encoding = {
        "x": quantity("at", "return of a day"),
        "color": {"field": "what", "type": "nominal", "title": None, "scale": scale_of(looks)},
        "tooltip": [shown("what", "line"), shown("at", "return", ".2%")],
    }
    return {"data": {"values": rows}, "mark": {"type": "rule", "size": 2.5}, "encoding": encoding}


def _flows(sheet: TearSheet, periods: Sequence[Period]) -> list[Plot]:
    sums = {name: sheet.flows[name].to_numpy() for name in _FLOWS if name in sheet.flows}
    sums = {name: values for name, values in sums.items() if _largest(values) > 0}
    if not sums or len(sheet.flows) < 2:
        return []
    time = pd.Series(sheet.flows.index)
    views = [
        Timeline(f"flow_{name}", time, [Curve(label, sums[name], ink(role))], axis, 110, periods).view()
        for name, (label, role, axis) in _FLOWS.items()
        if name in sums
    ]
    ends = ", ".join(f"{_FLOWS[name][0]} {_sum(values[-1])}" for name, values in sums.items())
    return [
        Plot(
            key="flows",
            title="Fees, turnover and volume since the start",
            alt=f"Lines that rise to, at the end: {ends}.",
            caption=f"Sums since the first day: {ends}. Turnover is half the sum of the weights' changes, so 1 is a "
            "pool that changed all it holds once; volume and fees, of liquidity providers, are in the numeraire.",
            views=tuple(views),
        )
    ]


def _sum(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else number(float(value), 4)


def _largest(values: np.ndarray) -> float:
    return float(np.nanmax(values)) if np.isfinite(values).any() else np.nan
