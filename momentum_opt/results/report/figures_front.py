"""Figures of several objectives: the Pareto front by pairs with its picks, and parameters beside objectives."""

import json
from itertools import combinations
from typing import Any, Final

import numpy as np
import pandas as pd

from momentum_opt.results.report.content import Content, finite
from momentum_opt.results.report.palette import POINT, ink
from momentum_opt.results.report.plot import Plot, Spec, quantity, scale_of, shown, table, thinned
from momentum_opt.results.report.tables import Table
from momentum_opt.results.report.tables import table as rows_of
from momentum_opt.results.report.trial_points import (
    LEFT_OUT,
    TRIAL_PARAMS,
    better_limits,
    drawn_words,
    known_of,
    objective_field,
    parameter_columns,
    told_by_click,
    trial_points,
)
from momentum_opt.results.report.wording import number, objective_labels
from momentum_opt.results.trial_list import front_rows
from momentum_opt.units import counted

_LINES: Final = 200
"""Lines of each kind that parallel coordinates draw at most."""
_FRONT: Final = "on the front"
_PICK_LOOKS: Final = (
    ("hodl", "diamond"), ("uniform", "triangle-up"), ("constant", "square"), ("rebalanced", "triangle-down"),
    ("ink", "cross"),
)  # fmt: skip
"""Colour and symbol of the picks, in their order."""
_LOGARITHMIC: Final = ("k_per_day_", "memory_days_")
"""Parameters whose axes are logarithmic."""


def front_parts(content: Content) -> tuple[Plot | Table, ...]:
    """The front, its picks and parallel coordinates; nothing of a single objective, or of fewer than two trials."""
    aim = content.fingerprint.objective
    if not aim.several or content.trials is None or "state" not in content.trials:
        return ()
    complete = content.trials[content.trials["state"] == "COMPLETE"].sort_values("number")
    once = complete.drop_duplicates([*aim.columns])
    front = front_rows(complete, aim)
    if len(once) < 2 or not np.isfinite(once[list(aim.columns)].to_numpy(np.float64)).all():
        return ()
    return (
        _fronts(content, once, front, len(complete) - len(once)),
        _picks(content, front),
        _parallel(content, once, front),
    )


def _fronts(content: Content, once: pd.DataFrame, front: pd.DataFrame, copies: int) -> Plot:
    pairs = [*combinations(range(len(content.fingerprint.objective.columns)), 2)]
    again = (
        f" {counted(copies, 'trial')} with the objectives of an earlier one {'is' if copies == 1 else 'are'} left out."
    )
    words = "; ".join(f"{row['pick']} trial {row['number']:,}" for row in _picked(front))
    return Plot(
        key="fronts",
        title="Pareto front",
        alt=f"Points of {counted(len(once), 'trial')}, {len(front):,} of them on the Pareto front: {words}.",
        caption="What no other trial beats in one objective without falling behind in another, two objectives at a "
        f"time: {len(front):,} of {counted(len(once), 'trial')}. best.json holds the balanced one, the closest to the "
        f"best of every objective.{again if copies else ''}{drawn_words(len(once))}",
        views=tuple(_pair(content, once, front, *pair) for pair in pairs),
        columns=min(2, len(pairs)),
    )


def _pair(content: Content, once: pd.DataFrame, front: pd.DataFrame, across: int, up: int) -> Spec:
    """All trials, those on the front and the picks over two objectives."""
    aim, labels = content.fingerprint.objective, objective_labels(content.fingerprint.objective)
    x, y = (
        quantity(
            objective_field(place),
            labels[place],
            scale={
                "domain": better_limits(
                    finite(once[aim.columns[place]]), finite(front[aim.columns[place]]).tolist(), aim.signs[place]
                ),
                "nice": False,
                "zero": False,
            },
            axis={"grid": True},
        )
        for place in (across, up)
    )
    picked = _picked(front)
    looks = {"trial": (POINT, "circle"), _FRONT: (ink("pool"), "circle")}
    looks |= {
        row["pick"]: (ink(role), symbol) for row, (role, symbol) in zip(picked, _PICK_LOOKS * len(picked), strict=False)
    }
    points = trial_points(content, once, f"front{across}{up}", x, y, looks, ["x", "y"])
    columns, lines = known_of(content, front)
    kind = {"field": "what", "type": "nominal"}
    encoding = {"x": x, "y": y, "color": kind, "shape": kind, "tooltip": [shown("what", "point"), *lines]}
    mark = {"type": "point", "filled": True, "opacity": 1, "clip": True, "cursor": "pointer"}
    on_front = {
        "data": table({**columns, "what": [_FRONT] * len(front)}), "mark": {**mark, "size": 30}, "encoding": encoding,
    }  # fmt: skip
    named = front[front["pick"] != ""]
    columns, _ = known_of(content, named)
    marked = {
        "data": table({**columns, "what": named["pick"].tolist()}),
        "mark": {**mark, "size": 110, "stroke": ink("paper"), "strokeWidth": 1},
        "encoding": encoding,
    }
    first, *rest = points["layer"]
    return {"height": 260, **points, "layer": [first, on_front, marked, *rest]}


def _picks(content: Content, front: pd.DataFrame) -> Table:
    aim = content.fingerprint.objective
    metrics = [f"validation_{name}" for name in aim.names if f"validation_{name}" in front]
    rows = [
        (row["pick"], f"{row['number']:,}", *(number(float(row[name])) for name in (*aim.columns, *metrics)))
        for row in _picked(front)
    ]
    header = ("", "trial", *objective_labels(aim), *(name.replace("_", " ", 1) for name in metrics))
    note = (
        "Objectives are on train. balanced: the closest to the best of every objective, each scaled over the front; "
        "knee: what stands out most from the plane through the extremes. momentum-opt trials RUN export N writes the "
        "parameters of any trial."
    )
    return rows_of("Picks of the front", header, rows, note)


