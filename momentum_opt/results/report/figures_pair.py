"""Figures of two numbers around the winner: the objective as a map with contours, and slices along every number."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from momentum_opt.evidence.pairs import PairMap, Side, Slice
from momentum_opt.results.report.palette import ink
from momentum_opt.results.report.plot import Plot, Spec, quantity, shown, table
from momentum_opt.results.report.trial_points import better_limits
from momentum_opt.results.report.wording import number, parameter_label

Values = NDArray[np.float64]

_COLUMNS: Final = 3
_WORST: Final = 0.1
"""Share of the map's cells, the worst ones, that share a colour, so that the better ones differ."""
_LEVELS: Final = 7
_OVERLAP: Final = 0.03
"""Share of a cell by which it is drawn too wide, so that no paper shows between it and the next."""


def pair_plots(found: PairMap, label: str, sign: int) -> list[Plot]:
    """The map and the slices.

    Args:
        found: what was scored.
        label: of the objective.
        sign: −1 where a lower objective is better.
    """
    names = [parameter_label(side.key) for side in (found.across, found.up)]
    ranked = np.where(np.isfinite(found.objective), sign * found.objective, -np.inf)  # the winner is in it
    row, column = np.unravel_index(ranked.argmax(), ranked.shape)
    best = float(found.objective[row, column])
    place = f"{number(float(found.across.values[column]), 3)} and {number(float(found.up.values[row]), 3)}"
    words = f"the winner's {number(found.winner)}, the best cell {number(best)} at {place}"
    area = Plot(
        key="pair",
        title=f"Objective over {names[0]} and {names[1]}",
        alt=f"A map of {label} with contours; {words}.",
        caption=f"{label} on train, everything else as the winner has it: {words}. The cross is the winner, the dashed "
        "frame the range that was searched; the map goes on beyond it where the pool can. Contours are evenly spaced.",
        views=(_map(found, label, sign),),
    )
    lines = Plot(
        key="slices",
        title="Objective along each parameter",
        alt=f"Lines of {label} along {', '.join(parameter_label(one.side.key) for one in found.slices)}.",
        caption=f"{label} on train along one parameter at a time, through the winner (orange); dashed lines are the "
        "ends of the searched range. Where the line still rises at an end, a wider range may hold more.",
        views=tuple(_slice(one, found.winner, limits) for limits in [_limits(found, sign)] for one in found.slices),
        columns=min(_COLUMNS, len(found.slices)),
    )
    return [area, lines]


def contour_lines(x: Values, y: Values, z: Values, level: float) -> list[tuple[float, float, float, float]]:
    """Where a surface crosses a level, as straight pieces (marching squares, a saddle split by its mean).

    Args:
        x: (column,) places of the columns.
        y: (row,) places of the rows.
        z: (row, column) the surface; cells with a corner that is NaN are left out.
        level: to be crossed.

    Returns:
        Ends of each piece: x, y, x, y.
    """
    pieces: list[tuple[float, float, float, float]] = []
    for row in range(len(y) - 1):
        for column in range(len(x) - 1):
            corners = [(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)]
            heights = [float(z[at_y, at_x]) for at_x, at_y in corners]
            if not np.isfinite(heights).all():
                continue
            above = [height >= level for height in heights]
            cut: list[tuple[float, float]] = []
            for one in range(4):
                other = (one + 1) % 4
                if above[one] != above[other]:
                    share = (level - heights[one]) / (heights[other] - heights[one])
                    (from_x, from_y), (to_x, to_y) = corners[one], corners[other]
                    cut.append(
                        (
                            float(x[from_x] + share * (x[to_x] - x[from_x])),
                            float(y[from_y] + share * (y[to_y] - y[from_y])),
                        )
                    )
            if len(cut) == 4 and (sum(heights) / 4 >= level) != above[0]:
                cut = [cut[3], *cut[:3]]  # the first and the third corner stand alone, not the other two
            pieces += [(*cut[at], *cut[at + 1]) for at in range(0, len(cut), 2)]
    return pieces


def _map(found: PairMap, label: str, sign: int) -> Spec:
    """Cells, contours, the frame of the ranges and the winner."""
    across, up, values = found.across, found.up, found.objective
    left, below = _edges(across), _edges(up)
    rows, cells = np.indices(values.shape).reshape(2, -1)
    columns = {
        "x": across.values[cells], "y": up.values[rows], "objective": values[rows, cells], "left": left[0][cells],
        "right": left[1][cells], "below": below[0][rows], "above": below[1][rows],
    }  # fmt: skip
    known = values[np.isfinite(values)]
    worst, top = float(sign * np.quantile(sign * known, _WORST)), float(sign * (sign * known).max())
    low, high = sorted((worst, top))
    colour: Spec = {
        **quantity("objective", label),
        "scale": {"domain": [low, high], "clamp": True, "scheme": "cividis", "reverse": sign < 0},
        "legend": {"format": ".3~g", "gradientLength": 160, "gradientThickness": 8, "tickCount": 4,
                   "direction": "horizontal"},
    }  # fmt: skip
    x, y = (_axis(side, (edges[0][0], edges[1][-1])) for side, edges in ((across, left), (up, below)))
    tooltip = [
        shown("x", parameter_label(across.key), ".4g"),
        shown("y", parameter_label(up.key), ".4g"),
        shown("objective", label, ".5g"),
    ]
    cell = {
        "transform": [{"filter": "isFinite(datum.objective)"}],
        "mark": {"type": "rect", "clip": True},
        "encoding": {"x": {**x, "field": "left"}, "x2": {"field": "right"}, "y": {**y, "field": "below"},
                     "y2": {"field": "above"}, "color": colour, "tooltip": tooltip},
    }  # fmt: skip
    layers = [cell, *_contours(found, np.linspace(low, high, _LEVELS + 2)[1:-1], x, y), _frame(across, up, x, y)]
    winner = {
        "data": {"values": [{"x": across.winner, "y": up.winner, "objective": found.winner, "what": "winner"}]},
        "mark": {"type": "point", "shape": "cross", "angle": 45, "filled": True, "size": 170, "color": "#ffffff",
                 "stroke": "#000000", "strokeWidth": 1, "opacity": 1},
        "encoding": {"x": {**x, "field": "x"}, "y": {**y, "field": "y"}, "tooltip": [shown("what", "point"), *tooltip]},
    }  # fmt: skip
    return {"height": 380, "data": table(columns), "layer": [*layers, winner]}


