"""The page of a comparison: pools side by side in tables, their value and drawdown in one figure each."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import pandas as pd

from momentum_opt.results.comparison import ComparedPool, Comparison, Row, RowGroup
from momentum_opt.results.report.figures_path import DASHES, PERCENT
from momentum_opt.results.report.page import Cover, Page, Section, page_of
from momentum_opt.results.report.palette import TOKENS, ink
from momentum_opt.results.report.plot import Plot
from momentum_opt.results.report.tables import Group, Table, table
from momentum_opt.results.report.timeline import Axis, Curve, Period, Timeline
from momentum_opt.results.report.wording import (
    ABSENT,
    TOO_SHORT,
    metric_value,
    number,
    percent,
    too_short,
)

MOST_CURVES: Final = 12
"""Pools whose curves are drawn; of more, those that are best on validation."""

_WIDE_SPREAD: Final = 8.0
"""Largest over smallest value from which the axis is logarithmic."""

_DASHES: Final[tuple[tuple[float, ...], ...]] = ((), (6.0, 3.0), (2.0, 2.0))
"""Of the pools beyond as many as there are colours."""


def compare_page(comparison: Comparison, name: str) -> Page:
    """Fill the page.

    Args:
        comparison: the pools.
        name: of the comparison.
    """
    pools = comparison.pools
    document = json.dumps(comparison.as_document(), sort_keys=True, default=str)
    cover = Cover(
        title="Comparison",
        kind="comparison",
        facts=(name, f"{len(pools)} pools", *dict.fromkeys(" / ".join(pool.fingerprint.tokens) for pool in pools)),
        inputs=hashlib.sha256(document.encode()).hexdigest(),
        looks=" ".join(f"{line[0].upper()}{line[1:]}." for line in comparison.looks),
    )
    groups = {group.heading: group for group in comparison.groups()}
    shown = [_table(comparison, group) for group in groups.values()]
    sections = (
        Section("pools", "Pools", (_pools(comparison),)),
        Section("path", "Value over time", tuple(_plots(comparison))),
        Section("tables", "Side by side", tuple(shown)),
    )
    return page_of(cover, sections)


def _pools(comparison: Comparison) -> Table:
    """One row per pool, with what is not compared below."""
    rows = [
        (
            pool.name,
            " / ".join(map(_objective, pool.run.metrics, pool.run.objective)),
            ABSENT if not pool.run.metrics else metric_value(pool.run.metrics[0], pool.run.validation),
            ABSENT if pool.run.trials is None else f"{pool.run.trials:,}",
            f"{pool.fingerprint.window.start} to {pool.fingerprint.window.end}",
            _verdict(pool),
        )
        for pool in comparison.pools
    ]
    aims = dict.fromkeys(f"{' / '.join(pool.run.metrics)} ({pool.run.aggregate})" for pool in comparison.pools)
    lines = [f"objective: {'; '.join(aims)}", *comparison.notes()]
    if not comparison.with_test:
        lines.append("no test period is shown")
    note = " ".join(f"{line[0].upper()}{line[1:]}." for line in lines)
    return table("Pools", ("", "objective", "validation", "trials", "tuned on", "verdict"), rows, note, wraps=True)


def _objective(name: str, value: float) -> str:
    return metric_value(name, value)


def _verdict(pool: ComparedPool) -> str:
    run = pool.run
    return run.state if run.outcome is None else f"{run.outcome}, {run.rules_met} of {run.n_rules} rules met"


def _table(comparison: Comparison, group: RowGroup) -> Table:
    rows = tuple((row.label, *_cells(row)) for row in group.rows)
    short = any(cell.endswith("*") for row in rows for cell in row[1:])
    heading = group.heading[0].upper() + group.heading[1:]
    names = ("", *(pool.name for pool in comparison.pools))
    return Table(heading, names, (Group("", rows),), f"{TOO_SHORT}." if short else "")


def _cells(row: Row) -> Iterable[str]:
    days = row.days or (None,) * len(row.values)
    for value, count in zip(row.values, days, strict=True):
        if isinstance(value, str):
            yield value
        elif row.metric is None:
            yield number(value)
        else:
            yield f"{metric_value(row.metric, value)}{too_short(row.metric, value, count)}"


def _plots(comparison: Comparison) -> Iterable[Plot]:
    curves = comparison.curves
    if curves is None:
        return
    chosen = _chosen(comparison)
    looks = {place: (TOKENS[n % len(TOKENS)], _DASHES[n // len(TOKENS)]) for n, place in enumerate(chosen)}
    names = {place: comparison.pools[place].name for place in chosen}
    left_out = len(comparison.pools) - len(chosen)
    rest = f" Of {len(comparison.pools)} pools the {len(chosen)} best on validation." if left_out else ""
    values: dict[Any, pd.Series] = {place: curves[place] for place in chosen}

    def drawn(series: dict[Any, Any]) -> list[Curve]:
        return [Curve(names[place], np.asarray(one), *looks[place]) for place, one in series.items()]

    constant = comparison.constant
    baseline = (
        []
        if constant is None
        else [Curve("constant-weight pool", constant.to_numpy(), ink("muted"), DASHES["constant_weight"])]
    )
    time, periods = pd.Series(curves.index), _periods(comparison)
    wide = bool(curves.to_numpy().max() > _WIDE_SPREAD * curves.to_numpy().min() > 0)
    ends = ", ".join(f"{names[place]} {percent(float(one.iloc[-1]) - 1)}" for place, one in values.items())
    view = Timeline("equity", time, [*baseline, *drawn(values)], Axis(log=wide), 300, periods).view()
    yield Plot(
        key="equity",
        title="Value of all pools",
        alt=f"Lines of value relative to the first day. Change to the last day: {ends}.",
        caption=f"Value relative to the first day that all have, day by day.{rest}",
        views=(view,),
        log=wide,
    )
    falls = {place: one / np.maximum.accumulate(one) - 1.0 for place, one in values.items()}
    worst = ", ".join(f"{names[place]} {percent(float(one.min()))}" for place, one in falls.items())
    yield Plot(
        key="drawdown",
        title="Drawdown of all pools",
        alt=f"Falls from the highest value so far; the deepest: {worst}.",
        caption=f"Fall from the highest daily value since the first day that all have. Deepest: {worst}.",
        views=(Timeline("drawdown", time, drawn(falls), PERCENT, 200, periods).view(),),
    )


def _chosen(comparison: Comparison) -> list[int]:
    """Places of the pools that are drawn, in their order."""
    places = list(range(len(comparison.pools)))
    if len(places) <= MOST_CURVES:
        return places

    def merit(place: int) -> float:
        pool = comparison.pools[place]
        value = pool.run.validation
        return -np.inf if value is None else pool.fingerprint.objective.signs[0] * value

    return sorted(sorted(places, key=merit, reverse=True)[:MOST_CURVES])


def _periods(comparison: Comparison) -> list[Period]:
    """Borders of the periods, where all pools have the same."""
    fingerprint = comparison.pools[0].fingerprint
    start = pd.Timestamp(fingerprint.window.start, tz="UTC")
    found: list[Period] = []
    for name in comparison.periods if comparison.same_windows else ():
        first, end = getattr(fingerprint.periods, name)
        if end > first:
            found.append(Period(name, start + pd.Timedelta(days=first), start + pd.Timedelta(days=end)))
    return found