def _picked(front: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows with a pick; the balanced one first."""
    rows = front[front["pick"] != ""].to_dict("records")
    return sorted(({str(name): value for name, value in row.items()} for row in rows), key=_balanced_last)


def _balanced_last(row: dict[str, Any]) -> bool:
    return not row["pick"].startswith("balanced")


def _parallel(content: Content, once: pd.DataFrame, front: pd.DataFrame) -> Plot:
    """A line per trial through its parameters and objectives, each axis from the smallest to the largest value."""
    aim = content.fingerprint.objective
    others = once[~once["number"].isin(front["number"])]
    others, best = (rows.iloc[thinned(len(rows), _LINES)] if len(rows) else rows for rows in (others, front))
    winner = best["number"].to_numpy() == content.document["trial"]
    rows = pd.concat([others, best[~winner], best[winner]])
    kinds = ["trial"] * len(others) + [_FRONT] * int((~winner).sum()) + ["balanced"] * int(winner.sum())
    axes = {**parameter_columns(content, rows), **dict(zip(aim.columns, objective_labels(aim), strict=True))}
    downward = {column for column, sign in zip(aim.columns, aim.signs, strict=True) if sign < 0}
    varied = {column: label for column, label in axes.items() if np.ptp(finite(rows[column])) > 0}
    still = [label for column, label in axes.items() if column not in varied]
    left = f" The same in all of them: {', '.join(still)}." if still else ""
    return Plot(
        key="parallel",
        title="Parameters and objectives of the front",
        alt=f"A line for each of {counted(len(rows), 'trial')} through {len(varied)} axes: "
        f"{', '.join(varied.values())}.",
        caption="One line per trial: every parameter and objective from its smallest to its largest value, objectives "
        f"so that up is better; k and memory on logarithmic axes. {len(best):,} of the {len(front):,} trials on the "
        f"front, {len(others):,} of the others.{left}",
        views=(_parallel_view(content, rows, kinds, varied, downward),),
    )


def _parallel_view(
    content: Content, rows: pd.DataFrame, whats: list[str], axes: dict[str, str], downward: set[str]
) -> Spec:
    columns, lines = known_of(content, rows)
    columns["what"] = whats
    ends: list[Spec] = []
    for place, (column, label) in enumerate(axes.items()):
        values = finite(rows[column])
        positive = column.startswith(_LOGARITHMIC) and bool(np.nanmin(values) > 0)
        scaled = np.log(values) if positive else values
        low, high = (float(end(scaled)) for end in (np.nanmin, np.nanmax))
        share = (scaled - low) / (high - low)
        columns[f"n{place}"] = 1.0 - share if column in downward else share
        bottom, top = (float(end(values)) for end in (np.nanmin, np.nanmax))
        if column in downward:
            bottom, top = top, bottom
        ends += [{"axis": label, "n": 0, "end": number(bottom, 2)}, {"axis": label, "n": 1, "end": number(top, 2)}]
    names = [*axes.values()]
    x: Spec = {
        "field": "axis", "type": "ordinal", "sort": names, "title": None, "scale": {"padding": 0.3},
        "axis": {"grid": True, "labelAngle": -35, "domain": False, "ticks": False, "labelPadding": 18},
    }  # fmt: skip
    y = quantity("n", scale={"domain": [0, 1], "nice": False}, axis=None)
    kinds = {"trial": (POINT, 0.25, 1.0), _FRONT: (ink("pool"), 0.7, 1.3), "balanced": (ink("hodl"), 1.0, 2.6)}
    legend = {"title": None, "symbolType": "stroke", "symbolSize": 300, "symbolOpacity": 1, "offset": 24}
    colours = scale_of({kind: look[0] for kind, look in kinds.items()})
    opacity, width = (
        [{"test": f"datum.what === {json.dumps(kind)}", "value": look[at]} for kind, look in kinds.items()]
        for at in (1, 2)
    )
    looks = {
        "color": {"field": "what", "type": "nominal", "legend": legend, "scale": colours},
        "opacity": {"condition": [LEFT_OUT, *opacity], "value": 1},
        "strokeWidth": {"condition": width, "value": 1},
    }
    labels = "{" + ", ".join(f"n{place}: {json.dumps(label)}" for place, label in enumerate(names)) + "}"
    folded: list[Spec] = [
        {"fold": [f"n{place}" for place in range(len(names))], "as": ["column", "n"]},
        {"calculate": f"{labels}[datum.column]", "as": "axis"},
    ]
    path = {"x": x, "y": y, "detail": {"field": "number", "type": "nominal"}}
    line = {
        "transform": folded,
        "mark": {"type": "line", "cursor": "pointer", "invalid": "break-paths-show-path-domains"},
        "encoding": {**path, **looks, "tooltip": lines},
    }
    clicked = {
        "transform": [{"filter": "datum.number === picked"}, *folded],
        "mark": {"type": "line", "color": ink("ink"), "strokeWidth": 3},
        "encoding": path,
    }
    text = {
        "data": {"values": ends},
        "mark": {"type": "text", "dy": {"expr": "datum.n ? -9 : 10"}, "fontSize": 11},
        "encoding": {"x": x, "y": y, "text": {"field": "end", "type": "nominal"}},
    }
    return {
        "height": 280,
        "usermeta": told_by_click(lines),
        "params": TRIAL_PARAMS,
        "data": {"name": "trials", **table(columns)},
        "layer": [line, clicked, text],
    }