def _contours(found: PairMap, levels: Values, x: Spec, y: Spec) -> list[Spec]:
    across, up = (np.log(side.values) if side.logarithmic else side.values for side in (found.across, found.up))
    pieces = [
        (*piece, float(level)) for level in levels for piece in contour_lines(across, up, found.objective, float(level))
    ]
    if not pieces:
        return []
    ends = np.array(pieces)
    for side, places in ((found.across, (0, 2)), (found.up, (1, 3))):
        for place in places:
            ends[:, place] = np.exp(ends[:, place]) if side.logarithmic else ends[:, place]
    names = ("x", "y", "x2", "y2", "level")
    columns: dict[str, Any] = dict(zip(names, ends.T, strict=True))
    encoding = {"x": {**x, "field": "x"}, "y": {**y, "field": "y"}, "x2": {"field": "x2"}, "y2": {"field": "y2"}}
    mark = {"type": "rule", "color": "#ffffff", "opacity": 0.75, "strokeWidth": 1, "clip": True}
    return [{"data": table(columns), "mark": mark, "encoding": encoding}]


def _frame(across: Side, up: Side, x: Spec, y: Spec) -> Spec:
    """The ranges that were searched, as a dashed rectangle."""
    box = {"x": across.low, "x2": across.high, "y": up.low, "y2": up.high}
    mark = {
        "type": "rect",
        "filled": False,
        "stroke": "#ffffff",
        "strokeWidth": 1.5,
        "strokeDash": [5, 4],
        "clip": True,
    }
    encoding = {"x": {**x, "field": "x"}, "x2": {"field": "x2"}, "y": {**y, "field": "y"}, "y2": {"field": "y2"}}
    return {"data": {"values": [box]}, "mark": mark, "encoding": encoding}


def _slice(one: Slice, winner: float, limits: list[float]) -> Spec:
    side, label = one.side, parameter_label(one.side.key)
    x = {**_axis(side, (float(side.values[0]), float(side.values[-1]))), "field": "at"}
    y = quantity("objective", "objective", scale={"domain": limits, "zero": False, "nice": False})
    columns: dict[str, Any] = {"at": side.values, "objective": one.objective}
    line = {
        "mark": {"type": "line", "color": ink("pool"), "strokeWidth": 1.6, "clip": True,
                 "point": {"size": 14, "color": ink("pool")}},
        "encoding": {"x": x, "y": y, "tooltip": [shown("at", label, ".4g"), shown("objective", "objective", ".5g")]},
    }  # fmt: skip
    ends = {
        "data": {"values": [{"at": side.low}, {"at": side.high}]},
        "mark": {"type": "rule", "color": ink("muted"), "strokeDash": [4, 3], "clip": True},
        "encoding": {"x": x},
    }
    middle = {
        "data": {"values": [{"at": side.winner, "objective": winner}]},
        "mark": {"type": "point", "filled": True, "shape": "diamond", "size": 90, "color": ink("hodl"), "opacity": 1},
        "encoding": {"x": x, "y": y},
    }
    return {"height": 150, "data": table(columns), "layer": [line, ends, middle]}


def _limits(found: PairMap, sign: int) -> list[float]:
    """Of the axis of the objective, the same in all slices."""
    every = np.concatenate([one.objective for one in found.slices])
    return better_limits(np.where(np.isfinite(every), every, np.nan), [found.winner], sign)


def _axis(side: Side, ends: tuple[float, float]) -> Spec:
    scale: Spec = {"domain": [float(end) for end in ends], "nice": False, "zero": False}
    if side.logarithmic:
        scale = {"type": "log", **{name: value for name, value in scale.items() if name != "zero"}}
    axis = {"format": "~g", "tickCount": 4, "labelOverlap": True, "grid": False}
    return {"type": "quantitative", "title": parameter_label(side.key), "scale": scale, "axis": axis}


def _edges(side: Side) -> tuple[Values, Values]:
    """Where each cell of a side begins and ends."""
    at = np.log(side.values) if side.logarithmic else side.values
    inner = (at[1:] + at[:-1]) / 2
    borders = np.concatenate([[2 * at[0] - inner[0]], inner, [2 * at[-1] - inner[-1]]])
    ends = borders[1:] + _OVERLAP * np.diff(borders)
    ends[-1] = borders[-1]
    return (np.exp(borders[:-1]), np.exp(ends)) if side.logarithmic else (borders[:-1], ends)
